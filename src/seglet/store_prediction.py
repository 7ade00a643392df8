"""Predictions as labels of OME-Zarr images: block by block from disk to disk, for images of any size."""

import glob
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.events import Tell, quiet
from seglet.core.grid import Region
from seglet.core.overlap import ahead
from seglet.core.profile import timed
from seglet.core.storage import put_in_place, speaking_of
from seglet.data.cases import Case
from seglet.data.channels import open_case
from seglet.data.masks import encode
from seglet.data.samples import read_sample
from seglet.data.stored import is_cheap_in_parts
from seglet.io import hdf5, nrrd, ome_zarr, tiff
from seglet.io.axes import blocks
from seglet.io.ngff import OWN
from seglet.io.sources import suffix_of
from seglet.io.zarr_store import open_node, reading, scratch_array, settled
from seglet.limiting import Room, free_room, opened, require_blocks, require_held
from seglet.model import Model
from seglet.postprocessing.decode_blocks import Store, decode_blocks
from seglet.prediction.blocks import predict_blocks, predict_planes
from seglet.prediction.engines.engine import Engine
from seglet.prediction.outputs import n_planes
from seglet.prediction.tiled import predict_raw
from seglet.preprocessing.normalization import require_channels, require_parts
from seglet.preprocessing.transform import grid_shape
from seglet.scoring import predict_sample
from seglet.writing import labels_in, mask_places, same_name, unlabelled

STORES = ome_zarr.SUFFIXES
STORE = ".ome.zarr"  # of those that are made
NAME = "segmentation"  # of the labels, where the recipe has no name of its own
LARGE_FORMATS = (*tiff.SUFFIXES, *hdf5.SUFFIXES, *nrrd.SUFFIXES, ".nii")  # parts of them are read alone
AT_ONCE = 3  # images in memory: while one is predicted, the last is written and the next is read
MADE = "made"  # key that says what of a store this module wrote
COPY, PREDICTION = "copy", "prediction"


def prediction_places(
    images: Sequence[Path | str], out: Path, model: Model, *, probabilities: bool, room: Room | None = None
) -> dict[Path, Case]:
    """Where the mask of each image goes: as `mask_places` says, but of some images into a store.

    Zarr images, and images that would not fit the memory, are predicted into ``<name>.ome.zarr``, unless
    probabilities are wanted, which are made in memory. An `out` that is named like a store is one.

    Parameters
    ----------
    images, out
        As of `mask_places`.
    model : Model
        What will predict them.
    probabilities : bool
        Whether they are wanted.
    room : Room or None
        What images may take of the memory; a share of what is free where None.

    Raises
    ------
    DatasetError
        As `mask_places` does; if one store is to hold several images; if there is a store already that was
        not made by predicting; if the memory that was said does not hold an image.
    GeometryError
        If the plan normalizes images as a whole, and one does not fit the memory.
    """
    room = room or free_room()
    if suffix_of(out.name) in STORES:
        cases = [case for path in images for case in unlabelled(Path(path), model.card.channels)]
        if len(cases) != 1:
            raise DatasetError(
                out,
                found=f"{len(cases)} images",
                expected="one image for one store",
                remedy="Give a folder as the output.",
            )
        _refuse_others(out, cases[0], _name(model))
        _require_room(cases[0], model, room)
        return {out: cases[0]}
    found: dict[Path, Case] = {}
    places = mask_places(images, out, model.card.channels)
    each = replace(room, n_bytes=room.n_bytes // AT_ONCE) if len(places) > 1 else room
    for path, case in places.items():
        is_stored = not probabilities and _is_for_store(case, model, each)
        place = path.with_name(path.name.removesuffix(suffix_of(path.name)) + STORE) if is_stored else path
        if is_stored:
            _refuse_others(place, case, _name(model))
            _require_room(case, model, each)
        else:
            require_held(case, model, each)
        if place in found:
            raise same_name(case, found[place])
        found[place] = case
    return found


def predict_into(path: Path, case: Case, model: Model, engine: Engine, tell: Tell = quiet) -> Path:
    """Predict an image into a store, in bounded memory: its labels ``segmentation``, or named by the recipe.

    Into the store of the image itself, the labels alone are written; else the image is copied there first.
    The store is valid OME-Zarr, all levels and labels included, or not there at all; until then, what an
    earlier prediction wrote stays.

    Parameters
    ----------
    path : Path
        The store, as `prediction_places` says.
    case : Case
        What is predicted.
    model : Model
        What was trained.
    engine : Engine
        What runs it.
    tell : callable
        Hears of each block.

    Raises
    ------
    SegletError
        If the image does not fit the model, or cannot be read or written.
    """
    if _is_own(path, case):
        _put_labels(path, case, model, engine, tell)
        return path
    stored = open_case(case)
    grid_shape(stored, model.card.plan)
    require_channels(stored.n_channels, model.card.plan)  # before all of it is copied
    with _scratch(path) as aside:
        made = aside / path.name
        with ome_zarr.new_image(made, stored.extent, stored.dtype, stored, own={MADE: COPY}) as canvas:
            for box, pixels in ahead((box, stored.read(box)) for box in blocks(stored.shape, canvas.chunks)):
                with timed("copy"):
                    canvas[box] = pixels
        _put_labels(made, case, model, engine, tell)
        put_in_place(made, path)
    return path


def _put_labels(path: Path, case: Case, model: Model, engine: Engine, tell: Tell) -> None:
    if model.card.decoding is not None:
        _put_objects(path, case, model, engine, tell)
        return
    written = labels_in(path, model.card.labels)
    names = {one.value: one.name for one in written.classes if isinstance(one.value, int)}
    dtype = encode(np.zeros(1, np.uint8), written).dtype
    with ome_zarr.new_labels(path, _name(model), dtype, names, own={MADE: PREDICTION}) as canvas:

        def write(region: Region, indexes: NDArray[np.uint8]) -> None:
            values = encode(indexes, written)
            if values.any():  # what is never written is 0
                with timed("write"):
                    canvas[region.slices] = values

        if not _is_whole(model):
            predict_blocks(open_case(case), model, engine, write, tell)
        else:
            whole = predict_sample(read_sample(case, None), model, engine, tell).labels
            write(Region((0,) * whole.ndim, whole.shape), whole)


def _put_objects(path: Path, case: Case, model: Model, engine: Engine, tell: Tell) -> None:
    """Number the objects of an image, across all of its blocks; see `seglet.postprocessing.decode_blocks`."""
    assert model.card.decoding is not None
    stored = open_case(case)
    with (
        _scratch(path) as aside,
        ome_zarr.new_labels(path, _name(model), np.uint32, own={MADE: PREDICTION}) as canvas,
    ):
        axes = "zyx"[-len(stored.shape) :]
        planes = scratch_array(aside, "planes", f"c{axes}", (n_planes(model.card), *stored.shape), np.float32)
        numbers = scratch_array(aside, "numbers", axes, stored.shape, np.int32)

        def keep(region: Region, said: NDArray[np.float32] | None) -> None:
            if said is not None:  # what is never written is 0
                planes[(slice(None), *region.slices)] = said

        if not _is_whole(model):
            predict_planes(stored, model, engine, keep, tell)
        else:
            keep(
                Region((0,) * len(stored.shape), stored.shape),
                predict_raw(stored.load(), model, engine, tell),
            )
        store = Store(lambda region: planes[(slice(None), *region.slices)], numbers, numbers.chunks)
        with timed("decide"):
            decode_blocks(store, model.card.decoding, tell)
        with timed("write"):
            for box in blocks(stored.shape, canvas.chunks):
                found = numbers[box]
                if found.any():
                    canvas[box] = found.astype(np.uint32)


@contextmanager
def _scratch(store: Path) -> Iterator[Path]:
    """Give a folder beside a store for what is not done; those that killed processes left are removed."""
    for left in store.parent.glob(f".{glob.escape(store.name)}.*.scratch"):
        number = left.name.split(".")[-2]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    aside = store.with_name(f".{store.name}.{os.getpid()}.scratch")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        with speaking_of(store):
            aside.mkdir(parents=True)
        with settled():
            yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _name(model: Model) -> str:
    return NAME if model.card.recipe in ("", "auto") else model.card.recipe


def _is_for_store(case: Case, model: Model, room: Room) -> bool:
    """Whether an image is a store itself, or too large to be predicted in memory."""
    if case.page is not None:
        return False
    if case.image.suffix in STORES:
        return True
    if case.image.suffix not in LARGE_FORMATS or model.card.plan.resize is not None:
        return False
    stored = opened(case, model)
    return stored is not None and is_cheap_in_parts(stored) and not room.holds(stored, model)


def _is_whole(model: Model) -> bool:
    """Whether images must be seen in one piece."""
    return model.card.plan.resize is not None or model.card.plan.needs_whole or model.card.rules is not None


def _require_room(case: Case, model: Model, room: Room) -> None:
    """Refuse an image that does not fit the memory, if it cannot be seen block by block."""
    needs_whole = model.card.plan.needs_whole or model.card.rules is not None
    stored = opened(case, model)
    if stored is None:
        return
    is_in_parts = not _is_whole(model) and is_cheap_in_parts(stored)
    (require_blocks if is_in_parts else require_held)(case, model, room)
    if not needs_whole or room.holds(stored, model):
        return
    require_parts(model.card.plan)
    raise GeometryError(
        str(case.image),
        found="an image that does not fit the memory, and a model whose decoding removes or fills parts",
        expected="an image that fits the memory, or a model without such rules",
        remedy="Take `rules` out of the model's model.yaml, or predict a part of the image.",
    )


def _is_own(path: Path, case: Case) -> bool:
    """Whether a path is the store of the image itself."""
    file = case.image
    is_store = len(case.images) == 1 and not file.part and file.suffix in STORES
    return is_store and path.resolve() == (file.root / file.name).resolve()


def _refuse_others(path: Path, case: Case, name: str) -> None:
    """Refuse to replace what no prediction made: labels in the image's own store, or a whole store."""
    if _is_own(path, case):
        there, wanted, what = path / "labels" / name, PREDICTION, f"labels {name!r}"
    else:
        there, wanted, what = path, COPY, "a file or folder"
    if there.exists() and _made(there) != wanted:
        raise DatasetError(
            there,
            found=f"{what} that no prediction made",
            expected="nothing, or what an earlier prediction wrote",
            remedy="Rename it, or choose another output.",
        )


def _made(store: Path) -> Any:
    """What of a store this module wrote, if anything."""
    try:
        with reading(str(store)):
            return open_node(store).attrs.get(OWN, {}).get(MADE)
    except FormatError:
        return None
