from collections.abc import Callable

import numpy as np
import pytest

from seglet.core.errors import GeometryError
from seglet.core.image import Image
from seglet.model import Model
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.predictor import Predictor, as_image
from seglet.prediction.tiled import predict_image

MakeModel = Callable[..., Model]
RNG = np.random.default_rng(0)


def test_an_array_is_predicted_like_an_image(make_model: MakeModel) -> None:
    model = make_model()
    array = RNG.integers(0, 256, (45, 39), dtype=np.uint8)
    predictor = Predictor(model, "fp32")
    expected = predict_image(Image(array[None]), model, TorchEngine(model, "fp32"))
    np.testing.assert_array_equal(predictor.probabilities(array), expected)
    assert predictor.probabilities(array).shape == (1, 45, 39)


def test_classes_follow_the_models_own_threshold(make_model: MakeModel) -> None:
    model = make_model()
    array = RNG.integers(0, 256, (45, 39), dtype=np.uint8)
    probabilities = Predictor(model, "fp32").probabilities(array)[0]
    threshold = float(np.quantile(probabilities, 0.7))
    card = model.card.model_copy(update={"threshold": threshold})
    found = Predictor(Model(model.network, card), "fp32").predict(array)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, probabilities > threshold)


def test_several_classes_are_told_apart_by_the_largest_probability(make_model: MakeModel) -> None:
    predictor = Predictor(make_model(3), "fp32")
    array = RNG.random((20, 24))
    np.testing.assert_array_equal(predictor.predict(array), predictor.probabilities(array).argmax(axis=0))


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((20, 30), 1),
        ((20, 30, 1), 1),
        ((20, 30, 3), 3),
        ((20, 30, 4), 3),
        ((3, 20, 30), 3),
        ((4, 20, 30), 3),
        ((1, 20, 30), 1),
    ],
)
def test_channels_may_stand_first_or_last_and_alpha_is_dropped(shape: tuple[int, ...], channels: int) -> None:
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    image = as_image(array)
    assert image.pixels.shape == (channels, 20, 30)
    if len(shape) == 3:
        first = array if shape[-1] == 30 else np.moveaxis(array, -1, 0)
        np.testing.assert_array_equal(image.pixels, first[:channels])


@pytest.mark.parametrize("shape", [(5,), (20, 30, 7), (2, 20, 30, 3), ()])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match=r"found shape .* expected \(y, x\)"):
        as_image(np.zeros(shape))


def test_a_color_image_is_grayed_for_a_gray_model(make_model: MakeModel) -> None:
    predictor = Predictor(make_model(), "fp32")
    gray = RNG.integers(0, 256, (32, 32), dtype=np.uint8)
    color = np.repeat(gray[..., None], 3, axis=-1)
    np.testing.assert_allclose(predictor.probabilities(color), predictor.probabilities(gray), atol=1e-4)


@pytest.mark.parametrize("n_channels", [4, 5, 7])
def test_a_model_of_many_channels_takes_all_of_them_first_or_last(
    make_model: MakeModel, n_channels: int
) -> None:
    predictor = Predictor(make_model(color="as_is", n_channels=n_channels), "fp32")
    last = RNG.integers(0, 256, (20, 30, n_channels), dtype=np.uint8)
    expected = predict_image(
        Image(np.moveaxis(last, -1, 0)), predictor.model, TorchEngine(predictor.model, "fp32")
    )
    np.testing.assert_allclose(predictor.probabilities(last), expected, atol=1e-5)
    np.testing.assert_allclose(predictor.probabilities(np.moveaxis(last, -1, 0)), expected, atol=1e-5)
    with pytest.raises(GeometryError, match=f"with {n_channels} channels"):
        predictor.probabilities(last[..., :3])


@pytest.mark.parametrize("mode", ["3d", "slices"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_volumes_are_taken_with_channels_first_or_last(
    make_model: MakeModel, make_volume_model: MakeModel, mode: str, n_channels: int
) -> None:
    make = make_volume_model if mode == "3d" else make_model
    predictor = Predictor(make(mode=mode, color="as_is", n_channels=n_channels), "fp32")
    first = RNG.random((n_channels, 3, 20, 24))
    expected = predict_image(Image(first), predictor.model, TorchEngine(predictor.model, "fp32"))
    versions = [first, np.moveaxis(first, 0, -1), Image(first)] + ([first[0]] if n_channels == 1 else [])
    for version in versions:
        np.testing.assert_array_equal(predictor.probabilities(version), expected)
    with pytest.raises(GeometryError, match=r"\(z, y, x\)"):
        predictor.probabilities(RNG.random((20, 24)))


def test_few_slices_are_not_taken_for_channels() -> None:
    assert as_image(np.zeros((3, 20, 24)), 1, n_axes=3).pixels.shape == (1, 3, 20, 24)
    with pytest.raises(GeometryError):
        as_image(np.zeros((3, 5, 20, 24)), 1, n_axes=3)
