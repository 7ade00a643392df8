"""Outlines of objects as polygons, for QuPath (GeoJSON), COCO and ImageJ."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import roifile
from numpy.typing import NDArray
from skimage.measure import label

from seglet.core.errors import GeometryError
from seglet.core.storage import whole_file
from seglet.data.run_lengths import Runs, runs_of

Ring = NDArray[np.int64]
Polygon = tuple[Ring, ...]

_AHEAD = ((0, 1), (1, 0), (0, -1), (-1, 0))  # (y, x) steps along the top, right, bottom and left of a pixel
_OUTWARD = ((-1, 0), (0, 1), (1, 0), (0, -1))
_MOVE, _LINE, _CLOSE = 0, 1, 4  # of ImageJ's paths


@dataclass(frozen=True, eq=False)
class Outline:
    """The exact outline of one object, along the edges of its pixels.

    Attributes
    ----------
    number : int
        Of the object.
    polygons : tuple of tuple of (n, 2) int64 array
        One polygon for each piece connected by sides. A polygon is its border and then its holes: corners
        (x, y), the first not repeated, in pixels from the image's upper left corner; turning from x to y
        around a piece, the other way around a hole. Rings never cross and visit no corner twice.
    """

    number: int
    polygons: tuple[Polygon, ...]


def trace_outlines(objects: NDArray[np.integer]) -> list[Outline]:
    """Follow the edges of all objects.

    Parameters
    ----------
    objects : (y, x) integer array
        Object number per pixel; 0 is the background.

    Returns
    -------
    list of Outline
        In the order of the numbers; empty where there is no object.

    Raises
    ------
    GeometryError
        If `objects` is not flat.
    """
    if objects.ndim != 2:
        raise GeometryError(
            "outlines",
            found=f"objects of shape {objects.shape}",
            expected="(y, x)",
            remedy="Write outlines of flat images; of volumes make a mesh.",
        )
    pieces = label(objects, background=0, connectivity=1)
    borders: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    for piece, ring in _rings(pieces):
        if _signed_area(ring) > 0:
            borders[piece] = ring
        else:
            holes.setdefault(piece, []).append(ring)
    polygons: dict[int, list[Polygon]] = {}
    firsts = dict(zip(*np.unique(pieces, return_index=True), strict=True))
    for piece, border in borders.items():
        number = int(objects.flat[firsts[piece]])
        polygons.setdefault(number, []).append((border, *holes.get(piece, ())))
    return [Outline(number, tuple(polygons[number])) for number in sorted(polygons)]


def _rings(pieces: NDArray[np.integer]) -> Iterator[tuple[int, Ring]]:
    """Closed rings of corners (x, y) and the piece to which each belongs.

    Every pixel has four edges, walked from x to y around it; those on the border of a piece are linked to
    the next one, which at a corner where two pixels of the piece touch is of the same pixel.
    """
    framed = np.pad(pieces, 1)
    flat, width = framed.ravel(), framed.shape[1]
    inside = np.flatnonzero(flat)
    edges, following = [], []
    for side in range(4):
        ahead, outward = (dy * width + dx for dy, dx in (_AHEAD[side], _OUTWARD[side]))
        pixels = inside[flat[inside] != flat[inside + outward]]
        goes_on = flat[pixels + ahead] == flat[pixels]
        turns_out = goes_on & (flat[pixels + ahead + outward] == flat[pixels])
        straight = 4 * (pixels + ahead) + side
        turned_out = 4 * (pixels + ahead + outward) + (side - 1) % 4
        turned_in = 4 * pixels + (side + 1) % 4
        edges.append(4 * pixels + side)
        following.append(np.where(turns_out, turned_out, np.where(goes_on, straight, turned_in)))
    known = np.concatenate(edges)
    order = np.argsort(known)
    known = known[order]
    after: list[int] = np.searchsorted(known, np.concatenate(following)[order]).tolist()
    for ring in _cycles(after):
        at = known[ring]
        sides = at % 4
        at, sides = (values[sides != np.roll(sides, 1)] for values in (at, sides))  # of corners alone
        y, x = np.divmod(at // 4, width)
        corners = np.column_stack([x - 1 + np.isin(sides, (1, 2)), y - 1 + (sides >= 2)])
        piece = int(flat[at[0] // 4])
        yield from ((piece, simple) for simple in _without_touching(corners))


def _cycles(after: list[int]) -> Iterator[list[int]]:
    """The cycles of a permutation."""
    seen = bytearray(len(after))
    for start in range(len(after)):
        if seen[start]:
            continue
        cycle, here = [], start
        while not seen[here]:
            seen[here] = 1
            cycle.append(here)
            here = after[here]
        yield cycle


def _without_touching(corners: Ring) -> Iterator[Ring]:
    """Cut a ring that comes to a corner twice into rings that do not: a border and holes that touch it."""
    if len(np.unique(corners, axis=0)) == len(corners):
        yield corners
        return
    path: list[tuple[int, int]] = []
    places: dict[tuple[int, int], int] = {}
    for x, y in corners.tolist():
        if (x, y) in places:
            at = places[x, y]
            yield np.array(path[at:])
            for passed in path[at:]:
                del places[passed]
            del path[at:]
        places[x, y] = len(path)
        path.append((x, y))
    yield np.array(path)


def _signed_area(ring: Ring) -> float:
    """Area inside of a ring, negative of a hole (shoelace formula)."""
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def to_geojson(outlines: Sequence[Outline], measured: Mapping[int, Mapping[str, Any]], name: str) -> str:
    """Write outlines as GeoJSON, one feature per object; QuPath takes them for detections.

    Parameters
    ----------
    outlines : sequence of Outline
        Of one image.
    measured : mapping
        What else is known of each object, by its number; ``class`` becomes QuPath's classification, figures
        its measurements. Figures that are nan are left out.
    name : str
        Of the image; the identity of the features is made from it.

    Returns
    -------
    str
        A FeatureCollection (RFC 7946, but in pixels from the upper left corner).
    """
    features = []
    for outline in outlines:
        known = measured.get(outline.number, {})
        figures = {key: value for key, value in known.items() if key != "class" and isfinite(value)}
        kind = {"classification": {"name": known["class"]}} if "class" in known else {}
        rings = [[[*ring.tolist(), ring[0].tolist()] for ring in polygon] for polygon in outline.polygons]
        is_single = len(rings) == 1
        features.append(
            {
                "type": "Feature",
                "id": str(uuid5(NAMESPACE_URL, f"seglet:{name}:{outline.number}")),
                "geometry": {
                    "type": "Polygon" if is_single else "MultiPolygon",
                    "coordinates": rings[0] if is_single else rings,
                },
                "properties": {
                    "objectType": "detection",
                    "name": str(outline.number),
                    **kind,
                    "measurements": figures,
                },
            }
        )
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def annotate_coco(
    outlines: Sequence[Outline], objects: NDArray[np.integer], categories: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Describe the objects of an image as COCO annotations that yet lack ``id`` and ``image_id``.

    Parameters
    ----------
    outlines : sequence of Outline
        From `trace_outlines`.
    objects : (y, x) integer array
        What was outlined.
    categories : mapping
        Category of each object where it is not 1.

    Returns
    -------
    list of dict
        ``category_id``, ``area`` (pixels), ``bbox`` (x, y, width, height), ``iscrowd`` 0 and
        ``segmentation``: a polygon per piece; of objects with holes, which COCO's polygons cannot have,
        uncompressed run lengths.
    """
    annotations = []
    for outline, runs in zip(outlines, runs_of(objects), strict=True):
        corners = np.concatenate([polygon[0] for polygon in outline.polygons])
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        has_holes = any(len(polygon) > 1 for polygon in outline.polygons)
        annotations.append(
            {
                "category_id": categories.get(outline.number, 1),
                "area": int(runs[:, 1].sum()),
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": 0,
                "segmentation": _counts(runs, objects.shape)
                if has_holes
                else [polygon[0].ravel().tolist() for polygon in outline.polygons],
            }
        )
    return annotations


def to_coco(
    images: Sequence[tuple[str, tuple[int, ...], list[dict[str, Any]]]], categories: Sequence[str]
) -> str:
    """Write a COCO document: name, shape (y, x) and annotations of each image; names of the categories."""
    numbered = enumerate(((k, one) for k, (_, _, found) in enumerate(images, 1) for one in found), 1)
    return (
        json.dumps(
            {
                "images": [
                    {"id": k, "file_name": name, "height": shape[0], "width": shape[1]}
                    for k, (name, shape, _) in enumerate(images, 1)
                ],
                "annotations": [{"id": number, "image_id": k, **one} for number, (k, one) in numbered],
                "categories": [{"id": k, "name": name} for k, name in enumerate(categories, 1)],
            }
        )
        + "\n"
    )


def write_imagej(path: Path, outlines: Sequence[Outline]) -> None:
    """Write outlines as a zip archive of ImageJ's regions, named by the numbers of the objects.

    An object of one piece without holes is a traced polygon, others are composite regions.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    with whole_file(path) as aside:
        roifile.roiwrite(aside, [_region(outline) for outline in outlines], mode="w")


def _region(outline: Outline) -> Any:
    rings = [ring for polygon in outline.polygons for ring in polygon]
    name = f"{outline.number:04}"
    if len(rings) == 1:
        traced = roifile.ImagejRoi.frompoints(rings[0], name=name)
        traced.roitype = roifile.ROI_TYPE.TRACED
        return traced
    composite = roifile.ImagejRoi()
    composite.name, composite.roitype = name, roifile.ROI_TYPE.RECT
    corners = np.concatenate(rings)
    composite.left, composite.top = corners.min(axis=0).tolist()
    composite.right, composite.bottom = corners.max(axis=0).tolist()
    path: list[int] = []
    for ring in rings:
        for k, (x, y) in enumerate(ring.tolist()):
            path += (_LINE if k else _MOVE, x, y)
        path.append(_CLOSE)
    composite.multi_coordinates = np.array(path, np.float32)
    composite.shape_roi_size = len(path)
    return composite


def _counts(runs: Runs, shape: tuple[int, ...]) -> dict[str, Any]:
    """COCO's lengths of runs off and on in turn, column by column of the whole image."""
    starts = runs[:, 0] - 1
    edges = np.append(np.column_stack([starts, starts + runs[:, 1]]).ravel(), shape[0] * shape[1])
    return {"counts": np.diff(edges, prepend=0).tolist(), "size": list(shape)}
