"""Embedded data: whole datasets of synthetic pictures with exact truth, in any layout found in the wild."""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy import ndimage

from seglet.core.errors import ConfigError
from seglet.core.storage import speaking_of
from seglet.data.synthetic_blobs import make_blobs
from seglet.data.synthetic_cells import make_cells
from seglet.data.synthetic_scenes import Scene, black_and_white, present, save
from seglet.data.synthetic_series import write_ctc, write_isbi_stacks
from seglet.data.synthetic_vessels import VesselPicture, make_vessels
from seglet.data.synthetic_volumes import (
    write_bids,
    write_brats,
    write_decathlon,
    write_lits,
    write_nnunet,
)

__all__ = ["LAYOUTS", "VesselPicture", "make_blobs", "make_cells", "make_dataset", "make_vessels"]

CLASS_COLORS = ((0, 0, 0), (220, 60, 40), (60, 170, 90))  # background, inside, rim; in palettes and RGB masks
RIM = 2  # px; width of the rim class


Writer = Callable[[Path, Iterator[Scene], int], Path]


def make_dataset(
    folder: Path,
    kind: str = "cells",
    layout: str = "pairs",
    n_images: int = 12,
    shape: tuple[int, ...] | None = None,
    seed: int = 0,
) -> Path:
    """Write a whole dataset; the same arguments write the same bytes.

    Picture i of a seed is the same whatever the layout and however many there are.

    Parameters
    ----------
    folder : Path
        Where to write; made where it is missing, and added to where it is not.
    kind : str
        ``cells``, ``vessels`` or ``volumes``.
    layout : str
        A key of ``LAYOUTS``. ``pairs``, ``suffix``, ``palette`` and ``rgb-colors`` hold both kinds,
        ``kaggle``, ``kaggle-zip``, ``instances``, ``ctc`` and ``isbi-stacks`` cells, ``drive``, ``chasedb1``
        and ``stare`` vessels, ``lits``, ``decathlon``, ``nnunet``, ``brats`` and ``bids`` volumes.
    n_images, shape, seed : int, (y, x) or (z, y, x), int
        How many pictures, the size of each (256x256, volumes 24x64x64), and the seed of all chance.

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
    paint, usual_shape = _PAINTERS[kind]
    size = shape or usual_shape
    if len(size) != len(usual_shape):
        raise ConfigError(
            "shape",
            found=str(size),
            expected=f"{len(usual_shape)} numbers for {kind}",
            remedy="Check the axes.",
        )
    with speaking_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return write(
            folder, (paint(i, size, np.random.default_rng([seed, i])) for i in range(n_images)), n_images
        )


def _unknown(setting: str, name: str, known: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        setting, found=repr(name), expected=f"one of {', '.join(known)}", remedy="Choose one of these."
    )


def _cell_scene(number: int, shape: tuple[int, ...], rng: np.random.Generator) -> Scene:
    image, objects = make_cells((shape[0], shape[1]), rng)
    return Scene(number, image, objects)


def _vessel_scene(number: int, shape: tuple[int, ...], rng: np.random.Generator) -> Scene:
    drawn = make_vessels((shape[0], shape[1]), rng)
    return Scene(number, drawn.image, drawn.truth.astype(np.int32), drawn.second, drawn.fov)


def _volume_scene(number: int, shape: tuple[int, ...], rng: np.random.Generator) -> Scene:
    image, labels = make_blobs((shape[0], shape[1], shape[2]), rng)
    return Scene(number, image, labels.astype(np.int32))


def _write_pairs(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write ``images/x.png`` and ``masks/x.png``, 0 and 255."""
    for scene in scenes:
        save(folder / "images" / f"{scene.number:03}.png", scene.image)
        save(folder / "masks" / f"{scene.number:03}.png", black_and_white(scene.truth))
    return folder


def _write_suffix(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write ``x.png`` and ``x_mask.png`` side by side."""
    for scene in scenes:
        save(folder / f"{scene.number:03}.png", scene.image)
        save(folder / f"{scene.number:03}_mask.png", black_and_white(scene.truth))
    return folder


def _write_kaggle(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write ``<id>/images/<id>.png`` as RGBA and one ``<id>/masks/*.png`` per cell, as DSB 2018."""
    for scene in scenes:
        for name, content in _kaggle_files(scene):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def _write_kaggle_zip(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write the Kaggle layout into ``stage1_train.zip``, as Kaggle ships it."""
    path = folder / "stage1_train.zip"
    with ZipFile(path, "w", ZIP_STORED) as archive:
        for scene in scenes:
            for name, content in _kaggle_files(scene):
                archive.writestr(ZipInfo(name, date_time=(2018, 1, 16, 0, 0, 0)), content)
    return path


def _kaggle_files(scene: Scene) -> Iterator[tuple[str, bytes]]:
    identity = hashlib.sha256(f"cells {scene.number}".encode()).hexdigest()
    rgba = Picture.fromarray(scene.image).convert("RGBA")
    yield f"{identity}/images/{identity}.png", _png(rgba)
    for number in range(1, int(scene.objects.max()) + 1):
        name = hashlib.sha256(f"{identity} {number}".encode()).hexdigest()
        yield (
            f"{identity}/masks/{name}.png",
            _png(Picture.fromarray(black_and_white(scene.objects == number))),
        )


def _png(picture: Picture.Image) -> bytes:
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _write_instances(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write TIFF images with 16-bit TIFF masks that number the cells."""
    for scene in scenes:
        save(folder / "images" / f"{scene.number:03}.tif", scene.image)
        save(folder / "masks" / f"{scene.number:03}.tif", scene.objects.astype(np.uint16))
    return folder


def _write_drive(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write TIFF images and GIF masks in ``training`` (ids from 21) and ``test`` (from 01), half each.

    As in DRIVE, only the test half has a second observer.
    """
    for scene in scenes:
        is_test = scene.number < n_images // 2
        part, split = (folder / "test", "test") if is_test else (folder / "training", "training")
        number = scene.number + 1 if is_test else scene.number - n_images // 2 + 21
        save(part / "images" / f"{number:02}_{split}.tif", scene.image)
        save(part / "1st_manual" / f"{number:02}_manual1.gif", black_and_white(scene.truth))
        save(part / "mask" / f"{number:02}_{split}_mask.gif", black_and_white(present(scene.fov)))
        if is_test:
            save(part / "2nd_manual" / f"{number:02}_manual2.gif", black_and_white(present(scene.second)))
    return folder


def _write_chasedb1(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write JPEG images and 1-bit PNG masks of both observers, left and right eye in turn."""
    for scene in scenes:
        eye = f"{scene.number // 2 + 1:02}{'LR'[scene.number % 2]}"
        save(folder / "images" / f"Image_{eye}.jpg", scene.image)
        save(folder / "labels1" / f"Image_{eye}_1stHO.png", scene.truth)
        save(folder / "labels2" / f"Image_{eye}_2ndHO.png", present(scene.second))
        save(folder / "masks" / f"mask_{eye}.png", present(scene.fov))
    return folder


def _write_stare(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write images and both observers' masks as PPM, every other file compressed, as STARE ships them."""
    for scene in scenes:
        name = f"im{scene.number + 1:04}"
        for place, pixels in (
            (f"stare-images/{name}.ppm", scene.image),
            (f"labels-ah/{name}.ah.ppm", black_and_white(scene.truth)),
            (f"labels-vk/{name}.vk.ppm", black_and_white(present(scene.second))),
        ):
            save(folder / place, pixels)
            if scene.number % 2:
                (folder / f"{place}.gz").write_bytes(gzip.compress((folder / place).read_bytes(), mtime=0))
                (folder / place).unlink()
    return folder


def _write_palette(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write masks as palette PNG: index 0, 1 inside, 2 rim of cells; the colors shown are no grays."""
    for scene in scenes:
        save(folder / "images" / f"{scene.number:03}.png", scene.image)
        mask = Picture.fromarray(_classes(scene))
        mask.putpalette([level for color in CLASS_COLORS for level in color])
        path = folder / "masks" / f"{scene.number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask.save(path)
    return folder


def _write_colors(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write masks as RGB PNG, one color per class."""
    for scene in scenes:
        save(folder / "images" / f"{scene.number:03}.png", scene.image)
        save(folder / "masks" / f"{scene.number:03}.png", np.array(CLASS_COLORS, np.uint8)[_classes(scene)])
    return folder


def _classes(scene: Scene) -> NDArray[np.uint8]:
    """Background 0, inside 1, and for cells their rim 2; vessels are too thin to have one."""
    if scene.fov is not None:
        return scene.truth.astype(np.uint8)
    reach = 2 * RIM + 1
    is_rim = ndimage.minimum_filter(scene.objects, reach) != ndimage.maximum_filter(scene.objects, reach)
    return np.where(is_rim, 2, 1).astype(np.uint8) * scene.truth


Painter = Callable[[int, tuple[int, ...], np.random.Generator], Scene]
_PAINTERS: dict[str, tuple[Painter, tuple[int, ...]]] = {
    "cells": (_cell_scene, (256, 256)),
    "vessels": (_vessel_scene, (256, 256)),
    "volumes": (_volume_scene, (24, 64, 64)),
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
    "stare": (_write_stare, ("vessels",)),
    "ctc": (write_ctc, ("cells",)),
    "isbi-stacks": (write_isbi_stacks, ("cells",)),
    "lits": (write_lits, ("volumes",)),
    "decathlon": (write_decathlon, ("volumes",)),
    "nnunet": (write_nnunet, ("volumes",)),
    "brats": (write_brats, ("volumes",)),
    "bids": (write_bids, ("volumes",)),
}
