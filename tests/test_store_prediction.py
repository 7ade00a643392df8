"""Predictions as labels of OME-Zarr images: the same masks as in memory, valid stores, nothing lost."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import ome_zarr_models
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image as Picture

from seglet import limiting, pipeline, store_prediction
from seglet.core.errors import DatasetError, GeometryError
from seglet.core.grid import Region
from seglet.core.image import Image
from seglet.data.synthetic_cells import make_cells
from seglet.io import ome_zarr
from seglet.io.files import open_image, read_image, read_mask
from seglet.io.listing import as_file
from seglet.model import Model, load_model, save_model
from seglet.postprocessing.decode import decode
from seglet.postprocessing.settings import DecodingConfig
from seglet.prediction.blocks import predict_planes
from seglet.prediction.engines.pytorch import TorchEngine


@pytest.fixture(scope="module")
def model(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model with small windows, so that a small image has many blocks."""
    loaded = load_model(run_folder)
    predict = loaded.card.predict.model_copy(update={"window": 96, "margin": 16})
    smaller = Model(loaded.network, loaded.card.model_copy(update={"predict": predict, "threshold": 0.45}))
    return save_model(smaller, tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.asarray(make_cells((300, 260), np.random.default_rng(5))[0], np.uint8)


def stored(path: Path, pixels: NDArray[np.uint8]) -> Path:
    ome_zarr.write(path, Image(pixels[None], (0.5, 0.25), "um"))
    return path


def is_valid(path: Path, name: str = "segmentation") -> bool:
    """By the specification, the image and its labels."""
    image = ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))
    labels = ome_zarr_models.open_ome_zarr(zarr.open_group(path / "labels" / name, mode="r"))
    assert image.labels is not None
    assert name in image.labels.attributes.ome.labels
    return type(labels).__name__ == "ImageLabel"


def in_memory(model: Path, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pipeline.load(model).predict(pixels)


def test_a_store_becomes_a_store_with_labels(model: Path, tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    source = stored(tmp_path / "a.ome.zarr", pixels)
    (path,) = pipeline.predict(model, [source], tmp_path / "out")
    assert path == tmp_path / "out/a.ome.zarr"
    assert is_valid(path)
    image = read_image(as_file(path))
    np.testing.assert_array_equal(image.pixels[0], pixels)
    assert (image.spacing, image.unit) == ((0.5, 0.25), "um")
    mask = read_mask(as_file(path / "labels/segmentation"))
    expected = in_memory(model, pixels)
    assert 0.05 < expected.mean() < 0.95
    assert ((mask > 0) == (expected > 0)).mean() > 0.99  # windows in memory blend where blocks do not
    assert set(np.unique(mask)) == {0, 255}, "the values of the training masks"
    assert open_image(as_file(path / "labels/segmentation")).spacing == (0.5, 0.25)
    assert ome_zarr.label_names(source) == ()


def test_into_its_own_store_go_the_labels_alone(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    source = stored(tmp_path / "a.ome.zarr", pixels)
    before = (source / "0").stat().st_mtime_ns
    for _ in range(2):  # what was predicted before is replaced
        assert pipeline.predict(model, [source], source) == [source]
    assert is_valid(source)
    assert ome_zarr.label_names(source) == ("segmentation",)
    assert (source / "0").stat().st_mtime_ns == before
    assert read_mask(as_file(source / "labels/segmentation")).any()


def test_the_recipe_names_the_labels(model: Path, tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    loaded = load_model(model)
    named = Model(loaded.network, loaded.card.model_copy(update={"recipe": "nuclei"}))
    save_model(named, tmp_path / "named")
    source = stored(tmp_path / "a.zarr", pixels)
    pipeline.predict(tmp_path / "named", [source], source)
    assert is_valid(source, "nuclei")


def test_labels_of_others_are_not_replaced(model: Path, tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    source = stored(tmp_path / "a.ome.zarr", pixels)
    ome_zarr.write_labels(source, "segmentation", pixels // 2)
    with pytest.raises(DatasetError, match="labels 'segmentation' that no prediction made"):
        pipeline.predict(model, [source], source)
    np.testing.assert_array_equal(read_mask(as_file(source / "labels/segmentation")), pixels // 2)


@pytest.mark.parametrize("out", ["out", "out/a.ome.zarr"])
def test_stores_of_others_are_not_replaced(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8], out: str
) -> None:
    source = stored(tmp_path / "a.ome.zarr", pixels)
    other = stored(tmp_path / "out/a.ome.zarr", pixels // 2)
    with pytest.raises(DatasetError, match="a file or folder that no prediction made"):
        pipeline.predict(model, [source], tmp_path / out)
    np.testing.assert_array_equal(read_image(as_file(other)).pixels[0], pixels // 2)


def test_what_was_predicted_before_is_replaced(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    first, second = (
        stored(tmp_path / name / "a.ome.zarr", pixels[:n, :n]) for name, n in (("1", 90), ("2", 70))
    )
    for source, side in ((first, 90), (second, 70)):
        (path,) = pipeline.predict(model, [source], tmp_path / "out.ome.zarr")
        assert open_image(as_file(path)).shape == (side, side)
        assert is_valid(path)


def test_images_of_one_name_get_stores_of_their_own(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    for patient in ("p1", "p2", "p3"):
        (tmp_path / "in" / patient).mkdir(parents=True)
        stored(tmp_path / "in" / patient / "scan.zarr", pixels)
    pipeline.predict(model, [tmp_path / "in"], tmp_path / "out")
    stores = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in stores] == [f"p{n}_scan.ome.zarr" for n in (1, 2, 3)]
    assert all(map(is_valid, stores))


def test_one_store_holds_one_image(model: Path, tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    sources = [stored(tmp_path / f"{name}.ome.zarr", pixels) for name in "ab"]
    with pytest.raises(DatasetError, match="2 images"):
        pipeline.predict(model, sources, tmp_path / "out.ome.zarr")
    assert len(pipeline.predict(model, sources, tmp_path / "out")) == 2


def test_nothing_stays_of_what_cannot_be_predicted(model: Path, tmp_path: Path) -> None:
    ome_zarr.write(tmp_path / "flat.ome.zarr", Image(np.zeros((5, 40, 40), np.uint8)))
    ome_zarr.write(tmp_path / "deep.ome.zarr", Image(np.zeros((1, 9, 40, 40), np.uint8)))
    with pytest.raises(DatasetError, match="2 of 2 images that cannot be predicted") as error:
        pipeline.predict(model, [tmp_path / "flat.ome.zarr", tmp_path / "deep.ome.zarr"], tmp_path / "out")
    assert "flat.ome.zarr" in str(error.value)
    assert "deep.ome.zarr" in str(error.value)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("how", ["other channels", "stopped"])
def test_an_earlier_prediction_stays_until_the_new_one_is_whole(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = stored(tmp_path / "a.ome.zarr", pixels)
    (path,) = pipeline.predict(model, [source], tmp_path / "out")
    before = read_mask(as_file(path / "labels/segmentation"))
    if how == "stopped":

        def stopped(*_: object, **__: object) -> None:
            assert len(list(path.parent.iterdir())) == 2, "the new one is made beside"
            raise KeyboardInterrupt

        monkeypatch.setattr(store_prediction, "predict_blocks", stopped)
        with pytest.raises(KeyboardInterrupt):
            pipeline.predict(model, [source], tmp_path / "out")
    else:
        shutil.rmtree(source)
        ome_zarr.write(source, Image(np.stack([pixels] * 5)))
        with pytest.raises(DatasetError, match="5 channels"):
            pipeline.predict(model, [source], tmp_path / "out")
    assert is_valid(path)
    np.testing.assert_array_equal(read_mask(as_file(path / "labels/segmentation")), before)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("max_ram", [None, "4G"])
def test_odd_files_do_not_keep_others_from_being_predicted(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8], max_ram: str | None
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", pixels)
    tifffile.imwrite(folder / "stack.tif", np.stack([pixels] * 9), metadata={"axes": "ZYX"})
    (folder / "torn.tif").write_bytes((folder / "a.tif").read_bytes()[:200])
    Picture.fromarray(pixels).save(folder / "b.png")
    with pytest.raises(DatasetError, match="2 of 4 images that cannot be predicted") as error:
        pipeline.predict(model, [folder], tmp_path / "out", max_ram=max_ram)
    assert "stack.tif" in str(error.value)
    assert "torn.tif" in str(error.value)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.tif", "b.png"]


def test_probabilities_are_made_in_memory(model: Path, tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    source = stored(tmp_path / "a.ome.zarr", pixels)
    (path,) = pipeline.predict(model, [source], tmp_path / "out", probabilities=True)
    assert path.name == "a.tif"
    assert tifffile.imread(tmp_path / "out/a_probabilities.tif").squeeze().shape == pixels.shape


def test_an_image_too_large_for_the_memory_becomes_a_store(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "slide.tif", pixels, tile=(64, 64), compression="zlib")
    assert pipeline.predict(model, [tmp_path / "slide.tif"], tmp_path / "out")[0].name == "slide.tif"
    monkeypatch.setattr(limiting, "SHARE_OF_MEMORY", 1e-9)
    (path,) = pipeline.predict(model, [tmp_path / "slide.tif"], tmp_path / "out")
    assert path.name == "slide.ome.zarr"
    assert is_valid(path)
    mask = read_mask(as_file(path / "labels/segmentation"))
    assert (mask == read_mask(as_file(tmp_path / "out/slide.tif"))).mean() > 0.99


def test_a_model_of_one_size_predicts_stores_in_memory(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    loaded = load_model(model)
    plan = loaded.card.plan.model_copy(update={"resize": (64, 64)})
    fixed = Model(loaded.network, loaded.card.model_copy(update={"plan": plan}))
    save_model(fixed, tmp_path / "fixed")
    source = stored(tmp_path / "a.ome.zarr", pixels)
    (path,) = pipeline.predict(tmp_path / "fixed", [source], tmp_path / "out")
    mask = read_mask(as_file(path / "labels/segmentation"))
    np.testing.assert_array_equal(mask > 0, in_memory(tmp_path / "fixed", pixels) > 0)


@pytest.fixture
def whole(model: Path, tmp_path: Path) -> Path:
    """The model, made to normalize by local contrast."""
    loaded = load_model(model)
    plan = loaded.card.plan.model_copy(update={"normalization": "clahe", "intensity": None})
    return save_model(
        Model(loaded.network, loaded.card.model_copy(update={"plan": plan})), tmp_path / "whole"
    )


def test_what_is_normalized_as_a_whole_is_predicted_so(
    whole: Path, tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    source = stored(tmp_path / "a.ome.zarr", pixels)
    (path,) = pipeline.predict(whole, [source], tmp_path / "out")
    mask = read_mask(as_file(path / "labels/segmentation"))
    np.testing.assert_array_equal(mask > 0, in_memory(whole, pixels) > 0)


@pytest.mark.parametrize(
    ("name", "out"), [("a.ome.zarr", "out"), ("a.ome.zarr", "a.ome.zarr"), ("a.tif", "out")]
)
def test_what_is_normalized_as_a_whole_and_fits_no_memory_is_refused_early(
    whole: Path,
    tmp_path: Path,
    pixels: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    out: str,
) -> None:
    stored(tmp_path / "a.ome.zarr", pixels)
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(64, 64), compression="zlib")
    monkeypatch.setattr(limiting, "SHARE_OF_MEMORY", 1e-9)
    with pytest.raises(GeometryError, match=r"whole images .*clahe.*another plan\.normalization"):
        pipeline.predict(whole, [tmp_path / name], tmp_path / out)
    assert not (tmp_path / "out").exists()
    assert ome_zarr.label_names(tmp_path / "a.ome.zarr") == ()


@pytest.mark.parametrize("method", ["components", "depth"])
def test_objects_are_the_same_across_blocks_as_in_one_piece(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    loaded = load_model(model)
    decoding = DecodingConfig.model_validate({"method": method, "threshold": loaded.card.threshold})
    card = loaded.card.model_copy(update={"decoding": decoding})
    save_model(Model(loaded.network, card), tmp_path / "model")
    source = stored(tmp_path / "a.ome.zarr", pixels)
    planes = np.zeros((1, *pixels.shape), np.float32)

    def keep(region: Region, said: NDArray[np.float32] | None) -> None:
        assert said is not None
        planes[(slice(None), *region.slices)] = said

    predict_planes(open_image(as_file(source)), loaded, TorchEngine(loaded), keep)
    monkeypatch.setattr("seglet.io.axes.chunk_shape", lambda extent, side=0: (1, 40, 40))
    monkeypatch.setattr("seglet.io.zarr_store.chunk_shape", lambda extent, side=0: (1, 40, 40))
    (path,) = pipeline.predict(tmp_path / "model", [source], tmp_path / "out")
    assert is_valid(path)
    found = read_mask(as_file(path / "labels/segmentation"))
    expected = decode(planes, decoding)
    assert expected.max() > 3
    np.testing.assert_array_equal(found, expected)
    assert [one.name for one in (tmp_path / "out").iterdir()] == [path.name], "nothing is left aside"


def apart(model: Path, folder: Path) -> Path:
    """The model, telling objects apart."""
    loaded = load_model(model)
    decoding = DecodingConfig(method="components", threshold=loaded.card.threshold)
    return save_model(
        Model(loaded.network, loaded.card.model_copy(update={"decoding": decoding})), folder / "model"
    )


def test_nothing_stays_of_an_interrupted_prediction(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    source = stored(tmp_path / "a.ome.zarr", np.tile(pixels, (6, 6)))
    command = [sys.executable, "-m", "seglet", "predict", str(apart(model, tmp_path)), str(source)]
    heard = [*command, "-o", str(tmp_path / "out")]
    process = subprocess.Popen(heard, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    scratch = tmp_path / f"out/.a.ome.zarr.{process.pid}.scratch"
    while not scratch.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.terminate()
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Interrupted." in said
    assert printed == ""
    assert not list((tmp_path / "out").iterdir())


def test_what_a_killed_prediction_left_is_removed_by_the_next(
    model: Path, tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    source = stored(tmp_path / "a.ome.zarr", pixels)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, others = (tmp_path / f"out/.a.ome.zarr.{number}.scratch" for number in (ended.pid, os.getppid()))
    for folder in (left, others):
        folder.mkdir(parents=True)
        (folder / "planes").touch()
    (path,) = pipeline.predict(apart(model, tmp_path), [source], tmp_path / "out")
    assert sorted((tmp_path / "out").iterdir()) == sorted([path, others])
