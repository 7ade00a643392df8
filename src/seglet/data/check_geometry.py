"""Findings about grids: whether masks and channels lie on the grid of their image, and how grids differ."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from seglet.core.orientation import turned_spacing, upright
from seglet.data.chart import Chart
from seglet.data.findings import Finding, finding
from seglet.data.fitting import extent, lies_otherwise
from seglet.data.looks import Place
from seglet.io.sources import File

Fit = Literal["same", "grid", "orientation", "transposed", "geometry"]

NEAR_SPACING = 0.01  # relative; headers are rounded
NEAR_ORIGIN = 0.5  # pixels; more would shift the mask
NEAR_DIRECTION = 0.02  # cosine components; about one degree
WIDE_RANGE = 3.0  # largest spacing over the smallest, along one axis

REMEDIES = {
    "pages": "The pages of the image were read as slices: if they are channels, save it with the axes CYX; "
    "if each is an image, say layout.pages: true.",
    "geometry": "Export the mask again at the size of its image, or pair it with another by a layout.",
    "transposed": "Exchange rows and columns of these files, or export them again; check --fix does it.",
    "orientation": "They are turned as their headers say; write them like their image to be sure.",
    "grid": "Check that they belong to these images; they are read pixel by pixel, as if they did.",
}
MESSAGES = {
    "transposed": "{n} masks or channels have rows and columns exchanged.",
    "orientation": "{n} masks or channels lie in another orientation than their image.",
    "grid": "{n} files differ in spacing or origin from the image they go with.",
}


def check_geometry(charts: Sequence[Chart]) -> Iterator[Finding]:
    """Find masks, fields of view and channels that do not lie on the grid of their image."""
    found: dict[Fit, list[File]] = {"transposed": [], "orientation": [], "grid": []}
    for chart in charts:
        for file, place in _others(chart):
            image = chart.images[0]
            fit = fit_of(place, image.place)
            if fit == "geometry":
                expected = f"{extent(image.place.shape)} as in {image.file}"
                message = f"Found {extent(place.shape)}, expected {expected}."
                is_page = len(place.shape) == 2 and image.place.shape[1:] == place.shape
                remedy = REMEDIES["pages" if is_page else "geometry"]
                yield finding("error", "geometry", message, [file], remedy)
            elif fit != "same":
                found[fit].append(file)
    for fit, files in found.items():
        if files:
            severity: Literal["error", "warning"] = "error" if fit == "transposed" else "warning"
            yield finding(severity, fit, MESSAGES[fit], files, REMEDIES[fit])
    yield from _check_axes(charts)
    yield from _check_spacing(charts)


def fit_of(place: Place, image: Place) -> Fit:
    """Say how the grid of a mask goes with that of its image; what neither file says is taken as the same."""
    if lies_otherwise(place, image):
        turned = turned_spacing(place.shape, upright(place.direction))
        return (
            "orientation" if turned == turned_spacing(image.shape, upright(image.direction)) else "geometry"
        )
    if place.shape != image.shape and (1, *place.shape) != image.shape and place.shape != (1, *image.shape):
        return "transposed" if place.shape[::-1] == image.shape else "geometry"
    is_volume = len(image.shape) == 3  # flat masks rarely keep the scale of their image
    same = not is_volume or (
        _near(place.spacing, image.spacing, [NEAR_SPACING * one for one in image.spacing])
        and _near(place.direction, image.direction, [NEAR_DIRECTION] * len(image.direction))
        and _near(place.origin, image.origin, [NEAR_ORIGIN * one for one in image.spacing])
    )
    return "same" if same or place.unit != image.unit else "grid"


def _near(one: Sequence[float], other: Sequence[float], margins: Sequence[float]) -> bool:
    if not one or not other or len(one) != len(other):
        return True
    margins = margins or [0.0] * len(one)
    return all(abs(a - b) <= margin for a, b, margin in zip(one, other, margins, strict=True))


def _others(chart: Chart) -> Iterator[tuple[File, Place]]:
    """Everything that must lie on the grid of the first channel."""
    if chart.images:
        yield from ((look.file, look.place) for look in chart.images[1:])
        masks = (*chart.masks, chart.second, chart.fov)
        yield from ((look.file, look.place) for look in masks if look is not None)


def _check_axes(charts: Sequence[Chart]) -> Iterator[Finding]:
    """Refuse to learn from volumes and flat images together."""
    seen = [chart.images[0] for chart in charts if chart.images and chart.case.labels]
    sorted_out = [[look.file for look in seen if len(look.place.shape) == n] for n in (2, 3)]
    if all(sorted_out):
        flat, deep = map(len, sorted_out)
        message = f"{deep} of the images are volumes, {flat} are flat."
        remedy = "Take one kind out, or train on each by itself."
        yield finding("error", "axes", message, min(sorted_out, key=len), remedy)


def _check_spacing(charts: Sequence[Chart]) -> Iterator[Finding]:
    places = [(chart.images[0].file, chart.images[0].place) for chart in charts if chart.images]
    missing = [file for file, place in places if not place.spacing]
    has_volumes = any(len(place.shape) == 3 for _, place in places)
    if missing and (has_volumes or len(missing) < len(places)):
        which = "No image says" if len(missing) == len(places) else "{n} images do not say"
        remedy = "Export them with their spacing, for example as OME-TIFF or NIfTI."
        message = f"{which} how large a pixel is."
        severity: Literal["warning", "note"] = "warning" if has_volumes else "note"
        yield finding(severity, "spacing", message, missing, remedy)
    yield from _check_range([place for _, place in places if place.spacing])


def _check_range(places: Sequence[Place]) -> Iterator[Finding]:
    units = sorted({place.unit for place in places})
    if len(units) > 1:
        message = f"Spacings come in different units: {', '.join(units)}."
        yield finding("warning", "spacing-range", message, (), "Export all images with the same unit.")
        return
    upright_spacings = {turned_spacing(place.spacing, upright(place.direction)) for place in places}
    if len({len(one) for one in upright_spacings}) != 1:
        return
    table = np.array(sorted(upright_spacings))
    low, high = table.min(axis=0), table.max(axis=0)
    if (high > WIDE_RANGE * low).any():
        ranges = ", ".join(f"{a:.3g} to {b:.3g} {units[0]}" for a, b in zip(low, high, strict=True))
        remedy = "Images are brought to one spacing; train apart what was taken at very different scales."
        yield finding("note", "spacing-range", f"Spacings differ much between cases: {ranges}.", (), remedy)
