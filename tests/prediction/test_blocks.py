"""Block by block, from disk to disk: the same as in one pass, whatever the grid."""

from collections.abc import Callable
from dataclasses import replace
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
from seglet.model import Model
from seglet.postprocessing.labels import to_labels
from seglet.prediction import blocks
from seglet.prediction.blocks import predict_blocks
from seglet.prediction.engines import TorchEngine
from seglet.prediction.tiled import Tiling, predict_image

MakeModel = Callable[..., Model]


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
        probabilities = blocks._predict_block(stored, block, record, model, engine)
        inside = core.shifted(tuple(-n for n in block.start))
        difference = probabilities[(..., *inside.slices)] - whole[(..., *core.slices)]
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
    lying = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    image = Image(smooth, (0.5, 1.0, 2.0), "mm", (), lying)
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
