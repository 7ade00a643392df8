"""Findings about the pixels of images: lost, clipped, undefined, or unlike those of the others."""

from collections import Counter
from collections.abc import Iterator, Sequence

from seglet.data.chart import Chart
from seglet.data.findings import REMEDY_FILE, Finding, Severity, finding
from seglet.data.looks import ImageLook

CLIPPED = 0.2  # share of pixels at the camera's largest value
SAME_MEANING = "Make sure that the same values mean the same in all of them."
GRAY_AND_COLOR = {"1", "3"}  # go together in one training
SCALES = (257, 256)  # factors from 8 to 16 bits


def check_images(charts: Sequence[Chart]) -> Iterator[Finding]:
    """Find images that are constant, clipped, undefined, or differ in channels or depth from the others."""
    looks = [look for chart in charts for look in chart.images]
    if constant := [look.file for look in looks if look.is_constant]:
        yield finding(
            "warning", "constant", "{n} images have the same value everywhere.", constant, REMEDY_FILE
        )
    if undefined := [look.file for look in looks if not look.is_finite]:
        message = "{n} images hold infinite or undefined values."
        remedy = f"{REMEDY_FILE} seglet check --fix writes the median in their place."
        yield finding("error", "not-finite", message, undefined, remedy)
    if clipped := [look.file for look in looks if look.at_top > CLIPPED and not look.is_constant]:
        message = f"In {{n}} images more than {CLIPPED:.0%} of the pixels have the largest value possible."
        remedy = "Take or export them again with a lower exposure or a wider display range."
        yield finding("warning", "saturated", message, clipped, remedy)
    if partial := [look.file for look in looks if not look.is_whole]:
        message = "{n} files are so large that only boxes of them were looked at."
        yield finding("note", "sampled", message, partial)
    yield from _check_fovs(charts)
    yield from _check_channels(charts)
    yield from _check_depth([look for look in looks if look.is_finite])


def _check_fovs(charts: Sequence[Chart]) -> Iterator[Finding]:
    empty = [
        chart.fov.file for chart in charts if chart.fov is not None and not chart.fov.survey.values.any()
    ]
    if empty:
        yield finding("warning", "empty-fov", "{n} fields of view are empty.", empty, "Check these files.")


def _check_channels(charts: Sequence[Chart]) -> Iterator[Finding]:
    seen = [
        (chart.images[0], str(sum(look.n_channels for look in chart.images) + len(chart.case.missing)))
        for chart in charts
        if len(chart.images) == len(chart.case.images) and chart.images
    ]
    fits = {count for _, count in seen} <= GRAY_AND_COLOR
    remedy = SAME_MEANING if fits else "Export them all with the same channels, or take the others out."
    yield from _mixture("note" if fits else "error", "channels", "channels", seen, remedy)


def _check_depth(looks: Sequence[ImageLook]) -> Iterator[Finding]:
    kinds = [(look, look.dtype) for look in looks]
    yield from _mixture("note", "depth", "kinds of pixel", kinds, SAME_MEANING)
    wide = [look for look in looks if look.dtype == "uint16" and not look.is_constant]
    scaled = [look for look in wide if any(look.step % factor == 0 for factor in SCALES)]
    if scaled and len(scaled) < len(wide):
        message = "{n} 16-bit images are 8-bit ones that were scaled; the others have finer levels."
        remedy = "Export them again from the microscope's own files, or scale all alike."
        yield finding("warning", "scaled", message, [look.file for look in scaled], remedy)
    top = max((look.high for look in wide), default=0)
    if wide and len(scaled) == 0 and 255 < top < 1 << 15:
        message = f"The 16-bit images use {int(top).bit_length()} bits: values up to {top:g}."
        yield finding("note", "bits", message)


def _mixture(
    severity: Severity, code: str, what: str, seen: Sequence[tuple[ImageLook, str]], remedy: str
) -> Iterator[Finding]:
    """Say that images differ, naming those that are not like most."""
    counts = Counter(value for _, value in seen)
    if len(counts) > 1:
        most = max(sorted(counts), key=lambda value: counts[value])
        files = [look.file for look, value in seen if value != most]
        listed = ", ".join(f"{counts[value]} of {value}" for value in sorted(counts))
        yield finding(severity, code, f"The images differ in {what}: {listed}.", files, remedy)
