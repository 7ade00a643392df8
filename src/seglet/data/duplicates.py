"""Images that are there twice, exactly or nearly, and copies that lie in two parts of a split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.data.cases import Case
from seglet.data.chart import Chart
from seglet.data.findings import Finding, finding
from seglet.data.looks import THUMBNAIL

ALIKE = 0.985  # correlation of thumbnails; neighbouring slices of a volume reach 0.978, JPEG copies 0.998
NEIGHBOURHOOD = 5  # boxes of a thumbnail whose mean is its coarse brightness
BLOCK = 512  # rows of the table of correlations held at once
MOST_LISTED = 5  # pairs named in a message

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Twins:
    """Two cases with the same image.

    Attributes
    ----------
    first, second : Case
        The one that should stay, and its copy.
    is_exact : bool
        Whether all pixels agree.
    is_contradicting : bool
        Whether both have masks, and these differ.
    """

    first: Case
    second: Case
    is_exact: bool
    is_contradicting: bool = False


def find_twins(charts: Sequence[Chart]) -> tuple[Twins, ...]:
    """Find cases with the same image.

    Nearly the same images count only where they are not told to belong together: slices of one file and
    images of one group may look alike.
    """
    seen = [chart for chart in charts if _is_comparable(chart)]
    exact: dict[bytes, list[Chart]] = {}
    for chart in seen:
        exact.setdefault(b"".join(look.digest for look in chart.images), []).append(chart)
    twins = []
    for cluster in exact.values():
        first, *copies = sorted(cluster, key=lambda chart: not chart.masks)
        twins += [Twins(first.case, copy.case, True, _contradict(first, copy)) for copy in copies]
    single = [cluster[0] for cluster in exact.values()]
    twins += [Twins(single[a].case, single[b].case, False) for a, b in _alike(single)]
    return tuple(twins)


def check_duplicates(twins: Sequence[Twins]) -> Iterator[Finding]:
    """Report copies."""
    remedy = "Keep one of each; seglet check --fix does it."
    yield from _report(
        "duplicate",
        "exact copies of others",
        [t for t in twins if t.is_exact and not t.is_contradicting],
        remedy,
    )
    remedy = "Keep the image with the right mask."
    yield from _report(
        "contradiction",
        "exact copies of others with different masks",
        [t for t in twins if t.is_contradicting],
        remedy,
    )
    remedy = "Look at them; keep one, or give them a common {group} in the layout."
    yield from _report(
        "near-duplicate", "nearly the same as others", [t for t in twins if not t.is_exact], remedy
    )


def check_leaks(twins: Sequence[Twins], split: Mapping[str, str]) -> Iterator[Finding]:
    """Report copies that lie in two parts of a split; `split` gives the part of each case by its id."""
    leaks = [one for one in twins if _part(one.first, split) != _part(one.second, split)]
    leaks = [one for one in leaks if _part(one.first, split) and _part(one.second, split)]
    if leaks:
        pairs = [
            f"{one.first.id} ({_part(one.first, split)}) and {one.second.id} ({_part(one.second, split)})"
            for one in leaks
        ]
        message = f"{len(leaks)} images have a copy in another part of the split: {_some(pairs)}."
        files = dict.fromkeys(case.image for one in leaks for case in (one.first, one.second))
        remedy = "Keep one of each, or give them a common {group} in the layout."
        yield finding("warning", "leak", message, list(files), remedy)


def _report(code: str, what: str, twins: Sequence[Twins], remedy: str) -> Iterator[Finding]:
    if twins:
        pairs = [f"{one.second.id} of {one.first.id}" for one in twins]
        files = list(dict.fromkeys(one.second.image for one in twins))
        yield finding("warning", code, f"{{n}} images are {what}: {_some(pairs)}.", files, remedy)


def _some(pairs: Sequence[str]) -> str:
    more = len(pairs) - MOST_LISTED
    return ", ".join(pairs[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _part(case: Case, split: Mapping[str, str]) -> str | None:
    return split.get(case.id, None if split else case.split)


def _is_comparable(chart: Chart) -> bool:
    whole = len(chart.images) == len(chart.case.images) > 0
    return whole and not all(look.is_constant for look in chart.images)


def _contradict(one: Chart, other: Chart) -> bool:
    digests = [sorted(look.digest for look in chart.masks) for chart in (one, other)]
    return bool(digests[0] and digests[1]) and digests[0] != digests[1]


def _alike(charts: Sequence[Chart]) -> Iterator[tuple[int, int]]:
    """Give the places of charts whose thumbnails agree in their details."""
    by_size: dict[int, list[int]] = {}
    for k, chart in enumerate(charts):
        if all(look.is_whole and look.is_finite for look in chart.images):
            by_size.setdefault(sum(look.thumbnail.size for look in chart.images), []).append(k)
    for places in by_size.values():
        table = np.stack([_detail(charts[k]) for k in places])
        for start in range(0, len(places), BLOCK):
            agreement = table[start : start + BLOCK] @ table.T
            for a, b in np.argwhere(agreement > ALIKE):
                if start + a < b and _may_differ(charts[places[start + a]].case, charts[places[b]].case):
                    yield places[start + a], places[b]


def _may_differ(one: Case, other: Case) -> bool:
    """Say whether nothing tells that two cases come from one specimen."""
    same_group = one.group is not None and one.group == other.group
    return not same_group and one.images != other.images


def _detail(chart: Chart) -> Array:
    """Join thumbnails, each without its coarse brightness, to a vector of length 1."""
    sharp = [_sharp(look.thumbnail, len(look.place.shape)) for look in chart.images]
    details = np.concatenate(sharp).astype(np.float64)
    length = float(np.linalg.norm(details))
    return (details / (length or 1.0)).astype(np.float32)


def _sharp(flat: Array, n_axes: int) -> Array:
    """Take the mean of its neighbourhood from each box of a thumbnail."""
    boxes = flat.reshape((THUMBNAIL[n_axes],) * n_axes)
    sharp: Array = (boxes - ndimage.uniform_filter(boxes, NEIGHBOURHOOD, mode="nearest")).ravel()
    return sharp
