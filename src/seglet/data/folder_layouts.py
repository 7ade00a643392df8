"""Layouts read off folders that say what they hold: ``images`` and ``labels`` and the like."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from seglet.data.layouts import Layout
from seglet.data.pairing import Pairing, pair_channels, pair_stems
from seglet.data.patterns import literal, stem_of, variables
from seglet.data.words import (
    FOV_WORDS,
    IMAGE_WORDS,
    LABEL_WORDS,
    ROLE_WORDS,
    SECOND_WORDS,
    generalized,
    split_as_variable,
)


class Placed(NamedTuple):
    """A file in a folder that says what it holds; `folders` are patterns already."""

    word: str
    folders: tuple[str, ...]
    stem: str


def in_folders(names: Sequence[str]) -> Layout | None:
    """Read a layout off folders called ``images``, ``labels`` and the like; None where there are none."""
    by_word: dict[str, list[Placed]] = {}
    for placed in filter(None, map(place, names)):
        by_word.setdefault(placed.word, []).append(placed)
    unknown = [word for word in by_word if word not in ROLE_WORDS]
    spare = unknown if len(unknown) == 1 else []
    image_words = [word for word in IMAGE_WORDS if word in by_word] or spare
    label_words = [word for word in LABEL_WORDS if word in by_word] or spare
    found = [
        (pairing, image, label)
        for image in image_words
        for label in label_words
        if image != label and (pairing := _pair(by_word[image], by_word[label])) is not None
    ]
    if not found:
        return None
    pairing, image, label = max(found, key=lambda item: item[0].n_pairs)
    image_pattern = f"{_folder_pattern(by_word[image])}{pairing.image}.*"
    others = {word: placed for word, placed in by_word.items() if word not in (image, label)}
    return Layout(
        name=f"folders {image} and {label}",
        image=image_pattern,
        labels=f"{_beside_images(by_word[label], by_word[image])}{pairing.other}.*",
        fov=_companion(image_pattern, by_word[image], others, FOV_WORDS),
        second=_companion(image_pattern, by_word[image], others, SECOND_WORDS),
    )


def without_labels(names: Sequence[str]) -> Layout | None:
    """Take all images as images without labels, where nothing speaks against it."""
    placed = [place(name) for name in names]
    labelled = {*LABEL_WORDS, *SECOND_WORDS}
    images = [one for one in placed if one is not None and one.word in IMAGE_WORDS]
    if not names or any(one is not None and one.word in labelled for one in placed):
        return None
    n_stems = len({stem_of(name) for name in names})
    n_folders = len({PurePosixPath(name).parent for name in names})
    if not images and n_folders == 2 and n_stems <= len(names) / 2:  # two like folders: one may be labels
        return None
    folders = _folder_pattern(images) if images else ("**/" if n_folders > 1 else "")
    if n_folders == 1 and not images:
        folders = "".join(f"{literal(part)}/" for part in PurePosixPath(names[0]).parts[:-1])
    return Layout(name="images without labels", image=f"{folders}{{id}}.*")


def place(name: str) -> Placed | None:
    """Find the last folder of a name that says what it holds; the last folder, if none does."""
    folders = [split_as_variable(part) for part in PurePosixPath(name).parts[:-1]]
    words = [re.sub(r"[-_ ]?\{split\}[-_ ]?", "", folder).lower() for folder in folders]
    words = [re.sub("[- ]", "_", word) for word in words]
    places = [k for k, word in enumerate(words) if word in ROLE_WORDS] or [
        k for k, word in enumerate(words) if word
    ]
    return Placed(words[places[-1]], tuple(folders), stem_of(name)) if places else None


def _pair(images: Sequence[Placed], others: Sequence[Placed]) -> Pairing | None:
    stems, other_stems = {one.stem for one in images}, {one.stem for one in others}
    return pair_channels(stems, other_stems) or pair_stems(stems, other_stems)


def _companion(
    image_pattern: str,
    images: Sequence[Placed],
    others: dict[str, list[Placed]],
    words: Sequence[str],
) -> str | None:
    """Find the pattern of what else belongs to the images; it must pair by the image's own variable."""
    for word in words:
        pairing = _pair(images, others[word]) if word in others else None
        if pairing and variables(pairing.image) <= variables(image_pattern):
            return f"{_beside_images(others[word], images)}{pairing.other}.*"
    return None


def _folder_pattern(placed: Sequence[Placed]) -> str:
    return generalized({one.folders for one in placed}, placed[0].word)


def _beside_images(placed: Sequence[Placed], images: Sequence[Placed]) -> str:
    """Write the folders of masks; one that stands in a group of the images belongs to that group alone.

    Without the group, images of the same name in other groups would share its masks.
    """
    parts, image_parts = _folder_pattern(placed).split("/"), _folder_pattern(images).split("/")
    if len(parts) == len(image_parts) and "{group}" in image_parts:
        k = image_parts.index("{group}")
        if parts[k] in {one.folders[k] for one in images}:
            parts[k] = "{group}"
    return "/".join(parts)
