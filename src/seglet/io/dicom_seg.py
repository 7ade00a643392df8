"""DICOM-SEG: segments as one label map, placed on the grid of the images that they belong to."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.image import Image, StoredImage
from seglet.io.dicom_headers import Frame, Header, damage, pydicom, unfit
from seglet.io.dicom_pixels import read_frame, read_packed
from seglet.io.dicom_series import choose
from seglet.io.dicom_stack import EVEN, Grid, height, normal, stack_grid

ALIGNED = 0.1  # pixels by which positions may be off; headers round them

Planes = Mapping[int, Sequence[Frame]]  # frames of each plane, in order of their segments' numbers


def open_image(path: Path, part: str, where: str) -> StoredImage:
    """Open a DICOM-SEG as a label map without reading its pixels.

    Parameters
    ----------
    path, part, where
        As for `seglet.io.dicom.open_image`.

    Returns
    -------
    StoredImage
        (1, z, y, x) numbers of segments, 0 where there is none, on the grid that the frames make: planes
        without a frame between them are empty, those beyond the first and last are not there (`place` adds
        them). Where segments overlap, the one with the highest number has the pixel. Fractional segments
        are cut at half. Without positions (radiographs) it is (1, y, x).

    Raises
    ------
    FormatError
        If the file is damaged, or holds one segment twice at a place.
    GeometryError
        If its planes are at no regular distances.
    """
    headers = choose(path, part, where)
    if len(headers) > 1 or not headers[0].is_segmentation:
        found, remedy = f"{len(headers)} files", "Give the DICOM-SEG file itself."
        raise FormatError(where, found=found, expected="one DICOM-SEG file", remedy=remedy)
    header = headers[0]
    planes, geometry = _planes(header, where)
    depth = (max(planes) + 1,) if geometry.origin else ()
    decode = _decoder(header.path)
    return StoredImage(
        extent=(1, *depth, *header.size),
        dtype=decode.dtype,
        read=_reader(planes, header, decode, bool(depth)),
        is_random=bool(depth),
        spacing=geometry.spacing,
        unit="mm" if geometry.spacing else "px",
        origin=geometry.origin,
        direction=geometry.direction,
    )


def segment_names(path: Path) -> dict[int, str]:
    """Read the label of each segment by its number.

    Raises
    ------
    FormatError
        If the file is damaged or no DICOM-SEG.
    """
    with _speaking_of(path):
        segments = _dataset(path).get("SegmentSequence") or ()
        names = {int(s.get("SegmentNumber", 0)): str(s.get("SegmentLabel", "")) for s in segments}
    if not names:
        raise unfit(path, "no segments")
    return names


def place(segmentation: Image, like: StoredImage) -> NDArray[np.generic]:
    """Put a label map onto the grid of its image, plane by plane, without resampling.

    Parameters
    ----------
    segmentation : Image
        (1, [z,] y, x) label map in any of the 48 orientations that share the image's axes.
    like : StoredImage
        The image.

    Returns
    -------
    ([z,] y, x) array
        Of the image's shape; 0 where the label map does not reach.

    Raises
    ------
    GeometryError
        If labelled pixels fall between or beside the image's, or the shapes differ and a position is unknown.
    """
    labels = segmentation.pixels[0]
    if not (len(segmentation.origin) == len(like.origin) == 3):
        return _unplaced(labels, like)
    planes = np.flatnonzero(labels.any(axis=(1, 2)))
    labels = labels[planes]
    if not planes.size:
        return np.zeros(like.shape, labels.dtype)
    relative = np.linalg.inv(_affine(like)) @ _affine(segmentation)
    axes = np.abs(relative[:3, :3]).argmax(axis=0)  # the image's axis that each of the label map's follows
    places = [
        relative[axis, 3] + relative[axis, own] * (planes if own == 0 else np.arange(labels.shape[own]))
        for own, axis in enumerate(axes)
    ]
    _require_aligned(relative, axes, places, labels.shape)
    whole = [np.round(place).astype(int) for place in places]
    inside = [(w >= 0) & (w < like.shape[axis]) for w, axis in zip(whole, axes, strict=True)]
    kept = labels[np.ix_(*inside)]
    if np.count_nonzero(kept) < np.count_nonzero(labels):
        raise _misplaced("labelled pixels outside of the image", "labels inside of it")
    placed = np.zeros(like.shape, labels.dtype)
    order = np.argsort(axes)
    target = [whole[own][inside[own]] for own in order]
    placed[np.ix_(*target)] = kept.transpose(order)
    return placed


def _planes(header: Header, where: str) -> tuple[Planes, Grid]:
    """Give each frame its plane, and the planes their grid."""
    frames = sorted(header.frames, key=lambda frame: frame.segment)
    first = frames[0]
    if not all(frame.position and frame.orientation for frame in frames):
        _require_once({0: frames}, where)
        return {0: frames}, Grid(spacing=first.spacing)
    heights = np.array([height(frame) for frame in frames])
    step = _step(np.unique(np.round(heights, 3)), first.between, where)
    lowest = frames[int(heights.argmin())]
    planes: dict[int, list[Frame]] = defaultdict(list)
    for frame, at in zip(frames, heights, strict=True):
        planes[round((at - heights.min()) / step)].append(frame)
    _require_once(planes, where)
    return planes, stack_grid(lowest, normal(lowest) * step)


def _step(heights: NDArray[np.float64], between: float, where: str) -> float:
    """Find the distance of planes such that all frames are at whole multiples of it."""
    if len(heights) == 1:
        return between or 1.0
    for step in (between, float(np.diff(heights).min())):
        if step and np.ptp(heights) / step < 1e5:
            places = (heights - heights[0]) / step
            if np.abs(places - np.round(places)).max() < EVEN and len(set(np.round(places))) == len(heights):
                return step
    raise GeometryError(
        where,
        found="frames at irregular distances",
        expected="planes at whole multiples of one distance",
        remedy="Export the segmentation on the slices of an evenly spaced series.",
    )


def _require_once(planes: Planes, where: str) -> None:
    for frames in planes.values():
        numbers = [frame.segment for frame in frames]
        if len(set(numbers)) < len(numbers):
            remedy = "Segments of slides and time series cannot be read; export a label map."
            found = "a segment with several frames at one place"
            raise FormatError(where, found=found, expected="one frame per place", remedy=remedy)


@dataclass(frozen=True)
class _Decoder:
    """Turns a frame as stored into numbers of segments."""

    is_label_map: bool
    half: float
    padding: int
    dtype: np.dtype[np.integer]
    packed_size: tuple[int, int] | None

    def __call__(self, frame: Frame) -> NDArray[np.integer]:
        size = self.packed_size
        stored = cast(NDArray[np.integer], read_packed(frame, size) if size else read_frame(frame))
        if self.is_label_map:
            return np.where(stored == self.padding, 0, stored).astype(self.dtype)
        return np.where(stored >= self.half, frame.segment, 0).astype(self.dtype)


def _decoder(path: Path) -> _Decoder:
    with _speaking_of(path):
        ds = _dataset(path)
        kind = str(ds.get("SegmentationType", "BINARY"))
        half = float(ds.get("MaximumFractionalValue") or 1) / 2 if kind == "FRACTIONAL" else 1.0
        padding = int(ds.get("PixelPaddingValue") or 0)
        is_packed = ds.get("BitsAllocated") == 1 and not ds.file_meta.TransferSyntaxUID.is_compressed
        size = (int(ds.Rows), int(ds.Columns)) if is_packed else None
    dtype: np.dtype[np.integer] = np.dtype(np.uint8 if max(segment_names(path)) <= 255 else np.uint16)
    return _Decoder(kind == "LABELMAP", half, padding, dtype, size)


def _dataset(path: Path) -> Any:
    tags = ["SegmentationType", "SegmentSequence", "MaximumFractionalValue", "PixelPaddingValue"]
    shape = ["BitsAllocated", "Rows", "Columns"]
    return pydicom().dcmread(path, stop_before_pixels=True, specific_tags=tags + shape)


@contextmanager
def _speaking_of(path: Path) -> Iterator[None]:
    """Turn what pydicom raises on a damaged file, some of it only on the first look at a value."""
    try:
        yield
    except damage() as error:
        raise unfit(path, f"no readable DICOM-SEG ({error})") from error


def _reader(
    planes: Planes, header: Header, decode: _Decoder, is_volume: bool
) -> Callable[[tuple[slice, ...]], NDArray[np.generic]]:
    def plane(number: int, rows: slice, columns: slice) -> NDArray[np.generic]:
        labels: NDArray[np.integer] = np.zeros(header.size, decode.dtype)[rows, columns]
        for frame in planes.get(number, ()):
            segment = decode(frame)[rows, columns]
            labels = np.where(segment > 0, segment, labels)
        return labels

    def read(box: tuple[slice, ...]) -> NDArray[np.generic]:
        *depth, rows, columns = box
        if not is_volume:
            return plane(0, rows, columns)[None]
        numbers = range(max(planes) + 1)[depth[0]]
        return np.stack([plane(number, rows, columns) for number in numbers])[None]

    return read


def _affine(grid: Image | StoredImage) -> NDArray[np.float64]:
    """Build the map from pixel numbers (z, y, x, 1) to the world (z, y, x, 1)."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(grid.direction, (3, 3)) * grid.spacing
    affine[:3, 3] = grid.origin
    return affine


def _require_aligned(
    relative: NDArray[np.float64],
    axes: NDArray[np.intp],
    places: Sequence[NDArray[np.float64]],
    shape: tuple[int, ...],
) -> None:
    steps = np.abs(relative[axes, range(3)])
    aside = relative[:3, :3].copy()
    aside[axes, range(3)] = 0
    if len(set(axes)) < 3 or (np.abs(aside).sum(axis=0) * [np.ptp(places[0]), *shape[1:]] > ALIGNED).any():
        raise _misplaced("a label map turned against its image", "parallel axes")
    if (np.abs(steps[1:] - 1) * shape[1:] > ALIGNED).any():
        sizes = f"{steps[1]:.3g} x {steps[2]:.3g}"
        raise _misplaced(f"labels whose pixels are {sizes} of the image's", "pixels of equal size")
    if any(np.abs(place - np.round(place)).max(initial=0) > ALIGNED for place in places):
        raise _misplaced("labels that fall between the pixels or slices of the image", "whole pixels")


def _unplaced(labels: NDArray[np.generic], like: StoredImage) -> NDArray[np.generic]:
    """Use labels as they are where the image is flat or has no position."""
    if labels.ndim > len(like.shape) and labels.shape[0] == 1:
        labels = labels[0]
    if labels.shape != like.shape:
        sizes = " x ".join(map(str, labels.shape))
        raise _misplaced(f"a label map of {sizes} without a position", f"the image's {like.shape}")
    return labels


def _misplaced(found: str, expected: str) -> GeometryError:
    remedy = "Check that the DICOM-SEG was drawn on this very series."
    return GeometryError("DICOM-SEG", found=found, expected=expected, remedy=remedy)
