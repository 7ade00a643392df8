from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.events import Event
from seglet.core.image import Image
from seglet.core.tiling import stripes
from seglet.model import Model, PredictConfig, untrained
from seglet.patches.targets import TargetConfig
from seglet.prediction import tiling
from seglet.prediction.engines.engine import Engine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.scenes import Scene
from seglet.prediction.tiled import (
    first_batch,
    n_seen,
    predict_image,
    predict_prepared,
    predict_raw,
    predict_windows,
)
from seglet.prediction.tiling import MULTIPLE, Tiling, tiling_of
from seglet.preprocessing.transform import preprocess_image

MakeModel = Callable[..., Model]

REACH = (
    5  # px; how far the (4, 8) network of one convolution a block looks: 1 + 2 * 1 + 1, and one of pooling
)


def pixels(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).random((1, *shape), np.float32)


def flat(window: int, margin: int) -> Tiling:
    return Tiling((window,) * 2, (margin,) * 2, (MULTIPLE,) * 2)


def windows_of(
    image: NDArray[np.float32], engine: TorchEngine, window: int = 64, margin: int = 16
) -> NDArray[np.float32]:
    return predict_windows([Scene(image)], engine, flat(window, margin))[0]


def seen_whole(n: int, window: int, margin: int, multiple: int = MULTIPLE) -> NDArray[np.bool_]:
    """Pixels of an axis that no window sees from nearer to its edge than the network looks."""
    found = np.ones(n, bool)
    for stripe in stripes(n, window, margin, multiple):
        ends = np.r_[:REACH, stripe.extent - REACH : stripe.extent] + stripe.start
        found[ends[(ends >= 0) & (ends < n)]] = False
    found[: 2 * REACH] = found[-2 * REACH :] = False  # there the network pads, and the windows mirror
    return found


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shape", [(192, 160), (197, 151)])
def test_windows_equal_one_pass_wherever_they_see_as_far_as_the_network_looks(
    make_model: MakeModel, n_classes: int, shape: tuple[int, int]
) -> None:
    model = make_model(n_classes)
    image = pixels(*shape)
    engine = TorchEngine(model, "fp32")
    found = windows_of(image, engine)
    whole = engine.run(image[None])[0]
    trusted = np.outer(*(seen_whole(n, 64, 16) for n in shape))
    assert trusted.mean() > 0.2
    np.testing.assert_allclose(found[:, trusted], whole[:, trusted], atol=1e-5)
    assert np.abs(found - whole)[:, 10:-10, 10:-10].max() < 0.05, "elsewhere such windows count for little"


def test_the_network_looks_as_far_as_these_tests_say(make_model: MakeModel) -> None:
    image = torch.zeros(1, 1, 64, 64, requires_grad=True)
    make_model().network(image)[0, 0, 32, 33].backward()
    assert image.grad is not None
    y, x = torch.nonzero(image.grad[0, 0], as_tuple=True)
    assert max((y - 32).abs().max(), (x - 33).abs().max()) <= REACH


def test_a_wider_margin_comes_closer_to_one_pass(make_model: MakeModel) -> None:
    engine = TorchEngine(make_model(), "fp32")
    image = pixels(192, 160)
    whole = engine.run(image[None])[0]
    errors = [
        np.abs(windows_of(image, engine, 64, margin) - whole)[:, 10:-10, 10:-10].mean() for margin in (0, 16)
    ]
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (5, 300), (33, 47), (64, 64), (65, 129), (131, 70)])
def test_any_size_is_predicted_whole(make_model: MakeModel, shape: tuple[int, int], n_classes: int) -> None:
    model = make_model(n_classes)
    found = predict_image(Image(pixels(*shape)), model, TorchEngine(model, "fp32"))
    assert found.shape == (1 if n_classes == 2 else n_classes, *shape)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-5
    if n_classes > 2:
        np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_a_constant_answer_stays_constant_across_all_seams(make_model: MakeModel) -> None:
    model = make_model()
    for p in model.network.head.parameters():
        torch.nn.init.constant_(p, 0.0)
    found = predict_image(Image(pixels(150, 101)), model, TorchEngine(model, "fp32"))
    np.testing.assert_allclose(found, 0.5, atol=1e-6)


def test_how_many_windows_run_at_once_does_not_matter(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    image = pixels(150, 101)
    together = windows_of(image, TorchEngine(model, "fp32"))
    monkeypatch.setattr(tiling, "PIXELS_AT_ONCE", 1)
    one_by_one = windows_of(image, TorchEngine(model, "fp32"))
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)


def test_progress_is_told_and_ends_at_the_total(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiling, "PIXELS_AT_ONCE", 1)
    told: list[Event] = []
    predict_windows([Scene(pixels(100, 100))], TorchEngine(make_model(), "fp32"), flat(64, 16), told.append)
    assert [event.done for event in told] == list(range(1, told[-1].total + 1))
    assert told[-1].total > 1


def test_results_come_back_at_the_images_own_size_when_the_plan_resizes(make_model: MakeModel) -> None:
    model = make_model(3, resize=(32, 48))
    found = predict_image(Image(pixels(51, 37)), model, TorchEngine(model, "fp32"))
    assert found.shape == (3, 51, 37)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_eight_and_sixteen_bits_of_one_picture_are_predicted_alike(make_model: MakeModel) -> None:
    model = make_model(normalization="standardize")
    eight = np.random.default_rng(2).integers(0, 256, (1, 40, 50), dtype=np.uint8)
    engine = TorchEngine(model, "fp32")
    versions: list[NDArray[np.generic]] = [eight.astype(np.uint16) * 257, eight.astype(np.float32) / 255]
    expected = predict_image(Image(eight), model, engine)
    for version in versions:
        np.testing.assert_allclose(predict_image(Image(version), model, engine), expected, atol=1e-4)


def test_channels_that_do_not_fit_are_said_so(make_model: MakeModel) -> None:
    model = make_model()
    with pytest.raises(GeometryError, match=r"found 2 channels; expected 1"):
        predict_image(Image(np.zeros((2, 8, 8), np.uint8)), model, TorchEngine(model, "fp32"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_undefined_values_are_refused(make_model: MakeModel, value: float) -> None:
    model = make_model()
    image = pixels(8, 8)
    image[0, 3, 3] = value
    with pytest.raises(FormatError, match="infinite or undefined"):
        predict_image(Image(image), model, TorchEngine(model, "fp32"))


def volume(*shape: int, **grid: Any) -> Image:
    return Image(np.random.default_rng(4).random((1, *shape), np.float32), **grid)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 40, 70), (40, 33, 35), (16, 32, 32), (9, 100, 5)])
def test_volumes_of_any_size_are_predicted_whole(
    make_volume_model: MakeModel, shape: tuple[int, ...], n_classes: int
) -> None:
    model = make_volume_model(n_classes=n_classes)
    found = predict_image(volume(*shape), model, TorchEngine(model, "fp32"))
    assert found.shape == (1 if n_classes == 2 else n_classes, *shape)
    assert np.isfinite(found).all()
    if n_classes > 2:
        np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_windows_of_volumes_equal_one_pass_wherever_they_see_as_far_as_the_network_looks(
    make_volume_model: MakeModel,
) -> None:
    engine = TorchEngine(make_volume_model(), "fp32")
    images = np.random.default_rng(1).random((1, 1, 80, 96, 104), np.float32)
    tiling = Tiling((32, 48, 48), (8, 12, 12), (1, 8, 8))
    found, whole = predict_windows([Scene(images[0])], engine, tiling)[0, 0], engine.run(images)[0, 0]
    sizes = zip(found.shape, tiling.window, tiling.margin, tiling.multiple, strict=True)
    trusted = reduce(np.logical_and.outer, [seen_whole(*along) for along in sizes])
    assert trusted.mean() > 0.05
    np.testing.assert_allclose(found[trusted], whole[trusted], atol=1e-5)
    assert np.abs(found - whole)[10:-10, 10:-10, 10:-10].mean() < 5e-3


def test_slices_of_a_volume_are_predicted_as_images(make_model: MakeModel) -> None:
    """The stack of a volume's slices equals what the same network says of each slice alone."""
    flat_model = make_model(3, normalization="divide")
    stacked = make_model(3, normalization="divide", mode="slices", slice_axis=1)
    stacked.network.load_state_dict(flat_model.network.state_dict())
    image = volume(70, 5, 81)
    found = predict_image(image, stacked, TorchEngine(stacked, "fp32"))
    assert found.shape == (3, 70, 5, 81)
    for number in range(5):
        one = predict_image(Image(image.pixels[:, :, number]), flat_model, TorchEngine(flat_model, "fp32"))
        np.testing.assert_allclose(found[:, :, number], one, atol=1e-5)


@pytest.mark.parametrize("mode", ["3d", "slices"])
def test_volumes_come_back_on_their_own_grid(
    make_model: MakeModel, make_volume_model: MakeModel, mode: str
) -> None:
    """A volume that lies on its side, of another spacing, is predicted as the upright one at the plan's."""
    lying = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # file axes lead to the back, the right, the head
    model = (
        make_volume_model(spacing=(2.0, 1.0, 1.0), unit="mm")
        if mode == "3d"
        else make_model(mode="slices", spacing=(1.0, 1.0), unit="mm")
    )
    image = volume(24, 26, 12, spacing=(1.0, 0.5, 2.0), unit="mm", direction=lying)
    assert preprocess_image(image, model.card.plan).shape == (1, 12, 24, 13)
    found = predict_image(image, model, TorchEngine(model, "fp32"))
    assert found.shape == (1, 24, 26, 12)
    standing = Image(np.flip(image.pixels.transpose(0, 3, 1, 2), 3), (2.0, 1.0, 0.5), "mm")
    upright = predict_image(standing, model, TorchEngine(model, "fp32"))
    np.testing.assert_allclose(np.flip(found.transpose(0, 3, 1, 2), 3), upright, atol=1e-5)


def test_volumes_are_refused_by_a_model_of_images(
    make_model: MakeModel, make_volume_model: MakeModel
) -> None:
    flat_model, model = make_model(), make_volume_model()
    with pytest.raises(GeometryError, match="volume"):
        predict_image(volume(8, 8, 8), flat_model, TorchEngine(flat_model, "fp32"))
    with pytest.raises(GeometryError, match="flat image"):
        predict_image(Image(pixels(8, 8)), model, TorchEngine(model, "fp32"))


class Echo:
    """An engine that says what it sees, and remembers it."""

    def __init__(self, lanes: int = 1) -> None:
        self.seen: list[NDArray[np.float32]] = []
        self._lanes = lanes

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen += list(windows)
        return windows[:, :1].copy()

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        return self, min(lanes, self._lanes)


def with_predict(model: Model, **said: Any) -> Model:
    return Model(model.network, model.card.model_copy(update={"predict": PredictConfig(**said)}))


def test_windows_a_stride_apart_are_exact_patches_and_their_plain_mean(make_model: MakeModel) -> None:
    """Window by window, as slowly as can be: 4 by 3 patches of an image that is mirrored at its far end."""
    model = with_predict(make_model(), window=20, stride=7)
    image = pixels(41, 30)
    engine = TorchEngine(model, "fp32")
    extended = np.pad(image, [(0, 0), (0, 20), (0, 20)], mode="reflect")
    total, count = np.zeros((61, 50)), np.zeros((61, 50))
    for y in (0, 7, 14, 21):
        for x in (0, 7, 14):
            there = (slice(y, y + 20), slice(x, x + 20))
            total[there] += engine.run(extended[None, :, *there])[0, 0]
            count[there] += 1
    found = predict_prepared(Scene(image), model.card, engine, tiling_of(model.card))
    np.testing.assert_allclose(found[0], (total / np.maximum(count, 1))[:41, :30], atol=1e-6)
    echo = Echo()
    predict_prepared(Scene(image), model.card, echo, tiling_of(model.card))
    assert len(echo.seen) == 12
    np.testing.assert_array_equal(echo.seen[5], extended[:, 7:27, 14:34])


def test_volumes_have_windows_a_stride_apart_too(make_volume_model: MakeModel) -> None:
    model = with_predict(make_volume_model(), window=8, stride=4)
    image = volume(10, 17, 20)
    echo = Echo()
    found = predict_prepared(Scene(image.pixels), model.card, echo, tiling_of(model.card))
    np.testing.assert_allclose(found, image.pixels, atol=1e-6)
    assert len(echo.seen) == 2 * 4 * 4
    assert n_seen((10, 17, 20), model.card) == 2 * 4 * 4 * 8**3


@pytest.mark.parametrize(("window", "rotations"), [(32, 1), (48, 3)])
def test_the_network_sees_as_many_pixels_as_foretold(
    make_model: MakeModel, window: int, rotations: int
) -> None:
    model = with_predict(make_model(mode="slices"), window=window, rotations=rotations)
    echo = Echo()
    predict_prepared(Scene(pixels(3, 70, 90)), model.card, echo, tiling_of(model.card))
    assert n_seen((3, 70, 90), model.card) == sum(seen[0].size for seen in echo.seen)


def test_the_mean_of_four_quarter_turns(make_model: MakeModel) -> None:
    model = with_predict(make_model(), window=64, rotations=4)
    engine, image = TorchEngine(model, "fp32"), pixels(48, 48)
    each = [np.rot90(engine.run(np.rot90(image[None], k, (2, 3)))[0, 0], -k) for k in range(4)]
    found = predict_prepared(Scene(image), model.card, engine, Tiling((48,) * 2, (0,) * 2, (2,) * 2))
    np.testing.assert_allclose(found[0], np.mean(each, axis=0), atol=1e-5)
    assert np.abs(found[0] - each[0]).max() > 1e-3


def test_one_version_is_the_plain_path(make_model: MakeModel) -> None:
    model = with_predict(make_model(), window=64, rotations=1)
    engine, image = TorchEngine(model, "fp32"), pixels(70, 80)
    plain = predict_windows([Scene(image)], engine, tiling_of(model.card))[0]
    np.testing.assert_array_equal(
        predict_prepared(Scene(image), model.card, engine, tiling_of(model.card)), plain
    )


def smooth(*shape: int) -> NDArray[np.float32]:
    """Waves longer than interpolation minds."""
    places = np.meshgrid(*(np.arange(n) / 9 for n in shape), indexing="ij")
    return (np.sin(places[-1]) * np.cos(0.7 * places[-2]) / 2 + 0.5).astype(np.float32)[None]


@pytest.mark.parametrize("shape", [(90, 61), (4, 50, 60)])
def test_turned_versions_of_what_has_no_direction_agree(
    make_model: MakeModel, make_volume_model: MakeModel, shape: tuple[int, ...]
) -> None:
    """An engine that says what it sees: only interpolation tells the versions apart, at the border too."""
    model = make_model() if len(shape) == 2 else make_volume_model(steps=(5.0, 1.0, 2.0))
    model = with_predict(model, window=32, rotations=7)
    image = smooth(*shape)
    found = predict_prepared(Scene(image), model.card, Echo(), tiling_of(model.card))
    assert np.abs(found - image).max() < 0.02


@pytest.mark.parametrize(("kind", "k"), [("classes", 1), ("borders", 3), ("distance", 2)])
def test_all_that_the_network_says_stays_within_reach(make_model: MakeModel, kind: str, k: int) -> None:
    model = make_model()
    card = model.card.model_copy(update={"targets": TargetConfig(kind=kind)})  # type: ignore[arg-type]
    model = untrained(card)
    model.network.eval()
    engine, image = TorchEngine(model, "fp32"), Image(pixels(70, 90))
    raw = predict_raw(image, model, engine)
    assert raw.shape == (k, 70, 90)
    found = predict_image(image, model, engine)
    assert found.shape == (1, 70, 90)
    np.testing.assert_allclose(found[0], raw[1] + raw[2] if kind == "borders" else raw[0], atol=1e-6)


def test_two_channels_of_two_classes_are_one_plane(make_model: MakeModel) -> None:
    plain = make_model()
    network = plain.card.network.model_copy(update={"head": "softmax"})
    model = untrained(plain.card.model_copy(update={"network": network}))
    model.network.eval()
    image = pixels(32, 32)
    with torch.no_grad():
        logits = model.network(torch.from_numpy(image)[None])
    assert logits.shape[1] == 2
    found = predict_image(Image(image), model, TorchEngine(model, "fp32"))
    np.testing.assert_allclose(found[0], torch.softmax(logits, 1)[0, 1].numpy(), atol=1e-5)


@pytest.mark.parametrize("lanes", [1, 2])
def test_windows_that_are_run_at_the_same_time_end_where_they_belong(
    make_model: MakeModel, lanes: int
) -> None:
    image = np.random.default_rng(0).random((1, 150, 130), np.float32)
    found = predict_windows([Scene(image)], Echo(lanes), tiling_of(make_model(window=48, margin=8).card))
    np.testing.assert_allclose(found[0], image, atol=1e-6)


class Asked(Echo):
    """Remembers the batches, and how many lanes were offered."""

    def __init__(self) -> None:
        super().__init__(lanes=2)
        self.batches: list[tuple[int, ...]] = []
        self.offered = [1]

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(windows.shape)
        return super().run(windows)

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        self.offered.append(lanes)
        return super().abreast(shape, lanes)


@pytest.mark.parametrize("at_once", [1, 2, 100])
@pytest.mark.parametrize("shape", [(20, 31), (100, 90), (200, 170)])
def test_the_first_batch_is_the_one_that_was_foretold(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], at_once: int
) -> None:
    monkeypatch.setattr(tiling, "PIXELS_AT_ONCE", at_once * 64 * 64)
    engine, model = Asked(), make_model(window=48, margin=8)
    predict_raw(Image(pixels(*shape)), model, engine)
    assert first_batch(shape, model.card) == (engine.batches[0], engine.offered[-1])
