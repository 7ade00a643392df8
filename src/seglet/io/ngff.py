"""The metadata of OME-Zarr, read and written: axes, levels, and where their pixels lie."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seglet.core.image import Image, StoredImage
from seglet.io.axes import find_axes, length_unit

Metadata = dict[str, Any]

KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
UNITS = {"um": "micrometer", "mm": "millimeter"}
OWN = "seglet"  # key of what the specification has no place for: the direction of the axes


def multiscale_of(attributes: Mapping[str, Any]) -> Metadata | None:
    """Take the description of the levels from a group's attributes; None where it is no image."""
    multiscales = attributes.get("ome", attributes).get("multiscales")
    return dict(multiscales[0]) if multiscales else None


def version_of(attributes: Mapping[str, Any]) -> str:
    """Tell the version that new metadata beside these must have: ``"0.4"`` in Zarr 2, else ``"0.5"``."""
    return str(attributes["ome"].get("version", "0.5")) if "ome" in attributes else "0.4"


def level_paths(multiscale: Metadata) -> list[str]:
    """List the arrays of the levels, the finest first."""
    return [str(dataset["path"]) for dataset in multiscale["datasets"]]


def axis_letters(multiscale: Metadata, ndim: int) -> str:
    """Tell the axes of an image's arrays; versions before 0.3 do not name them.

    Raises
    ------
    GeometryError
        If they are unknown or not as many as the arrays have.
    """
    return find_axes({"axes": _axes(multiscale, ndim)}, (1,) * ndim, "axes of the levels").letters


def grid_attributes(multiscale: Metadata, level: int, ndim: int, own: Mapping[str, Any]) -> Metadata:
    """Say axes, spacing, unit, origin and direction of one level as attributes of a plain array.

    Parameters
    ----------
    multiscale : dict
        As `multiscale_of` gives it.
    level : int
        0 is the finest.
    ndim : int
        Number of axes of the array.
    own : mapping
        All attributes of the group.
    """
    axes, letters = _axes(multiscale, ndim), axis_letters(multiscale, ndim)
    found: Metadata = {"axes": axes, **own.get(OWN, {})}
    steps, shifts = _transformed(multiscale, level, ndim)
    spatial = [n for n, letter in enumerate(letters) if letter in "zyx"]
    lengths = {letters[n]: length_unit(axes[n].get("unit")) for n in spatial if isinstance(axes[n], Mapping)}
    unit = lengths["x"][0] if lengths else "px"
    if any(length[0] == "px" for length in lengths.values()):
        unit = "px"
    if unit == "px" and all(steps[n] == 1 for n in spatial):
        return found  # what is written where nothing was measured
    factors = [_factor(lengths.get(letter), unit) for letter in letters]
    found["spacing"] = [step * factor for step, factor in zip(steps, factors, strict=True)]
    found["origin"] = [shift * factor for shift, factor in zip(shifts, factors, strict=True)]
    found["unit"] = unit
    return found


def image_metadata(
    letters: str,
    unit: str,
    levels: Sequence[tuple[Sequence[float], Sequence[float]]],
    name: str,
    version: str,
) -> Metadata:
    """Describe an image for the attributes of its group.

    Parameters
    ----------
    letters : str
        Of the axes.
    unit : str
        Of the spatial ones, as images have it.
    levels : sequence of (scale, translation)
        One number per axis each, the finest level first; the arrays are named "0", "1", ...
    name : str
        Of the image.
    version : str
        ``"0.4"`` or ``"0.5"``.
    """
    axes = [{"name": letter, "type": KINDS[letter]} for letter in letters]
    for axis in axes:
        if axis["type"] == "space" and unit in UNITS:
            axis["unit"] = UNITS[unit]
    datasets = [
        {"path": str(n), "coordinateTransformations": _transformations(scale, translation)}
        for n, (scale, translation) in enumerate(levels)
    ]
    return versioned({"multiscales": [{"name": name, "axes": axes, "datasets": datasets}]}, version)


def level_grids(
    like: Image | StoredImage, steps: list[tuple[int, ...]]
) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Scale and translation of each level: a coarse pixel's center lies amid the pixels that it covers."""
    n_axes = len(steps[0])
    spacing = np.asarray(like.spacing or (1.0,) * n_axes)
    origin = np.asarray(like.origin if len(like.origin) == n_axes else (0.0,) * n_axes)
    return [
        ((1.0, *(spacing * step)), (0.0, *(origin + spacing * (np.asarray(step) - 1) / 2))) for step in steps
    ]


def labels_metadata(attributes: Mapping[str, Any], name: str, names: Mapping[int, str]) -> Metadata:
    """Describe labels of an image: its axes and levels without the channels.

    Parameters
    ----------
    attributes : mapping
        Those of the image's group.
    name : str
        Of the labels.
    names : mapping
        What values stand for.

    Raises
    ------
    KeyError
        If they describe no image.
    """
    image = multiscale_of(attributes) or {}
    ndim = len(image["axes"])
    letters = axis_letters(image, ndim)
    kept = [n for n, letter in enumerate(letters) if letter != "c"]
    axes = [image["axes"][n] for n in kept]
    multiscale: Metadata = {
        "name": name,
        "axes": [axis if isinstance(axis, Mapping) else {"name": axis, "type": KINDS[axis]} for axis in axes],
        "datasets": [
            {"path": str(level), "coordinateTransformations": _chosen(dataset, kept, ndim)}
            for level, dataset in enumerate(image["datasets"])
        ],
    }
    if image.get("coordinateTransformations"):
        multiscale["coordinateTransformations"] = _chosen(image, kept, ndim)
    label: Metadata = {"source": {"image": "../../"}}
    if names:
        label["properties"] = [{"label-value": value, "class": text} for value, text in names.items()]
    found = versioned({"multiscales": [multiscale], "image-label": label}, version_of(attributes))
    return {**found, **({OWN: attributes[OWN]} if OWN in attributes else {})}


def versioned(metadata: Metadata, version: str) -> Metadata:
    """Put metadata where their version has them: 0.4 at the top, each part numbered; 0.5 under `ome`."""
    if version != "0.4":
        return {"ome": {"version": version, **metadata}}
    for multiscale in metadata.get("multiscales", ()):
        multiscale["version"] = version
    if "image-label" in metadata:
        metadata["image-label"]["version"] = version
    return metadata


def _transformed(multiscale: Metadata, level: int, ndim: int) -> tuple[list[float], list[float]]:
    """Scale and translation of a level: its own, then those of all levels."""
    steps, shifts = [1.0] * ndim, [0.0] * ndim
    for holder in (multiscale["datasets"][level], multiscale):
        for one in holder.get("coordinateTransformations") or ():
            if "scale" in one:
                steps = [a * float(b) for a, b in zip(steps, one["scale"], strict=True)]
                shifts = [a * float(b) for a, b in zip(shifts, one["scale"], strict=True)]
            if "translation" in one:
                shifts = [a + float(b) for a, b in zip(shifts, one["translation"], strict=True)]
    return steps, shifts


def _transformations(scale: Sequence[float], translation: Sequence[float]) -> list[Metadata]:
    steps: list[Metadata] = [{"type": "scale", "scale": [float(step) for step in scale]}]
    if any(translation):
        steps.append({"type": "translation", "translation": [float(shift) for shift in translation]})
    return steps


def _chosen(holder: Metadata, kept: list[int], ndim: int) -> list[Metadata]:
    """Take the transformations of some axes."""
    given = holder.get("coordinateTransformations") or [{"type": "scale", "scale": [1.0] * ndim}]
    return [
        {
            key: [value[n] for n in kept] if key in ("scale", "translation") else value
            for key, value in one.items()
        }
        for one in given
    ]


def _axes(multiscale: Metadata, ndim: int) -> list[Any]:
    return list(multiscale.get("axes") or "tczyx"[-ndim:])


def _factor(length: tuple[str, float] | None, unit: str) -> float:
    """How many of `unit` one of the given unit of length is."""
    if length is None or unit == "px":
        return 1.0
    return length[1] * {("mm", "um"): 1e3, ("um", "mm"): 1e-3}.get((length[0], unit), 1.0)
