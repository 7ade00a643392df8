"""DICOM: series of slices in a folder, single images, files of many frames."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.image import StoredImage
from seglet.io import dicom_seg
from seglet.io.dicom_headers import SUFFIXES, Frame, Header, is_dicom
from seglet.io.dicom_pixels import n_channels, read_plane, value_type
from seglet.io.dicom_series import Series, choose, series_in
from seglet.io.dicom_stack import Grid, grid, in_order, uneven

__all__ = ["SUFFIXES", "Series", "gaps", "is_dicom", "open_image", "series_in"]


def open_image(path: Path, part: str, where: str) -> StoredImage:
    """Open a series or a file without reading its pixels.

    Parameters
    ----------
    path : Path
        A folder, or a file that is the whole image.
    part : str
        SeriesInstanceUID of one of the folder's series; empty where it has only one.
    where : str
        What error messages call it.

    Returns
    -------
    StoredImage
        One frame is (c, y, x), more are (c, z, y, x) in the order of their positions, mm. Values are the
        quantity measured: HU in CT (int16), whole numbers where slope and intercept are whole, else
        float32; bright is always high (MONOCHROME1 is turned around); colors are RGB. A DICOM-SEG is what
        `dicom_seg.open_image` says. Geometry is empty where frames have no position.

    Raises
    ------
    FormatError
        If a file is damaged, the series is not the only one, or two slices are at the same place. Damaged
        pixels show on reading.
    GeometryError
        If slices differ in size or direction, or the distances between them by more than 10 %: a missing
        slice would shift all others against the truth; `gaps` lists every place.
    """
    headers = choose(path, part, where)
    if headers[0].is_segmentation:
        return dicom_seg.open_image(path, part, where)
    frames = in_order(headers, where)
    if places := uneven(frames):
        raise GeometryError(
            where,
            found="; ".join(places[:3]) + ("; …" if len(places) > 3 else ""),
            expected="slices at equal distances",
            remedy="Export the missing slices, or resample the series (dcm2niix and 3D Slicer can).",
        )
    return _stored(headers, frames, grid(frames))


def gaps(path: Path, part: str) -> list[str]:
    """List where slices of a series are missing or unevenly spaced, one sentence each; empty for none."""
    return uneven(in_order(choose(path, part, str(path)), str(path)))


def _stored(headers: Sequence[Header], frames: Sequence[Frame], geometry: Grid) -> StoredImage:
    depth = (len(frames),) if len(frames) > 1 else ()
    dtype = value_type(headers)
    return StoredImage(
        extent=(n_channels(headers[0]), *depth, *headers[0].size),
        dtype=dtype,
        read=_reader({header.path: header for header in headers}, frames, dtype),
        is_random=len(frames) > 1,
        spacing=geometry.spacing,
        unit="mm" if geometry.spacing else "px",
        origin=geometry.origin,
        direction=geometry.direction,
    )


def _reader(
    headers: Mapping[Path, Header], frames: Sequence[Frame], dtype: np.dtype[np.generic]
) -> Callable[[tuple[slice, ...]], NDArray[np.generic]]:
    def read(box: tuple[slice, ...]) -> NDArray[np.generic]:
        *depth, rows, columns = box
        wanted = frames[depth[0]] if depth else frames
        planes = [read_plane(headers[f.path], f, dtype)[:, rows, columns] for f in wanted]
        return np.stack(planes, axis=1) if depth else planes[0]

    return read
