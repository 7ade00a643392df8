"""How the names of images and of their labels differ: not at all, by affixes, or in all but a number."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple

from seglet.data.patterns import literal, match


class Pairing(NamedTuple):
    """Name patterns, without suffix, of images and of what belongs to them, and how many they pair."""

    image: str
    other: str
    n_pairs: int


def pair_stems(images: Collection[str], others: Collection[str]) -> Pairing | None:
    """Find name patterns that pair images with their labels.

    Tried in turn: the same name, one name inside the other, the number in the name, what is left between
    affixes common to all.

    Parameters
    ----------
    images, others : collection of str
        File names without suffix.

    Returns
    -------
    Pairing or None
        The first that pairs most; None if none pairs at least half of the smaller side.
    """
    candidates = [
        find(images, others) for find in (_same, _contained, _containing, _numbered, _between_affixes)
    ]
    counted = [
        Pairing(*found, _count_pairs(*found, images, others)) for found in candidates if found is not None
    ]
    best = max(counted, key=lambda pairing: pairing.n_pairs)
    return best if best.n_pairs >= max(1, min(len(images), len(others)) / 2) else None


def pair_channels(images: Collection[str], others: Collection[str]) -> Pairing | None:
    """Find name patterns where each channel of an image has a file: images `x_0`, `x_1`, label `x`.

    Returns
    -------
    Pairing or None
        None where the images do not have several channels each, or their names without the channel pair
        with no labels.
    """
    split = [re.fullmatch(r"(.+)([-_.])([^-_.]+)", stem) for stem in images]
    parts = [(found[1].lower(), found[2], found[3].lower()) for found in split if found]
    channels, seps = {channel for _, _, channel in parts}, {sep for _, sep, _ in parts}
    cases = {base for base, _, _ in parts}
    if len(channels) < 2 or len(seps) != 1 or not len(parts) == len(images) == len(cases) * len(channels):
        return None
    labels = {name.lower() for name in others}
    if any(image.lower() in label for image in images for label in labels):  # one mask per file, not per case
        return None
    found = pair_stems(cases, labels)
    if found is None or found.image != "{id}":
        return None
    return Pairing(f"{{id}}{seps.pop()}{{channel}}", found.other, found.n_pairs)


def _same(images: Collection[str], others: Collection[str]) -> tuple[str, str]:
    return "{id}", "{id}"


def _contained(images: Collection[str], others: Collection[str]) -> tuple[str, str] | None:
    """Images `x`, labels `x_mask`."""
    affixes = _most_common_affixes(images, others)
    return None if affixes is None else ("{id}", f"{literal(affixes[0])}{{id}}{literal(affixes[1])}")


def _containing(images: Collection[str], others: Collection[str]) -> tuple[str, str] | None:
    """Images `x_image`, labels `x`."""
    affixes = _most_common_affixes(others, images)
    return None if affixes is None else (f"{literal(affixes[0])}{{key}}{literal(affixes[1])}", "{key}")


def _between_affixes(images: Collection[str], others: Collection[str]) -> tuple[str, str] | None:
    """Images `img_x_a`, labels `mask_x_b`."""
    if min(len(images), len(others)) < 2:
        return None
    first, second = _common_affixes(images), _common_affixes(others)
    # letters and digits that both sides have in common are part of the name: 0 in 00, 01 … and l00, l01 …
    n_shared = len(_word_start(_common_start([first[0][::-1], second[0][::-1]])))
    n_shared_end = len(_word_start(_common_start([first[1], second[1]])))
    patterns = [
        f"{literal(start[: len(start) - n_shared])}{{key}}{literal(end[n_shared_end:])}"
        for start, end in (first, second)
    ]
    return patterns[0], patterns[1]


def _numbered(images: Collection[str], others: Collection[str]) -> tuple[str, str] | None:
    """Images `img_7`, labels `seg007`."""
    first, second = _around_number(images), _around_number(others)
    return None if first is None or second is None else (first, second)


def _most_common_affixes(shorter: Collection[str], longer: Collection[str]) -> tuple[str, str] | None:
    """Find what most often stands before and after the shorter names in the longer ones."""
    known = {name.lower() for name in shorter}
    counts = Counter(affixes for name in longer for affixes in _affixes_around(name, known))
    return max(counts, key=lambda affixes: (counts[affixes], -len("".join(affixes)))) if counts else None


def _affixes_around(name: str, known: set[str]) -> Iterable[tuple[str, str]]:
    """List the affixes left around the longest known name inside `name`."""
    lowered, n = name.lower(), len(name)
    for length in range(n - 1, 0, -1):
        starts = [a for a in range(n - length + 1) if lowered[a : a + length] in known]
        if starts:
            return [(name[:a], name[a + length :]) for a in starts]
    return []


def _common_start(texts: Collection[str]) -> str:
    shortest, longest = min(texts), max(texts)  # in the order of the alphabet: they differ first
    n = next((k for k, letter in enumerate(shortest) if longest[k] != letter), len(shortest))
    return shortest[:n]


def _word_start(text: str) -> str:
    found = re.match(r"[^\W_]*", text)
    return found[0] if found else ""


def _common_affixes(names: Collection[str]) -> tuple[str, str]:
    start = _common_start(names)
    ends = [name[len(start) :][::-1] for name in names]
    return start, _common_start(ends)[::-1]


def _around_number(names: Collection[str]) -> str | None:
    """Write names that differ in a single number as a pattern."""
    shapes = {re.sub(r"[0-9]+", "\0", name.lower()) for name in names}
    if len(shapes) != 1:
        return None
    parts = [re.split(r"([0-9]+)", name) for name in names]
    differing = [k for k in range(1, len(parts[0]), 2) if len({int(part[k]) for part in parts}) > 1]
    chosen = differing if differing or len(parts[0]) != 3 else [1]
    if len(chosen) != 1:
        return None
    pieces = [literal(piece) for piece in parts[0]]
    return "".join([*pieces[: chosen[0]], "{number}", *pieces[chosen[0] + 1 :]])


def _count_pairs(image: str, other: str, images: Collection[str], others: Collection[str]) -> int:
    """Count names paired one to one; 0 where a name has several partners."""
    first, second = (_keys(pattern, names) for pattern, names in ((image, images), (other, others)))
    if max([*first.values(), *second.values()], default=0) > 1:
        return 0
    return len(first.keys() & second.keys())


def _keys(pattern: str, names: Collection[str]) -> Counter[str]:
    matches = (match(pattern, name) for name in names)
    return Counter(next(iter(values.values())).lower() for values in matches if values)
