"""NRRD and MetaImage volumes, by SimpleITK; segmentations of 3D Slicer in layers become one label map."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError, SegletError
from seglet.core.image import Image, StoredImage
from seglet.io.axes import Box, length_unit
from seglet.io.packages import need
from seglet.io.pixels import unreadable

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

Segment = tuple[int, int]  # the layer that a segment is in, and its value there


def open_image(path: Path, part: str, where: str) -> StoredImage:
    """Open an image or volume.

    Vectors and a fourth axis are channels. Segments that 3D Slicer keeps in several layers, because they
    overlap, become one label map: the n-th segment has the value n, and where two overlap the later stands.

    Parameters
    ----------
    path : Path
        The file; of a header in a file of its own the data must stand beside it.
    part : str
        Not used.
    where : str
        Its name, for messages.

    Raises
    ------
    FormatError
        If the file is truncated or damaged, or its values are no real numbers.
    GeometryError
        If it has other than two to four axes, or vectors along a fourth.
    MissingExtra
        If SimpleITK is not installed.
    """
    itk = _simpleitk()
    with _reading(where):
        header = itk.ImageFileReader()
        header.SetFileName(str(path))
        header.ReadImageInformation()
    lengths, n_vector = tuple(header.GetSize()), int(header.GetNumberOfComponents())
    if not 2 <= len(lengths) <= 4 or (len(lengths) == 4 and n_vector > 1):
        found = f"{len(lengths)} axes and {n_vector} numbers per voxel"
        remedy = "Save every time point as a file of its own."
        raise GeometryError(where, found=found, expected="an image or volume", remedy=remedy)
    n_space = min(len(lengths), 3)
    segments = _segments(header) if n_vector > 1 else []
    dtype = _dtype(itk, header, where)

    def read(box: Box) -> NDArray[np.generic]:
        start = [part.start for part in reversed(box)] + [0] * (len(lengths) - n_space)
        size = [part.stop - part.start for part in reversed(box)] + list(lengths[n_space:])
        reader = itk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.SetExtractIndex(start)
        reader.SetExtractSize(size)
        with _reading(where):
            values = itk.GetArrayFromImage(reader.Execute())
        pixels = np.moveaxis(values, -1, 0) if n_vector > 1 else values.reshape(-1, *values.shape[-n_space:])
        return _merged(pixels, segments) if segments else pixels

    n_channels = 1 if segments else n_vector * int(np.prod(lengths[n_space:], dtype=int))
    extent = (n_channels, *reversed(lengths[:n_space]))
    is_random = path.suffix.lower() in (".mha", ".mhd") and not _is_compressed(path)
    return StoredImage(extent, _merged_dtype(dtype, segments), read, is_random, *_grid(path, header, n_space))


def write(path: Path, image: Image) -> None:
    """Write an image or volume, compressed; channels become vectors.

    Parameters
    ----------
    path : Path
        Ends in ``.nrrd`` or ``.mha``.
    image : Image
        Whole numbers or float32 or float64.

    Raises
    ------
    FormatError
        If the suffix is that of a header without data.
    """
    if path.suffix.lower() not in (".nrrd", ".mha"):
        raise FormatError(
            path,
            found=f"suffix {path.suffix!r}",
            expected="one file for header and data",
            remedy="Write .nrrd or .mha.",
        )
    itk = _simpleitk()
    is_vector = image.n_channels > 1
    values = np.moveaxis(image.pixels, 0, -1) if is_vector else image.pixels[0]
    volume = itk.GetImageFromArray(np.ascontiguousarray(values), isVector=is_vector)
    n_space = len(image.shape)
    if len(image.spacing) == n_space:
        volume.SetSpacing(image.spacing[::-1])
    if len(image.origin) == n_space:
        volume.SetOrigin(image.origin[::-1])
    if len(image.direction) == n_space**2:
        volume.SetDirection(image.direction[::-1])  # both axes of the matrix turn around
    itk.WriteImage(volume, str(path), useCompression=True)


def _simpleitk() -> Any:
    return need("SimpleITK", "medical", "NRRD and MetaImage files")


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except SegletError:
        raise
    except Exception as error:  # SimpleITK raises RuntimeError, with its whole call stack as text
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise unreadable(
            where, f"damaged or truncated data ({reason})", "a whole NRRD or MetaImage"
        ) from error


def _dtype(itk: Any, header: Any, where: str) -> np.dtype[np.generic]:
    kind = header.GetPixelID()
    name = str(itk.GetPixelIDValueAsString(kind))
    if "complex" in name or "label" in name or kind < 0:
        raise unreadable(where, f"values of type {name}", "whole or real numbers")
    one = itk.Image([1, 1], kind, header.GetNumberOfComponents() if "vector" in name else 0)
    dtype: np.dtype[np.generic] = itk.GetArrayViewFromImage(one).dtype
    return dtype


def _grid(
    path: Path, header: Any, n: int
) -> tuple[tuple[float, ...], str, tuple[float, ...], tuple[float, ...]]:
    """Give spacing, unit, origin and direction as images have them; a fourth axis has none."""
    unit, factor = ("mm", 1.0)
    if path.suffix.lower() in (".nrrd", ".nhdr"):
        fields = _nrrd_fields(path)
        if not {"space directions", "spacings"} & set(fields):
            return (), "px", (), ()
        unit, factor = _nrrd_unit(fields)
    n_axes = len(header.GetSize())
    matrix = np.reshape(header.GetDirection(), (n_axes, n_axes))[:n, :n]
    spacing = tuple(factor * step for step in reversed(header.GetSpacing()[:n]))
    origin = tuple(factor * step for step in reversed(header.GetOrigin()[:n]))
    return spacing, unit, origin, tuple(float(entry) for entry in matrix.ravel()[::-1])


def _nrrd_fields(path: Path) -> dict[str, str]:
    """Read the fields of an NRRD header, of which SimpleITK does not tell all."""
    fields = {}
    with path.open("rb") as stream:
        while line := stream.readline(1 << 16).strip():
            name, _, value = line.decode("utf-8", "replace").partition(": ")
            fields[name.lower()] = value
    return fields


def _nrrd_unit(fields: dict[str, str]) -> tuple[str, float]:
    """Translate the unit of the axes; anatomical spaces are in millimeters unless said otherwise."""
    names = sorted({name for name in fields.get("space units", "").split('"') if name.strip()})
    unit, factor = length_unit(names)
    return (unit, factor) if unit != "px" else ("mm", 1.0)


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as stream:
        return b"CompressedData = True" in stream.read(4096)


def _segments(header: Any) -> list[Segment]:
    """List the layer and value of each segment of a segmentation made with 3D Slicer."""
    keys = set(header.GetMetaDataKeys())
    found: list[Segment] = []
    while f"Segment{len(found)}_LabelValue" in keys and f"Segment{len(found)}_Layer" in keys:
        start = f"Segment{len(found)}_"
        found.append(
            (int(header.GetMetaData(f"{start}Layer")), int(header.GetMetaData(f"{start}LabelValue")))
        )
    return found


def _merged_dtype(dtype: np.dtype[np.generic], segments: list[Segment]) -> np.dtype[np.generic]:
    return np.dtype(np.min_scalar_type(len(segments))) if segments else dtype


def _merged(layers: NDArray[np.generic], segments: list[Segment]) -> NDArray[np.generic]:
    labels = np.zeros((1, *layers.shape[1:]), np.min_scalar_type(len(segments)))
    for number, (layer, value) in enumerate(segments, start=1):
        labels[0][layers[layer] == value] = number
    return labels
