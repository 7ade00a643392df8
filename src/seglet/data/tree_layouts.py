"""Layouts read off trees: derivatives beside the images (BIDS), masks beside images in a container."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from seglet.data.layouts import Layout, count_pairs
from seglet.data.patterns import literal, stem_of
from seglet.data.words import (
    IMAGE_WORDS,
    LABEL_WORDS,
    generalized,
    sounds_like_labels,
    split_as_variable,
)
from seglet.io.sources import suffix_of

CONTAINERS = (".h5", ".hdf5", ".hdf", ".zarr", ".ome.zarr", ".n5")


def in_derivatives(names: Sequence[str]) -> Layout | None:
    """Read the layout of BIDS: images in ``sub-x/…``, masks in ``derivatives/…`` named after them.

    The subject is the group. Several kinds of mask of an image are taken for one mask per class.
    """
    found = [re.fullmatch(r"((?:[^/]+/)*?)(sub-[^/]+/.*)", name) for name in names]
    tops = Counter(m[1] for m in found if m is not None and "derivatives/" not in m[1])
    if not tops:
        return None
    top = min(tops)
    images = [stem_of(name) for name in names if name.startswith(f"{top}sub-")]
    others = [stem_of(name) for name in names if name.startswith(f"{top}derivatives/")]
    start = f"{literal(top)}sub-{{group}}/**/"
    if not others:
        return Layout(name="BIDS without derivatives", image=f"{start}{{id}}.*")
    known = set(images)
    beyond = {other: _longest_start(other, known) for other in others}
    pairs = {
        other: image for other, image in beyond.items() if image and sounds_like_labels(other[len(image) :])
    }
    if not pairs:
        return _masks_of_subjects(top, images, others, names)
    ends = sorted({other[len(image) :] for other, image in pairs.items()})
    contrast = _contrast_of(images, list(pairs.values()))
    return Layout(
        name=f"BIDS, derivatives {', '.join(ends)}",
        image=f"{start}{{id}}{contrast}.*",
        labels=f"{literal(top)}derivatives/**/{{id}}{contrast}{_with_class(ends)}.*",
    )


def in_containers(names: Sequence[str]) -> Layout | None:
    """Read a layout off datasets in HDF5 and Zarr containers: ``x.h5/raw`` and ``x.h5/labels``.

    An OME-Zarr is its image; its truth stands in its own folder ``labels``.
    """
    parted = [found for name in names if (found := _container(name)) is not None]
    suffixes = Counter(suffix for suffix, _ in parted)
    for suffix, _ in suffixes.most_common():
        inner = Counter(part for other, part in parted if other == suffix)
        images = [f"/{part}" if part else "" for part in _ranked(inner, ("", *IMAGE_WORDS))]
        labels = _ranked(inner, LABEL_WORDS) or [part for part in inner if part.startswith("labels/")]
        if images and len(labels) == 1:
            where = f"**/{{id}}{literal(suffix)}"
            layout = Layout(
                name=f"{labels[0]} inside {suffix}",
                image=f"{where}{literal(images[0])}",
                labels=f"{where}/{literal(labels[0])}",
            )
            if count_pairs(layout, names):
                return layout
    return None


def in_case_folders(names: Sequence[str]) -> Layout | None:
    """Read a layout off folders that hold the same names each: ``x/imaging`` and ``x/segmentation``.

    One of the names must say that it is a mask; several others are channels.
    """
    paths = [PurePosixPath(name) for name in names]
    depths = range(max((len(path.parts) for path in paths), default=0) - 1)
    found = [one for depth in depths if (one := _at_depth(paths, depth)) is not None]
    return max(found, key=lambda one: one[0])[1] if found else None


def _at_depth(paths: Sequence[PurePosixPath], depth: int) -> tuple[tuple[bool, int], Layout] | None:
    """Take the folders at one depth for cases; gives how sure that is, and the layout."""
    below = [path for path in paths if len(path.parts) > depth + 1]
    units = {path.parts[: depth + 1] for path in below}
    tails = Counter(_tail(path, depth) for path in below)
    usual = [tail for tail, n in tails.items() if n > len(units) / 2]
    masks = [tail for tail in usual if sounds_like_labels(tail)]
    images = [tail for tail in usual if tail not in masks]
    if len(masks) != 1 or not images or (len(images) > 1 and len(units) < 2):
        return None
    where = generalized({tuple(map(split_as_variable, path.parts[:depth])) for path in below})
    image = literal(images[0]) if len(images) == 1 else "{channel}"
    layout = Layout(
        name=f"a folder of each case with {', '.join(sorted(images))} and {masks[0]}",
        image=f"{where}{{id}}/{image}.*",
        labels=f"{where}{{id}}/{literal(masks[0])}.*",
    )
    return (len(units) > 1, depth), layout


def _tail(path: PurePosixPath, depth: int) -> str:
    """What stands below the folder of a case, without suffix."""
    return "/".join((*path.parts[depth + 1 : -1], stem_of(path.name)))


def _longest_start(name: str, candidates: Collection[str]) -> str:
    """The longest image name that a derivative's name begins with; empty if none."""
    parts = name.split("_")
    starts = ("_".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((start for start in starts if start in candidates), "")


def _contrast_of(images: Sequence[str], labelled: Sequence[str]) -> str:
    """The last part of the names of what is labelled, where other images of the same subjects are not."""
    ends = {image.rpartition("_")[2] for image in labelled}
    others = {image.rpartition("_")[2] for image in images} - ends
    return f"_{literal(next(iter(ends)))}" if len(ends) == 1 and others else ""


def _with_class(ends: Sequence[str]) -> str:
    """Write what stands at the end of the masks' names; where it differs, that is the class."""
    if len(ends) == 1:
        return literal(ends[0])
    pieces = [re.split("([-_])", end) for end in ends]
    n_start = n_end = 0
    shortest = min(map(len, pieces))
    while n_start < shortest and len({parts[n_start] for parts in pieces}) == 1:
        n_start += 1
    while n_end < shortest - n_start and len({parts[-1 - n_end] for parts in pieces}) == 1:
        n_end += 1
    start, end = pieces[0][:n_start], pieces[0][len(pieces[0]) - n_end :]
    return f"{literal(''.join(start))}{{class}}{literal(''.join(end))}"


def _masks_of_subjects(
    top: str, images: Sequence[str], others: Sequence[str], names: Sequence[str]
) -> Layout | None:
    """Read masks that are named without the contrast: ``sub-x_mask`` of ``sub-x_T1w`` and ``sub-x_T2w``."""
    channels = sorted({image.rpartition("_")[2] for image in images})
    bases = {image.rpartition("_")[0] for image in images}
    beyond = {other: _longest_start(other, bases) for other in others if sounds_like_labels(other)}
    ends = sorted({other[len(base) :] for other, base in beyond.items() if base})
    if not ends:
        return None
    channel = f"_{literal(channels[0])}" if len(channels) == 1 else "_{channel}"
    layout = Layout(
        name=f"BIDS, derivatives {', '.join(ends)}",
        image=f"{literal(top)}sub-{{group}}/**/{{id}}{channel}.*",
        labels=f"{literal(top)}derivatives/**/{{id}}{_with_class(ends)}.*",
    )
    return layout if count_pairs(layout, names) else None


def _container(name: str) -> tuple[str, str] | None:
    """Suffix of the container in a name, and the path inside of it; None where there is none."""
    parts = PurePosixPath(name).parts
    for k, part in enumerate(parts):
        if suffix_of(part) in CONTAINERS:
            return suffix_of(part), "/".join(parts[k + 1 :])
    return None


def _ranked(inner: Counter[str], words: Sequence[str]) -> list[str]:
    """The paths that end in the first of these words that occurs."""
    for word in words:
        fitting = [part for part in inner if part.rpartition("/")[2].lower() == word]
        if fitting:
            return fitting
    return []
