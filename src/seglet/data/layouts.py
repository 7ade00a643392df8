"""Where a dataset keeps its images and masks: a layout is data, known by name or read off the folders."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from pydantic import model_validator

from seglet.core.config import Config
from seglet.core.errors import ConfigError, DatasetError
from seglet.data.pairing import Pairing, pair_stems
from seglet.data.patterns import SPLITS, SYNTAX, literal, match, variables
from seglet.io.files import File
from seglet.io.raster import SUFFIXES

IMAGE_WORDS = ("images", "image", "imgs", "img", "raw", "input", "inputs", "photos", "originals", "original")
LABEL_WORDS = (
    *("labels1", "labels", "label", "manual1", "1st_manual", "manual", "ground_truth", "groundtruth", "gt"),
    *("annotations", "annotation", "segmentations", "segmentation", "seg", "targets", "target", "truth"),
    *("masks", "mask"),
)
SECOND_WORDS = ("labels2", "2nd_manual", "manual2", "second_observer")
FOV_WORDS = ("fov", "fovs", "roi", "masks", "mask")
LABEL_ENDS = (
    *("mask", "masks", "label", "labels", "seg", "segmentation", "gt", "groundtruth", "annotation"),
    *("manual", "truth", "cp_masks"),
)
IMAGE_ENDS = ("image", "img", "raw")


class Layout(Config):
    """Patterns of the files of a dataset; the pattern language stands in `seglet.data.patterns`.

    Attributes
    ----------
    name : str
        What messages call it.
    image : str
        Pattern of the images; holds ``{id}``, ``{key}`` or ``{number}``.
    labels, fov, second : str or None
        Patterns of the masks, the fields of view and a second observer's masks. A file belongs to the
        image that agrees with it in all the variables both patterns have.
    objects : bool
        Whether the masks of one image are many files, one per object.
    """

    name: str = "custom"
    image: str
    labels: str | None = None
    fov: str | None = None
    second: str | None = None
    objects: bool = False

    @model_validator(mode="after")
    def _check_patterns(self) -> "Layout":
        names = variables(self.image) & {"id", "key", "number"}
        if not names:
            raise ConfigError(
                "layout.image", found=repr(self.image), expected="{id} in the pattern", remedy=SYNTAX
            )
        for role, pattern in (("labels", self.labels), ("fov", self.fov), ("second", self.second)):
            if pattern is not None and not names & variables(pattern):
                expected = "the same {id}, {key} or {number} as in the image's pattern"
                raise ConfigError(f"layout.{role}", found=repr(pattern), expected=expected, remedy=SYNTAX)
        return self


KNOWN = (
    Layout(
        name="Kaggle nuclei (one mask per object)",
        image="**/{id}/images/{id}.*",
        labels="**/{id}/masks/*.*",
        objects=True,
    ),
    Layout(
        name="DRIVE",
        image="**/{split}/images/{id}_{split}.*",
        labels="**/{split}/1st_manual/{id}_manual1.*",
        second="**/{split}/2nd_manual/{id}_manual2.*",
        fov="**/{split}/mask/{id}_{split}_mask.*",
    ),
    Layout(
        name="CHASE_DB1",
        image="**/Image_{group}{key}.jpg",
        labels="**/Image_{group}{key}_1stHO.*",
        second="**/Image_{group}{key}_2ndHO.*",
        fov="**/mask_{group}{key}.*",
    ),
    Layout(
        name="HRF",
        image="**/images/{id}.jpg",
        labels="**/manual1/{id}.tif",
        fov="**/mask/{id}_mask.tif",
    ),
)


def recognize(files: Sequence[File]) -> Layout:
    """Find the layout of a dataset: a known one, or one read off the names of its folders and files.

    Parameters
    ----------
    files : sequence of File
        All files of the dataset.

    Raises
    ------
    DatasetError
        If images and masks cannot be told apart or paired; says what was seen.
    """
    names = [file.name for file in files if file.suffix in SUFFIXES]
    for layout in KNOWN:
        if count_pairs(layout, names):
            return layout
    layouts = (_in_folders(names), _side_by_side(names), _alone(names))
    chosen = next((layout for layout in layouts if layout is not None), None)
    if chosen is None:
        raise _unrecognized(files, names)
    return chosen


def count_pairs(layout: Layout, names: Sequence[str]) -> int:
    """Count the images that have labels."""
    if layout.labels is None:
        return 0
    shared = sorted(variables(layout.image) & variables(layout.labels))
    labels = {tuple(values[v].lower() for v in shared) for values in _matches(layout.labels, names)}
    if not labels:
        return 0
    images = [tuple(values[v].lower() for v in shared) for values in _matches(layout.image, names)]
    return sum(key in labels for key in images)


class _Placed(NamedTuple):
    """A file in a folder that says what it holds; `folders` are patterns already."""

    word: str
    folders: tuple[str, ...]
    stem: str


def _matches(pattern: str, names: Sequence[str]) -> Iterator[dict[str, str]]:
    return (values for values in (match(pattern, name) for name in names) if values is not None)


def _in_folders(names: Sequence[str]) -> Layout | None:
    """Read a layout off folders called ``images``, ``labels`` and the like."""
    by_word: dict[str, list[_Placed]] = {}
    for placed in filter(None, map(_place, names)):
        by_word.setdefault(placed.word, []).append(placed)
    unknown = [
        word for word in by_word if word not in {*IMAGE_WORDS, *LABEL_WORDS, *SECOND_WORDS, *FOV_WORDS}
    ]
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


def _place(name: str) -> _Placed | None:
    """Find the last folder of a name that says what it holds; the last folder, if none does."""
    path = PurePosixPath(name)
    folders = [_split_as_variable(part) for part in path.parts[:-1]]
    words = [re.sub(r"[-_ ]?\{split\}[-_ ]?", "", folder).lower() for folder in folders]
    words = [re.sub("[- ]", "_", word) for word in words]
    roles = {*IMAGE_WORDS, *LABEL_WORDS, *SECOND_WORDS, *FOV_WORDS}
    places = [k for k, word in enumerate(words) if word in roles] or [
        k for k, word in enumerate(words) if word
    ]
    return _Placed(words[places[-1]], tuple(folders), path.stem) if places else None


def _split_as_variable(folder: str) -> str:
    """Write ``train``, ``train_images`` or ``imagesTr`` with ``{split}``."""
    splits = "|".join(SPLITS)
    whole = re.fullmatch(splits, folder, re.IGNORECASE)
    if whole:
        return "{split}"
    roles = "|".join(sorted({*IMAGE_WORDS, *LABEL_WORDS, *FOV_WORDS}, key=len, reverse=True))
    before = re.fullmatch(f"(?:{splits})([-_ ]?)({roles})", folder, re.IGNORECASE)
    after = re.fullmatch(f"({roles})([-_ ]?)(?:{splits})", folder, re.IGNORECASE)
    if before:
        return f"{{split}}{before[1]}{before[2]}"
    return f"{after[1]}{after[2]}{{split}}" if after else literal(folder)


def _pair(images: Sequence[_Placed], others: Sequence[_Placed]) -> Pairing | None:
    return pair_stems({one.stem for one in images}, {one.stem for one in others})


def _companion(
    image_pattern: str,
    images: Sequence[_Placed],
    others: dict[str, list[_Placed]],
    words: Sequence[str],
) -> str | None:
    """Find the pattern of what else belongs to the images; it must pair by the image's own variable."""
    for word in words:
        pairing = _pair(images, others[word]) if word in others else None
        if pairing and variables(pairing.image) <= variables(image_pattern):
            return f"{_beside_images(others[word], images)}{pairing.other}.*"
    return None


def _folder_pattern(placed: Sequence[_Placed]) -> str:
    return _generalized({one.folders for one in placed}, placed[0].word)


def _beside_images(placed: Sequence[_Placed], images: Sequence[_Placed]) -> str:
    """Write the folders of masks; one that stands in a group of the images belongs to that group alone.

    Without the group, images of the same name in other groups would share its masks.
    """
    parts, image_parts = _folder_pattern(placed).split("/"), _folder_pattern(images).split("/")
    if len(parts) == len(image_parts) and "{group}" in image_parts:
        k = image_parts.index("{group}")
        if parts[k] in {one.folders[k] for one in images}:
            parts[k] = "{group}"
    return "/".join(parts)


def _generalized(folders: set[tuple[str, ...]], word: str) -> str:
    """Write several folders as one pattern: where they differ in one place, that is the group."""
    lengths = {len(parts) for parts in folders}
    columns = [set(column) for column in zip(*folders, strict=False)]
    differing = [k for k, column in enumerate(columns) if len(column) > 1]
    if len(lengths) > 1 or len(differing) > 1:
        return f"**/{word}/**/" if word else "**/"
    parts = ["{group}" if len(column) > 1 else next(iter(column)) for column in columns]
    return "".join(f"{part}/" for part in parts)


def _side_by_side(names: Sequence[str]) -> Layout | None:
    """Read a layout off names like ``x.png`` beside ``x_mask.png``."""
    folders = {tuple(map(_split_as_variable, PurePosixPath(name).parts[:-1])) for name in names}
    where = _generalized(folders, "") if folders else ""
    stems = {PurePosixPath(name).stem.lower() for name in names}
    layouts = [
        Layout(name=f"{image} beside {label}", image=f"{where}{image}.*", labels=f"{where}{label}.*")
        for image, label in _beside(stems)
    ]
    counted = [(count_pairs(layout, names), layout) for layout in layouts]
    return max(counted, key=lambda item: item[0])[1] if any(n for n, _ in counted) else None


def _beside(stems: set[str]) -> Iterator[tuple[str, str]]:
    """List pairs of name patterns whose label side occurs."""
    for word in LABEL_ENDS:
        for sep in ("_", "-", ".", " "):
            if any(stem.endswith(sep + word) for stem in stems):
                yield from ((f"{{id}}{end}", f"{{id}}{sep}{word}") for end in _image_ends(sep))
            if any(stem.startswith(word + sep) for stem in stems):
                yield from ((f"{start}{{id}}", f"{word}{sep}{{id}}") for start in _image_starts(sep))


def _image_ends(sep: str) -> list[str]:
    return ["", *(sep + word for word in IMAGE_ENDS)]


def _image_starts(sep: str) -> list[str]:
    return ["", *(word + sep for word in IMAGE_ENDS)]


def _alone(names: Sequence[str]) -> Layout | None:
    """Take all images as images without labels, where nothing speaks against it."""
    placed = [_place(name) for name in names]
    labelled = {*LABEL_WORDS, *SECOND_WORDS}
    images = [one for one in placed if one is not None and one.word in IMAGE_WORDS]
    if not names or any(one is not None and one.word in labelled for one in placed):
        return None
    stems = Counter(PurePosixPath(name).stem for name in names)
    n_folders = len({PurePosixPath(name).parent for name in names})
    if not images and n_folders == 2 and len(stems) <= len(names) / 2:  # two like folders: one may be labels
        return None
    folders = _folder_pattern(images) if images else ("**/" if n_folders > 1 else "")
    if n_folders == 1 and not images:
        folders = "".join(f"{literal(part)}/" for part in PurePosixPath(names[0]).parts[:-1])
    return Layout(name="images without labels", image=f"{folders}{{id}}.*")


def _unrecognized(files: Sequence[File], names: Sequence[str]) -> DatasetError:
    first_names: dict[str, str] = {}
    for name in names:
        first_names.setdefault(str(PurePosixPath(name).parent), PurePosixPath(name).name)
    folders = Counter(str(PurePosixPath(name).parent) for name in names)
    shown = [f"{folder}/ with {n} like {first_names[folder]}" for folder, n in sorted(folders.items())[:6]]
    more = f" and {len(folders) - 6} folders more" if len(folders) > 6 else ""
    suffixes = sorted({file.suffix or "no suffix" for file in files})[:6]
    found = "; ".join(shown) + more if names else f"no image files, only {', '.join(suffixes)}"
    known = ", ".join(layout.name for layout in KNOWN)
    expected = f"folders called images and labels (or masks), x.png beside x_mask.png, or one of {known}"
    root = files[0].root if files else "dataset"
    return DatasetError(root, found=found, expected=expected, remedy=f"Give a layout. {SYNTAX}")
