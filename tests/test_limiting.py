"""The memory that was said is kept to: by smaller windows, by blocks, or by an early word that it cannot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
from PIL import Image as Picture

from seglet import limiting, pipeline
from seglet.core.errors import ConfigError, DatasetError
from seglet.io.files import open_image, read_mask
from seglet.io.listing import as_file
from seglet.limiting import SPARE, Room, fit_within, free_room
from seglet.model import Model, load_model, save_model
from seglet.prediction.memory import MIB, block_memory, image_memory, network_memory
from seglet.prediction.tiling import tiling_of


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that this process is said to take."""

    class Process:
        def memory_info(self) -> "Process":
            return self

        rss = 500 * MIB

    monkeypatch.setattr(psutil, "Process", Process)
    return Process.rss


@pytest.fixture(scope="module")
def model(run_folder: Path) -> Model:
    return load_model(run_folder)


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (2100, 2000), np.uint8)
    tifffile.imwrite(tmp_path / "slide.tif", pixels, tile=(256, 256))
    return tmp_path / "slide.tif"


def test_where_there_is_room_windows_stay(model: Model, taken: int) -> None:
    found, room = fit_within(model, 4 << 30, tries_engines=False)
    assert found is model
    assert room == Room((4 << 30) - taken - SPARE - network_memory(model), 4 << 30)


def test_at_first_windows_are_run_one_by_one(model: Model, taken: int) -> None:
    whole = taken + SPARE + network_memory(model) + block_memory(model)
    assert fit_within(model, whole, tries_engines=False)[0] is model
    found, _ = fit_within(model, whole - 1, tries_engines=False)
    assert found.card == model.card.predicting(batch=1)


def test_windows_shrink_until_they_fit(model: Model, taken: int) -> None:
    one = replace(model, card=model.card.predicting(batch=1))
    whole = taken + SPARE + network_memory(one) + block_memory(one)
    found, room = fit_within(model, whole - 1, tries_engines=False)
    assert tiling_of(found.card).window[0] < tiling_of(model.card).window[0]
    assert tiling_of(found.card).window[0] % 32 == 0
    assert found.network is model.network
    assert found.folder == model.folder
    assert block_memory(found) <= room.n_bytes


def test_where_not_even_the_network_fits_that_is_said(model: Model, taken: int) -> None:
    with pytest.raises(ConfigError, match=r"max-ram: found 0\.5 GiB; expected at least .*Allow more\."):
        fit_within(model, taken, tries_engines=False)
    with pytest.raises(ConfigError, match="--engine torch"):
        fit_within(model, taken, tries_engines=True)


def test_windows_a_stride_apart_are_left_alone(model: Model, taken: int) -> None:
    predict = model.card.predict.model_copy(update={"window": 64, "stride": 16})
    strided = Model(model.network, model.card.model_copy(update={"predict": predict}))
    found, _ = fit_within(strided, taken + SPARE + network_memory(strided) + 1, tries_engines=False)
    assert found.card == strided.card.predicting(batch=1)


def test_without_a_word_a_share_of_the_free_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "SHARE_OF_MEMORY", 0.25)
    room = free_room()
    assert room.most is None
    assert 0 < room.n_bytes < psutil.virtual_memory().total / 4


def limited(model: Model, slide: Path, share: float) -> str:
    """A limit that leaves such a share of what the image takes in one piece, by PyTorch."""
    model = replace(model, card=model.card.predicting(engine="torch"))
    needed = image_memory(open_image(as_file(slide)), model.card)
    rss = int(psutil.Process().memory_info().rss)
    return str(rss + SPARE + network_memory(model) + int(share * needed))


@pytest.fixture
def no_store_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a slide as small as this one would take as much as all of it."""
    monkeypatch.setattr("seglet.limiting.block_memory", lambda *_: 0)


@pytest.mark.usefixtures("no_store_costs", "taken")
def test_a_slide_that_does_not_fit_goes_through_the_disk(
    run_folder: Path, model: Model, slide: Path, tmp_path: Path
) -> None:
    asked = {"engine": "torch", "precision": "fp32"}
    (whole,) = pipeline.predict(
        run_folder, [slide], tmp_path / "a", max_ram=limited(model, slide, 1), **asked
    )
    (parted,) = pipeline.predict(
        run_folder, [slide], tmp_path / "b", max_ram=limited(model, slide, 0.9), **asked
    )
    assert (whole.name, parted.name) == ("slide.tif", "slide.ome.zarr")
    labels = read_mask(as_file(parted / "labels/segmentation"))
    assert (read_mask(as_file(whole)) == labels).mean() > 0.98


@pytest.mark.usefixtures("no_store_costs", "taken")
def test_what_cannot_be_parted_is_refused_before_anything_is_done(
    run_folder: Path, model: Model, slide: Path, tmp_path: Path
) -> None:
    Picture.fromarray(tifffile.imread(slide)).save(tmp_path / "photo.png")
    most = limited(model, slide, 0.9)
    message = (
        r"photo\.png: found an image that takes about .* GiB .*in one piece; expected at most .*OME-Zarr"
    )
    with pytest.raises(DatasetError, match=message):
        pipeline.predict(run_folder, [tmp_path / "photo.png"], tmp_path / "a", max_ram=most, engine="torch")
    with pytest.raises(DatasetError, match="in one piece"):
        pipeline.predict(run_folder, [slide], tmp_path / "a", True, max_ram=most, engine="torch")
    resized = model.card.plan.model_copy(update={"resize": (64, 64)})
    fixed = replace(model, card=model.card.model_copy(update={"plan": resized}))
    save_model(fixed, tmp_path / "fixed")
    with pytest.raises(DatasetError, match="in one piece"):
        pipeline.predict(tmp_path / "fixed", [slide], tmp_path / "a", max_ram=most, engine="torch")
    assert not (tmp_path / "a").exists()


@pytest.mark.usefixtures("taken")
def test_blocks_that_do_not_fit_are_refused_too(
    run_folder: Path, model: Model, slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seglet.limiting.block_memory", lambda *_: 1 << 40)
    monkeypatch.setattr(limiting, "SHARES", (1,))
    most = limited(model, slide, 0.9)
    with pytest.raises(
        DatasetError, match=r"slide\.tif: found .* block by block; expected .*Allow more memory\."
    ):
        pipeline.predict(run_folder, [slide], tmp_path / "a", max_ram=most, engine="torch")
