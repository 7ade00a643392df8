"""Embedded data: whole datasets of synthetic pictures with exact truth, in any layout found in the wild."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy import ndimage

from seglet.core.errors import ConfigError
from seglet.core.storage import speaking_of
from seglet.data.synthetic_blobs import make_blobs
from seglet.data.synthetic_cells import make_cells
from seglet.data.synthetic_vessels import VesselPicture, make_vessels

__all__ = ["LAYOUTS", "VesselPicture", "make_blobs", "make_cells", "make_dataset", "make_vessels"]

CLASS_COLORS = ((0, 0, 0), (220, 60, 40), (60, 170, 90))  # background, inside, rim; in palettes and RGB masks
RIM = 2  # px; width of the rim class


@dataclass(frozen=True, eq=False)
class _Scene:
    """One picture on its way to disk: image, object numbers, and for the retina second observer and FOV."""

    number: int
    image: NDArray[np.generic]
    objects: NDArray[np.int32]
    second: NDArray[np.bool_] | None = None
    fov: NDArray[np.bool_] | None = None

    @property
    def truth(self) -> NDArray[np.bool_]:
        return self.objects > 0


Writer = Callable[[Path, Iterator[_Scene], int], Path]


def make_dataset(
    folder: Path,
    kind: str = "cells",
    layout: str = "pairs",
    n_images: int = 12,
    shape: tuple[int, int] = (256, 256),
    seed: int = 0,
) -> Path:
    """Write a whole dataset; the same arguments write the same bytes.

    Picture i of a seed is the same whatever the layout and however many there are.

    Parameters
    ----------
    folder : Path
        Where to write; made where it is missing, and added to where it is not.
    kind : str
        ``cells`` or ``vessels``.
    layout : str
        A key of ``LAYOUTS``. ``pairs``, ``suffix``, ``palette`` and ``rgb-colors`` hold both kinds,
        ``kaggle``, ``kaggle-zip`` and ``instances`` cells, ``drive`` and ``chasedb1`` vessels.
    n_images, shape, seed : int, (y, x), int
        How many pictures, the size of each, and the seed of all chance.

    Returns
    -------
    Path
        What to hand to seglet as data: `folder`, or the archive in it for ``kaggle-zip``.

    Raises
    ------
    ConfigError
        If kind or layout is unknown, or the layout cannot hold this kind.
    StorageError
        If the folder cannot be written.
    """
    if kind not in _PAINTERS:
        raise _unknown("kind", kind, tuple(_PAINTERS))
    fitting = tuple(name for name, (_, kinds) in LAYOUTS.items() if kind in kinds)
    if layout not in fitting:
        raise _unknown(f"layout for {kind}", layout, fitting)
    write, _ = LAYOUTS[layout]
    paint = _PAINTERS[kind]
    with speaking_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return write(
            folder, (paint(i, shape, np.random.default_rng([seed, i])) for i in range(n_images)), n_images
        )


def _unknown(setting: str, name: str, known: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        setting, found=repr(name), expected=f"one of {', '.join(known)}", remedy="Choose one of these."
    )


def _cell_scene(number: int, shape: tuple[int, int], rng: np.random.Generator) -> _Scene:
    image, objects = make_cells(shape, rng)
    return _Scene(number, image, objects)


def _vessel_scene(number: int, shape: tuple[int, int], rng: np.random.Generator) -> _Scene:
    drawn = make_vessels(shape, rng)
    return _Scene(number, drawn.image, drawn.truth.astype(np.int32), drawn.second, drawn.fov)


def _write_pairs(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write ``images/x.png`` and ``masks/x.png``, 0 and 255."""
    for scene in scenes:
        _save(folder / "images" / f"{scene.number:03}.png", scene.image)
        _save(folder / "masks" / f"{scene.number:03}.png", _gray(scene.truth))
    return folder


def _write_suffix(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write ``x.png`` and ``x_mask.png`` side by side."""
    for scene in scenes:
        _save(folder / f"{scene.number:03}.png", scene.image)
        _save(folder / f"{scene.number:03}_mask.png", _gray(scene.truth))
    return folder


def _write_kaggle(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write ``<id>/images/<id>.png`` as RGBA and one ``<id>/masks/*.png`` per cell, as DSB 2018."""
    for scene in scenes:
        for name, content in _kaggle_files(scene):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def _write_kaggle_zip(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write the Kaggle layout into ``stage1_train.zip``, as Kaggle ships it."""
    path = folder / "stage1_train.zip"
    with ZipFile(path, "w", ZIP_STORED) as archive:
        for scene in scenes:
            for name, content in _kaggle_files(scene):
                archive.writestr(ZipInfo(name, date_time=(2018, 1, 16, 0, 0, 0)), content)
    return path


def _kaggle_files(scene: _Scene) -> Iterator[tuple[str, bytes]]:
    identity = hashlib.sha256(f"cells {scene.number}".encode()).hexdigest()
    rgba = Picture.fromarray(scene.image).convert("RGBA")
    yield f"{identity}/images/{identity}.png", _png(rgba)
    for number in range(1, int(scene.objects.max()) + 1):
        name = hashlib.sha256(f"{identity} {number}".encode()).hexdigest()
        yield f"{identity}/masks/{name}.png", _png(Picture.fromarray(_gray(scene.objects == number)))


def _png(picture: Picture.Image) -> bytes:
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _write_instances(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write TIFF images with 16-bit TIFF masks that number the cells."""
    for scene in scenes:
        _save(folder / "images" / f"{scene.number:03}.tif", scene.image)
        _save(folder / "masks" / f"{scene.number:03}.tif", scene.objects.astype(np.uint16))
    return folder


def _write_drive(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write TIFF images and GIF masks in ``training`` (ids from 21) and ``test`` (from 01), half each.

    As in DRIVE, only the test half has a second observer.
    """
    for scene in scenes:
        is_test = scene.number < n_images // 2
        part, split = (folder / "test", "test") if is_test else (folder / "training", "training")
        number = scene.number + 1 if is_test else scene.number - n_images // 2 + 21
        _save(part / "images" / f"{number:02}_{split}.tif", scene.image)
        _save(part / "1st_manual" / f"{number:02}_manual1.gif", _gray(scene.truth))
        _save(part / "mask" / f"{number:02}_{split}_mask.gif", _gray(_present(scene.fov)))
        if is_test:
            _save(part / "2nd_manual" / f"{number:02}_manual2.gif", _gray(_present(scene.second)))
    return folder


def _write_chasedb1(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write JPEG images and 1-bit PNG masks of both observers, left and right eye in turn."""
    for scene in scenes:
        eye = f"{scene.number // 2 + 1:02}{'LR'[scene.number % 2]}"
        _save(folder / "images" / f"Image_{eye}.jpg", scene.image)
        _save(folder / "labels1" / f"Image_{eye}_1stHO.png", scene.truth)
        _save(folder / "labels2" / f"Image_{eye}_2ndHO.png", _present(scene.second))
        _save(folder / "masks" / f"mask_{eye}.png", _present(scene.fov))
    return folder


def _write_palette(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write masks as palette PNG: index 0, 1 inside, 2 rim of cells; the colors shown are no grays."""
    for scene in scenes:
        _save(folder / "images" / f"{scene.number:03}.png", scene.image)
        mask = Picture.fromarray(_classes(scene))
        mask.putpalette([level for color in CLASS_COLORS for level in color])
        path = folder / "masks" / f"{scene.number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask.save(path)
    return folder


def _write_colors(folder: Path, scenes: Iterator[_Scene], n_images: int) -> Path:
    """Write masks as RGB PNG, one color per class."""
    for scene in scenes:
        _save(folder / "images" / f"{scene.number:03}.png", scene.image)
        _save(folder / "masks" / f"{scene.number:03}.png", np.array(CLASS_COLORS, np.uint8)[_classes(scene)])
    return folder


def _classes(scene: _Scene) -> NDArray[np.uint8]:
    """Background 0, inside 1, and for cells their rim 2; vessels are too thin to have one."""
    if scene.fov is not None:
        return scene.truth.astype(np.uint8)
    reach = 2 * RIM + 1
    is_rim = ndimage.minimum_filter(scene.objects, reach) != ndimage.maximum_filter(scene.objects, reach)
    return np.where(is_rim, 2, 1).astype(np.uint8) * scene.truth


def _present(mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if mask is None:
        raise ValueError("a retina layout was given a picture without field of view or second observer")
    return mask


def _gray(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(mask, 255, 0).astype(np.uint8)


def _save(path: Path, pixels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, compression="lzw", metadata=None)
    elif path.suffix == ".jpg":
        Picture.fromarray(pixels).save(path, quality=95)
    else:
        Picture.fromarray(pixels).save(path)


_PAINTERS: dict[str, Callable[[int, tuple[int, int], np.random.Generator], _Scene]] = {
    "cells": _cell_scene,
    "vessels": _vessel_scene,
}
LAYOUTS: dict[str, tuple[Writer, tuple[str, ...]]] = {
    "pairs": (_write_pairs, ("cells", "vessels")),
    "suffix": (_write_suffix, ("cells", "vessels")),
    "kaggle": (_write_kaggle, ("cells",)),
    "kaggle-zip": (_write_kaggle_zip, ("cells",)),
    "instances": (_write_instances, ("cells",)),
    "drive": (_write_drive, ("vessels",)),
    "chasedb1": (_write_chasedb1, ("vessels",)),
    "palette": (_write_palette, ("cells", "vessels")),
    "rgb-colors": (_write_colors, ("cells", "vessels")),
}
