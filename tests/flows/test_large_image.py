"""Images that are larger than any window, smaller than any, or very long."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from seglet import pipeline
from seglet.data.synthetic import make_dataset
from seglet.data.synthetic_cells import make_cells
from seglet.model import Model, load_model, save_model


@pytest.fixture(scope="module")
def model(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model with small windows, so that a small image is a large one."""
    loaded = load_model(run_folder)
    predict = loaded.card.predict.model_copy(update={"window": 96, "margin": 16})
    smaller = Model(loaded.network, loaded.card.model_copy(update={"predict": predict}))
    return save_model(smaller, tmp_path_factory.mktemp("model") / "model")


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 700), (700, 5), (63, 65), (97, 96), (301, 257)])
def test_any_size_gives_a_mask_of_that_size(model: Path, tmp_path: Path, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Picture.fromarray(image).save(tmp_path / "image.png")
    (path,) = pipeline.predict(model, [tmp_path / "image.png"], tmp_path / "out", probabilities=True)
    mask = np.asarray(Picture.open(path))
    assert mask.shape == shape
    assert set(np.unique(mask)) <= {0, 255}
    probabilities = tifffile.imread(tmp_path / "out/image_probabilities.tif").reshape(shape)
    np.testing.assert_array_equal(mask > 0, probabilities > load_model(model).card.threshold)


@pytest.mark.parametrize("shape", [(300, 260), (288, 192)])
def test_windows_hardly_change_what_one_pass_says(
    model: Path, run_folder: Path, tmp_path: Path, shape: tuple[int, int]
) -> None:
    image, _ = make_cells(shape, np.random.default_rng(5))
    said = []
    for folder in (model, run_folder):  # the windows of the second are larger than the image
        loaded = load_model(folder)
        lukewarm = loaded.card.model_copy(update={"temperature": 1.0})  # as the network itself says it
        save_model(Model(loaded.network, lukewarm), tmp_path / "lukewarm")
        said.append(pipeline.load(tmp_path / "lukewarm").probabilities(image))
    in_windows, in_one_pass = said
    inside = (slice(None), slice(20, -20), slice(20, -20))  # at the border both mirror, but not as far
    assert np.abs(in_windows - in_one_pass)[inside].max() < 0.03
    assert np.abs(in_windows - in_one_pass).mean() < 0.005


def test_a_large_image_is_trained_on_scored_and_reported(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path / "data", n_images=2, shape=(620, 540))
    settings = [*tiny, "split.test=last 1", "split.validation=none", "predict.window=256", "fit.steps=2"]
    trained = pipeline.train(data, tmp_path / "run", settings=settings)
    assert trained.scores.images[0].n_pixels == 620 * 540
    assert np.asarray(Picture.open(trained.run.predictions / "001.png")).shape == (620, 540)


def test_a_fixed_size_comes_back_as_the_images_own(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path / "data", layout="palette", n_images=3, shape=(90, 70))
    settings = [*tiny, "split.validation=none", "plan.resize=[64, 64]", "fit.steps=2"]
    trained = pipeline.train(data, tmp_path / "run", settings=settings)
    assert trained.scores.images[0].n_pixels == 90 * 70
    (path,) = pipeline.predict(trained.run.folder, [data / "images/000.png"], tmp_path / "out")
    assert np.asarray(Picture.open(path)).shape == (90, 70)
