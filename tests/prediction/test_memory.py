"""What prediction is foretold to take is what a process takes; see also tests/test_limiting.py."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from processes import peak
from seglet.core.image import Image, StoredImage
from seglet.io.files import open_image
from seglet.io.listing import as_file
from seglet.io.pixels import in_memory
from seglet.model import Model, save_model
from seglet.postprocessing.settings import DecodingConfig
from seglet.prediction.memory import (
    LIVE,
    MIB,
    PROCESS,
    block_memory,
    image_memory,
    network_memory,
)

MakeModel = Callable[..., Model]


def by_pytorch(model: Model) -> Model:
    return replace(model, card=model.card.predicting(engine="torch", precision="fp32"))


def a_file(path: Path, side: int) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
    tifffile.imwrite(path, pixels, tile=(512, 512))
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="bytes are counted otherwise elsewhere")
@pytest.mark.parametrize(("side", "channels"), [(1500, (16, 32, 64)), (6000, (4, 8))])
def test_a_process_takes_what_was_foretold(
    make_model: MakeModel, tmp_path: Path, side: int, channels: tuple[int, ...]
) -> None:
    model = by_pytorch(make_model(channels=channels, window=None, margin=None, normalization="standardize"))
    save_model(model, tmp_path / "model")
    file = a_file(tmp_path / "image.tif", side)
    image = open_image(as_file(file))
    foretold = PROCESS + network_memory(model, image) + image_memory(image, model.card)
    taken = peak("predict", tmp_path / "model", file, "-o", tmp_path / "out")
    assert foretold == pytest.approx(taken, rel=0.25), (foretold / MIB, taken / MIB)


@pytest.mark.skipif(sys.platform != "linux", reason="bytes are counted otherwise elsewhere")
def test_blocks_take_what_was_foretold_and_less_than_was_said(make_model: MakeModel, tmp_path: Path) -> None:
    model = by_pytorch(make_model(window=None, margin=None, normalization="standardize"))
    save_model(model, tmp_path / "model")
    file = a_file(tmp_path / "image.tif", 4400)
    taken = peak("predict", tmp_path / "model", file, "-o", tmp_path / "out", "--max-ram", "760M")
    assert (tmp_path / "out/image.ome.zarr").is_dir(), "170 MB in one piece do not fit"
    assert taken < 760 * MIB
    assert PROCESS + network_memory(model) + block_memory(model) == pytest.approx(taken, rel=0.25)


def test_lanes_take_more_where_the_engine_may_have_them(make_model: MakeModel) -> None:
    model, large = make_model(window=None, margin=None), an_image(1, 2000, 2000)
    one = network_memory(by_pytorch(model), large)
    assert network_memory(model, large) > one
    assert network_memory(replace(model, card=model.card.predicting(batch=1)), large) == one
    assert network_memory(model, an_image(1, 500, 500)) < one, "a single window has no lanes"


def test_slices_of_a_volume_are_run_together(make_model: MakeModel) -> None:
    model = make_model(window=None, margin=None, mode="slices")
    of_one_window = LIVE * 4 * 128 * 128 * 4  # float32 values of four channels
    one, some, many = (network_memory(model, an_image(1, n, 128, 128)) for n in (1, 16, 64))
    assert some - one == 15 * of_one_window
    assert many - some == 16 * of_one_window, "two batches at the same time"
    assert network_memory(by_pytorch(model), an_image(1, 64, 128, 128)) == some


def an_image(*shape: int, dtype: type = np.uint8) -> StoredImage:
    return StoredImage(shape, np.dtype(dtype), lambda box: np.zeros(0))


def test_more_takes_more(make_model: MakeModel) -> None:
    model = make_model()
    decoding = model.card.model_copy(update={"decoding": DecodingConfig()})
    plain = image_memory(an_image(1, 900, 900), model.card)
    assert plain < image_memory(an_image(1, 900, 900, dtype=np.uint16), model.card)
    assert plain < image_memory(an_image(1, 900, 901), model.card)
    assert plain < image_memory(an_image(1, 900, 900), decoding)
    wider, longer = make_model(channels=(8, 16)), make_model(window=128)
    assert network_memory(model) < network_memory(wider)
    one, other = (replace(each, card=each.card.predicting(batch=1)) for each in (model, longer))
    assert network_memory(one) < network_memory(other) < network_memory(longer)
    for side in (40, 900, 1115, 2000):
        assert network_memory(longer, an_image(1, side, side)) <= network_memory(longer)
    assert block_memory(model) < block_memory(longer)


def test_a_small_image_is_one_small_window(make_model: MakeModel) -> None:
    model = make_model(window=512, margin=None)
    small = in_memory(Image(np.zeros((1, 40, 40), np.uint8)))
    assert network_memory(model, small) < network_memory(model)


def test_what_is_resampled_is_there_twice(make_model: MakeModel) -> None:
    plain, resized = make_model(), make_model(resize=(900, 900))
    assert image_memory(an_image(1, 450, 450), plain.card) < image_memory(an_image(1, 450, 450), resized.card)
