"""Windows prepared one by one are those of the whole image prepared at once."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.grid import Region, read_mirrored
from seglet.core.image import Image
from seglet.model import Model
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.scenes import Scene, scene_of
from seglet.prediction.tiled import predict_prepared, predict_raw
from seglet.prediction.tiling import tiling_of
from seglet.preprocessing.transform import preprocess_image

MakeModel = Callable[..., Model]


def pixels(*shape: int, dtype: type = np.uint8) -> NDArray[np.generic]:
    return np.random.default_rng(0).gamma(3, 20, shape).clip(0, 255).astype(dtype)


@pytest.mark.parametrize("normalization", ["standardize", "zscore", "rescale", "divide"])
@pytest.mark.parametrize(("color", "n_file", "n_channels"), [("gray", 1, 1), ("rgb", 3, 3), ("rgb", 1, 3)])
def test_windows_are_those_of_the_whole(
    make_model: MakeModel, normalization: str, color: str, n_file: int, n_channels: int
) -> None:
    model = make_model(normalization=normalization, color=color, n_channels=n_channels)
    image = Image(pixels(n_file, 70, 90))
    scene = scene_of(image, model.card)
    assert scene.pixels is image.pixels, "no copy"
    whole = preprocess_image(image, model.card.plan)
    for region in (Region((-20, 10), (30, 60)), Region((0, 0), (70, 90)), Region((50, 80), (120, 200))):
        np.testing.assert_array_equal(scene.window(region), read_mirrored(whole, region))


def test_luma_is_measured_of_all_channels(make_model: MakeModel) -> None:
    model, image = make_model(normalization="standardize"), Image(pixels(3, 70, 90))
    scene, region = scene_of(image, model.card), Region((-8, -8), (56, 56))
    whole = preprocess_image(image, model.card.plan)
    assert scene.pixels is image.pixels
    np.testing.assert_allclose(scene.window(region), read_mirrored(whole, region), atol=1e-5)


@pytest.mark.parametrize(
    "plan", [{"normalization": "clahe"}, {"resize": (64, 64)}, {"spacing": (2.0, 2.0), "unit": "mm"}]
)
def test_what_needs_the_whole_is_prepared_whole(make_model: MakeModel, plan: dict[str, object]) -> None:
    model = make_model(**plan)
    image = Image(pixels(1, 70, 90), (1.0, 1.0), "mm")
    scene = scene_of(image, model.card)
    assert scene.record is None
    np.testing.assert_array_equal(scene.pixels, preprocess_image(image, model.card.plan))


def test_channels_that_do_not_fit_are_refused(make_model: MakeModel) -> None:
    with pytest.raises(GeometryError, match="found 2 channels; expected 1"):
        scene_of(Image(pixels(2, 8, 8)), make_model().card)


def test_predictions_are_those_of_the_whole_image_prepared(make_model: MakeModel) -> None:
    model = make_model(normalization="standardize", color="rgb", n_channels=3)
    engine, image = TorchEngine(model, "fp32"), Image(pixels(3, 200, 170))
    prepared = Scene(preprocess_image(image, model.card.plan))
    expected = predict_prepared(prepared, model.card, engine, tiling_of(model.card))
    np.testing.assert_array_equal(predict_raw(image, model, engine), expected)
