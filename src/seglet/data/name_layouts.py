"""Layouts read off names of files that stand side by side: ``x_mask`` beside ``x``; ``x_t1``, ``x_t2``."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile
from pathlib import PurePosixPath
from typing import NamedTuple

from seglet.data.layouts import Layout, count_pairs
from seglet.data.patterns import literal, stem_of
from seglet.data.words import (
    CONTRASTS,
    IMAGE_ENDS,
    LABEL_ENDS,
    generalized,
    is_brain_mask,
    sounds_like_labels,
    split_as_variable,
)

FEWEST_CHANNELS = 2
_CONTRAST = re.compile(
    rf"(?P<base>.*?)(?:^|(?<=[-_. ]))(?P<channel>{'|'.join(CONTRASTS)})(?P<rest>(?:[-_. ].*)?)", re.IGNORECASE
)


def side_by_side(names: Sequence[str]) -> Layout | None:
    """Read a layout off names like ``x.png`` beside ``x_mask.png``."""
    folders = {tuple(map(split_as_variable, PurePosixPath(name).parts[:-1])) for name in names}
    where = generalized(folders) if folders else ""
    stems = {stem_of(name).lower() for name in names}
    layouts = [
        Layout(name=f"{image} beside {label}", image=f"{where}{image}.*", labels=f"{where}{label}.*")
        for image, label in _beside(stems)
    ]
    counted = [(count_pairs(layout, names), layout) for layout in layouts]
    return max(counted, key=lambda item: item[0])[1] if any(n for n, _ in counted) else None


def one_file_per_contrast(names: Sequence[str]) -> Layout | None:
    """Read a layout off names like ``x_t1``, ``x_t2``, ``x_flair`` and one mask among them, ``x_seg``.

    They may stand side by side or in a folder of each patient, which may be their whole name: ``x/T1``.
    """
    by_unit: dict[tuple[str, str], list[_Contrast]] = {}
    for contrast in filter(None, map(_contrast, names)):
        by_unit.setdefault((contrast.folder, contrast.base), []).append(contrast)
    units = {unit: found for unit, found in by_unit.items() if _n_channels(found) >= FEWEST_CHANNELS}
    stems = _by_folder(names)
    masks = {unit: _mask_of(unit, stems) for unit in units}
    whole = [unit for unit in units if masks[unit]]
    if not whole:
        return None
    ((rest, _),) = Counter(contrast.rest for unit in whole for contrast in units[unit]).most_common(1)
    ((mask, _),) = Counter(masks[unit] for unit in whole).most_common(1)
    brain = next((end for unit in whole for end in _ends(unit, stems) if is_brain_mask(end)), None)
    layouts = [
        Layout(
            name=f"one file per contrast beside {mask}",
            image=f"{start}{{channel}}{literal(rest)}.*",
            labels=f"{start}{literal(mask or '')}.*",
            fov=f"{start}{literal(brain)}.*" if brain else None,
        )
        for start in _starts(whole)
    ]
    counted = [(count_pairs(layout, names), layout) for layout in layouts]
    return max(counted, key=lambda item: item[0])[1] if any(n for n, _ in counted) else None


def a_single_pair(names: Sequence[str]) -> Layout | None:
    """Take two files for an image and its mask where the name of one says that it is the mask."""
    masks = [name for name in names if sounds_like_labels(stem_of(name))]
    images = [name for name in names if name not in masks]
    if len(names) != 2 or len(masks) != 1:
        return None
    return Layout(name=f"{images[0]} and {masks[0]}", image=literal(images[0]), labels=literal(masks[0]))


class _Contrast(NamedTuple):
    """A file whose name says its contrast: what stands before it, the contrast, what stands after it."""

    folder: str
    base: str
    channel: str
    rest: str


def _contrast(name: str) -> _Contrast | None:
    stem = stem_of(name)
    found = None if sounds_like_labels(stem) else _CONTRAST.fullmatch(stem)
    if found is None:
        return None
    return _Contrast(str(PurePosixPath(name).parent), found["base"], found["channel"], found["rest"])


def _n_channels(contrasts: Sequence[_Contrast]) -> int:
    return len({contrast.channel.lower() for contrast in contrasts})


def _mask_of(unit: tuple[str, str], stems: Mapping[str, list[str]]) -> str | None:
    """What the only mask in the folder adds to the name that it shares with the contrasts."""
    masks = [end for end in _ends(unit, stems) if sounds_like_labels(end)]
    return masks[0] if len(masks) == 1 else None


def _by_folder(names: Sequence[str]) -> dict[str, list[str]]:
    """Sorted names of the files in each folder, without suffix."""
    stems: dict[str, list[str]] = {}
    for name in names:
        stems.setdefault(str(PurePosixPath(name).parent), []).append(stem_of(name))
    return {folder: sorted(found) for folder, found in stems.items()}


def _ends(unit: tuple[str, str], stems: Mapping[str, list[str]]) -> list[str]:
    """What the names in the folder add to a common beginning."""
    folder, base = unit
    first = bisect_left(stems[folder], base)
    fitting = takewhile(lambda stem: stem.startswith(base), islice(stems[folder], first, None))
    return [stem[len(base) :] for stem in fitting]


def _starts(units: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Write the folders and beginnings of names: the id is what differs, in the folder or in the name."""
    folder, base = units[0]
    parts = () if folder == "." else PurePosixPath(folder).parts
    sep = base[-1:] if base[-1:] in ("-", "_", ".", " ") else ""
    above = "".join(f"{literal(part)}/" for part in parts[:-1])
    if parts and base.removesuffix(sep) == parts[-1]:
        yield f"{above}{{id}}/{{id}}{sep}"
        yield f"**/{{id}}/{{id}}{sep}"
    elif parts and not base:
        yield f"{above}{{id}}/"
        yield "**/{id}/"
    elif base:
        yield "".join(f"{literal(part)}/" for part in parts) + f"{{id}}{sep}"
        yield f"**/{{id}}{sep}"


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
