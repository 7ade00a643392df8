"""Block by block, from disk to disk: the same as in one pass, whatever the grid."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.events import Event
from seglet.core.grid import Region
from seglet.core.image import Image, StoredImage
from seglet.model import Model, PredictConfig, untrained
from seglet.networks.unet2015 import UNet2015Config
from seglet.postprocessing.labels import to_labels
from seglet.prediction import blocks
from seglet.prediction.blocks import predict_blocks
from seglet.prediction.engines.engine import Engine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.tiled import predict_image
from seglet.prediction.tiling import Tiling

MakeModel = Callable[..., Model]

LYING = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
BACKWARDS = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0)


def store(image: Image, most: int | None = None) -> StoredImage:
    """An image as if on disk; boxes of more than `most` pixels may not be read."""

    def read(box: tuple[slice, ...]) -> NDArray[Any]:
        pixels = image.pixels[(slice(None), *box)]
        assert most is None or pixels.size <= most
        return pixels

    return StoredImage(
        image.pixels.shape, image.pixels.dtype, read, True, image.spacing, image.unit, (), image.direction
    )


class Sheet:
    """Where blocks are written; each pixel once."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.labels = np.zeros(shape, np.uint8)
        self.times = np.zeros(shape, int)

    def write(self, region: Region, labels: NDArray[np.uint8]) -> None:
        self.labels[region.slices] = labels
        self.times[region.slices] += 1


def random_image(*shape: int, **grid: Any) -> Image:
    return Image(np.random.default_rng(2).random((1, *shape), np.float32), **grid)


def in_blocks(image: Image, model: Model) -> NDArray[np.uint8]:
    sheet = Sheet(image.shape)
    predict_blocks(store(image), model, TorchEngine(model, "fp32"), sheet.write)
    assert (sheet.times == 1).all()
    return sheet.labels


def median_threshold(model: Model, image: Image) -> Model:
    """The same model with a threshold that half of the pixels exceed, so that classes are mixed."""
    probabilities = predict_image(image, model, TorchEngine(model, "fp32"))
    return replace(model, card=model.card.model_copy(update={"threshold": float(np.median(probabilities))}))


Size = tuple[int, int, int, int]


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    margin = draw(st.integers(0, 6))
    window = draw(st.integers(2 * margin + 1, 2 * margin + 15))
    return draw(st.integers(1, 40)), window, margin, draw(st.sampled_from([1, 2, 8]))


@settings(max_examples=60, deadline=None)
@given(st.lists(sizes(), min_size=2, max_size=3))
def test_cores_partition_every_image_and_lie_in_their_blocks(axes: list[Size]) -> None:
    shape, *columns = zip(*axes, strict=True)
    tiling = Tiling(*columns)
    written = np.zeros(shape, int)
    for block, core in blocks._blocks(shape, tiling):
        written[core.slices] += 1
        assert block.within(shape).start <= core.start
        for a, b, c, d, n in zip(block.start, core.start, core.stop, block.stop, shape, strict=True):
            assert a <= b < c <= d
            assert c <= n
        assert all(n % m == 0 for n, m in zip(block.shape, tiling.multiple, strict=True))
    assert (written == 1).all()


def test_probabilities_of_blocks_equal_one_pass(make_volume_model: MakeModel) -> None:
    """With a margin as wide as the network looks, a block knows all that one pass knows."""
    model = make_volume_model(patch_size=(24, 32, 32))
    image = random_image(60, 90, 76)
    engine = TorchEngine(model, "fp32")
    stored, card = store(image), model.card
    tiling = blocks._tiling_on(stored, card.plan, Tiling((24, 32, 32), (6, 8, 8), (1, 2, 2)))
    whole = engine.run(image.pixels[None])[0]
    record = blocks.normalization_of(stored, card.plan)
    seen = 0
    for block, core in blocks._blocks(image.shape, tiling):
        read = blocks._read_block(stored, block, record, card)
        difference = blocks._predict_core(read, core, model, engine) - whole[(..., *core.slices)]
        if all(a > 8 and b < n - 8 for a, b, n in zip(core.start, core.stop, image.shape, strict=True)):
            assert np.abs(difference).max() < 1e-3
            seen += 1
    assert seen >= 2


@pytest.mark.parametrize("shape", [(130, 200), (40, 51)])
def test_labels_of_an_image_equal_those_in_memory(make_model: MakeModel, shape: tuple[int, int]) -> None:
    image = random_image(*shape)
    model = median_threshold(make_model(), image)
    expected = to_labels(predict_image(image, model, TorchEngine(model, "fp32")), model.card.threshold)
    found = in_blocks(image, model)
    assert (found == expected).mean() > 0.995  # windows in memory blend where blocks do not
    assert 0.3 < found.mean() < 0.7


def test_blocks_are_moved_to_where_annotations_stand_as_one_pass_is(make_model: MakeModel) -> None:
    """At the border of the image too, where there is nothing beyond it in one pass."""
    image = random_image(150, 190)
    model = make_model()
    card = model.card.predicting(window=96, margin=24).model_copy(update={"offset": (0.6, -1.3)})
    model = median_threshold(replace(model, card=card), image)
    there = to_labels(predict_image(image, model, TorchEngine(model, "fp32")), model.card.threshold)
    same = in_blocks(image, model) == there
    assert same.mean() > 0.995
    for rim in (same[0], same[-1], same[:, 0], same[:, -1]):
        assert rim.mean() > 0.97
    unmoved = replace(model, card=card.model_copy(update={"offset": None}))
    assert (in_blocks(image, unmoved) == there).mean() < 0.95


@pytest.mark.parametrize("mode", ["3d", "slices"])
def test_labels_of_a_volume_equal_those_in_memory(
    make_model: MakeModel, make_volume_model: MakeModel, mode: str
) -> None:
    image = random_image(20, 70, 66)
    model = make_volume_model(3) if mode == "3d" else make_model(3, mode="slices", slice_axis=0)
    expected = to_labels(predict_image(image, model, TorchEngine(model, "fp32")), 0.5)
    assert (in_blocks(image, model) == expected).mean() > 0.995


@pytest.mark.parametrize("mode", ["3d", "slices"])
def test_volumes_on_their_side_and_of_another_spacing_come_back_in_place(
    make_model: MakeModel, make_volume_model: MakeModel, mode: str
) -> None:
    """A smooth volume, so that resampling it in parts or as a whole makes no difference of note."""
    z, y, x = np.meshgrid(*(np.linspace(0, 6, n) for n in (60, 50, 18)), indexing="ij")
    smooth = (np.sin(z) * np.cos(y + x) / 2 + 0.5).astype(np.float32)[None]
    image = Image(smooth, (0.5, 1.0, 2.0), "mm", (), LYING)
    model = (
        make_volume_model(spacing=(2.0, 1.0, 1.0), unit="mm")
        if mode == "3d"
        else make_model(mode="slices", spacing=(1.0, 1.0), unit="mm")
    )
    model = median_threshold(model, image)
    expected = to_labels(predict_image(image, model, TorchEngine(model, "fp32")), model.card.threshold)
    found = in_blocks(image, model)
    assert found.shape == (60, 50, 18)
    assert (found == expected).mean() > 0.95


def test_no_more_than_a_block_is_read_at_once(make_volume_model: MakeModel) -> None:
    model = make_volume_model()
    image = random_image(50, 120, 120)
    sheet = Sheet(image.shape)
    most = int(1.5**3 * 16 * 32 * 32)  # windows are up to half a core longer than wished
    stored = store(image, most)
    assert image.pixels.size > 8 * most
    record = blocks.normalization_of(store(image), model.card.plan)
    engine = TorchEngine(model, "fp32")
    told: list[Event] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "normalization_of", lambda *_: record)
        predict_blocks(stored, model, engine, sheet.write, told.append)
    assert (sheet.times == 1).all()
    assert told[-1].done == told[-1].total == len(told)


def test_a_model_of_one_fixed_size_is_refused(make_model: MakeModel) -> None:
    model = make_model(resize=(32, 32))
    with pytest.raises(GeometryError, match="resize"):
        predict_blocks(store(random_image(40, 40)), model, TorchEngine(model), Sheet((40, 40)).write)


def test_undefined_values_are_refused(make_model: MakeModel) -> None:
    image = random_image(40, 40)
    image.pixels[0, 3, 3] = np.nan  # type: ignore[index]
    model = make_model()
    with pytest.raises(FormatError, match="infinite or undefined"):
        predict_blocks(store(image), model, TorchEngine(model), Sheet((40, 40)).write)


def test_a_region_is_predicted_as_its_surroundings_let_it(make_model: MakeModel) -> None:
    image, model = random_image(128, 160), make_model()
    engine = TorchEngine(model, "fp32")
    whole = engine.run(image.pixels[None])[0]
    region = Region((40, 32), (90, 96))
    found = blocks.predict_region(store(image), region, model, engine)
    assert found.shape == (1, 50, 64)
    assert np.abs(found - whole[(slice(None), *region.slices)]).max() < 1e-3
    around = blocks.block_around(store(image), region, model.card)
    assert (around.start, around.shape) == ((24, 16), (96, 96))


def test_where_nothing_was_written_there_is_background(make_model: MakeModel) -> None:
    image = random_image(200, 300)
    model = make_model()
    eager = replace(model, card=model.card.model_copy(update={"threshold": 0.0}))
    sheet = Sheet(image.shape)
    sparse = replace(store(image), is_written=lambda box: box[1].start < 100)
    predict_blocks(sparse, eager, TorchEngine(eager, "fp32"), sheet.write)
    assert (sheet.times == 1).all()
    assert sheet.labels[:, :100].all()
    assert not sheet.labels[:, 200:].any()


def test_a_volume_without_anything_in_it_is_refused_by_a_model_of_images(make_model: MakeModel) -> None:
    model = make_model()
    empty = replace(store(random_image(10, 40, 40)), is_written=lambda box: False)
    with pytest.raises(GeometryError, match="volume"):
        predict_blocks(empty, model, TorchEngine(model), Sheet((10, 40, 40)).write)


def unpadded(make: MakeModel, window: int | None = None, rotations: int = 1, **plan: Any) -> Model:
    """A small original U-Net: two levels, 8 lost at either end, legal sizes 2 apart."""
    card = make(is_valid=True, **plan).card
    said = PredictConfig(window=window, rotations=rotations)
    model = untrained(card.model_copy(update={"network": UNet2015Config(), "predict": said}))
    model.network.eval()
    return model


class Echo:
    """An engine that says what it sees, but for a margin: what blocks make of it is geometry alone."""

    def __init__(self, lost: int) -> None:
        self.inside = slice(lost, -lost or None)

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        return windows[:, :1, self.inside, self.inside]

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        return self, 1


def waves(*spacing: float) -> Image:
    y, x = np.meshgrid(np.linspace(0, 9, 140), np.linspace(0, 7, 100), indexing="ij")
    return Image((np.sin(y) * np.cos(x) / 2 + 0.5).astype(np.float32)[None], spacing, "mm")


def assembled(image: Image, model: Model, engine: Engine | None = None) -> NDArray[np.float32]:
    """Probabilities of all blocks, put together."""
    stored, engine = store(image), engine or TorchEngine(model, "fp32")
    record = blocks.normalization_of(stored, model.card.plan)
    whole = np.full((1, *image.shape), np.nan, np.float32)
    for block, core in blocks.blocks_of(stored, model.card):
        found = blocks._predict_core(
            blocks._read_block(stored, block, record, model.card), core, model, engine
        )
        whole[(slice(None), *core.slices)] = found
    return whole


@pytest.mark.parametrize("shape", [(130, 101), (12, 90), (44, 44)])
@pytest.mark.parametrize("window", [None, 30, 77])
def test_blocks_of_unpadded_convolutions_are_exact(
    make_model: MakeModel, shape: tuple[int, int], window: int | None
) -> None:
    model, image = unpadded(make_model, window, patch_size=(60, 44)), random_image(*shape)
    expected = predict_image(image, model, TorchEngine(model, "fp32"))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(assembled(image, model), expected, atol=1e-6)


def test_blocks_of_unpadded_convolutions_in_slices_and_volumes_are_exact(
    make_model: MakeModel, make_volume_model: MakeModel
) -> None:
    sizes = {"strides": ((1, 2, 2), (2, 2, 2)), "kernels": ((1, 3, 3), (3, 3, 3), (3, 3, 3))}
    volume = unpadded(make_volume_model, 44, channels=(2, 4, 8), patch_size=(24, 60, 60), **sizes)
    slices = unpadded(make_model, 40, mode="slices", slice_axis=1)
    for model, direction in product((volume, slices), ((), LYING, BACKWARDS)):
        image = random_image(21, 50, 37, spacing=(1.0,) * 3, unit="mm", direction=direction)
        engine = TorchEngine(model, "fp32")
        expected = predict_image(image, model, engine)
        np.testing.assert_allclose(assembled(image, model), expected, atol=1e-5)
        region = Region((2, 13, 5), (15, 34, 30))
        found = blocks.predict_region(store(image), region, model, engine)
        np.testing.assert_allclose(found, expected[(slice(None), *region.slices)], atol=1e-5)


def test_blocks_of_unpadded_convolutions_come_back_from_another_spacing(make_model: MakeModel) -> None:
    image, model = waves(0.7, 1.0), unpadded(make_model, 50, spacing=(1.0, 1.0), unit="mm")
    expected = predict_image(image, model, Echo(8))
    np.testing.assert_allclose(expected, image.pixels, atol=0.02)
    np.testing.assert_allclose(assembled(image, model, Echo(8)), expected, atol=0.02)


def test_a_region_is_predicted_exactly_by_unpadded_convolutions(make_model: MakeModel) -> None:
    image, model = random_image(130, 101), unpadded(make_model, patch_size=(60, 44))
    engine = TorchEngine(model, "fp32")
    expected = predict_image(image, model, engine)
    for region in (Region((0, 0), (130, 40)), Region((33, 51), (70, 101)), Region((7, 8), (8, 9))):
        found = blocks.predict_region(store(image), region, model, engine)
        np.testing.assert_allclose(found, expected[(slice(None), *region.slices)], atol=1e-6)
    around = blocks.block_around(store(image), Region((33, 51), (70, 101)), model.card)
    assert around == Region((24, 42), (78, 110)), "8 from 32 and 50 on, the last whole phases"


def test_blocks_of_windows_a_stride_apart_are_exact(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "WINDOW", 40)
    plain = make_model()
    card = plain.card.model_copy(update={"predict": PredictConfig(window=24, stride=7)})
    model, image = Model(plain.network, card), random_image(150, 97)
    engine = TorchEngine(model, "fp32")
    expected = predict_image(image, model, engine)
    np.testing.assert_allclose(assembled(image, model), expected, atol=1e-5)
    region = Region((33, 51), (70, 97))
    found = blocks.predict_region(store(image), region, model, engine)
    np.testing.assert_allclose(found, expected[(slice(None), *region.slices)], atol=1e-5)


@pytest.mark.parametrize("direction", [(), LYING, BACKWARDS])
def test_blocks_of_a_volume_start_where_its_windows_do(
    make_volume_model: MakeModel, direction: tuple[float, ...]
) -> None:
    plain = make_volume_model()
    card = plain.card.model_copy(update={"predict": PredictConfig(window=8, stride=3)})
    model = Model(plain.network, card)
    image = random_image(41, 38, 42, spacing=(1.0,) * 3, unit="mm", direction=direction)
    expected = predict_image(image, model, TorchEngine(model, "fp32"))
    np.testing.assert_allclose(assembled(image, model), expected, atol=1e-5)


@pytest.mark.parametrize("is_valid", [False, True])
def test_turned_blocks_come_close_to_the_turned_whole(make_model: MakeModel, is_valid: bool) -> None:
    """A block is turned about its own center."""
    if is_valid:
        model = unpadded(make_model, 60, rotations=3)
    else:
        plain = make_model()
        said = PredictConfig(window=64, margin=16, rotations=3)
        model = Model(plain.network, plain.card.model_copy(update={"predict": said}))
    engine, image = Echo(8 if is_valid else 0), waves()
    expected = predict_image(image, model, engine)
    np.testing.assert_allclose(expected, image.pixels, atol=0.01)
    np.testing.assert_allclose(assembled(image, model, engine), expected, atol=0.01)
