import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seglet.quantizing as quantizing
from seglet.core.errors import EngineError
from seglet.data.synthetic import make_dataset
from seglet.metrics.pixels import dice
from seglet.model import load_model
from seglet.pipeline import predict, train
from seglet.prediction.engines.choice import available
from seglet.prediction.engines.making import INT8
from seglet.quantizing import FIGURES, quantize


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of enough steps for masks that mean something."""
    folder = tmp_path_factory.mktemp("quantizing")
    data = make_dataset(folder / "cells", n_images=6, shape=(96, 96))
    settings = ("plan.channels=[8,16]", "plan.patch_size=[64,64]", "plan.batch_size=4", "fit.steps=150")
    parts = ("split.test=last 1", "split.validation=first 1")
    return train(data, folder / "run", settings=(*settings, *parts)).run.folder


def test_8_bits_are_kept_with_what_they_cost_and_used(
    trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path))
    monkeypatch.setattr(quantizing, "LARGEST_DROP", 0.02)  # of one image of a network of few steps
    found = quantize(trained)
    assert found.part == "validation"
    assert (found.n_images, found.n_windows > 4) == (1, True)
    assert 0.3 < found.exact <= 1
    assert found.drop == pytest.approx(found.exact - found.int8)
    folder = trained / "model" / INT8
    assert json.loads((folder / FIGURES).read_text())["int8"] == found.int8
    assert ("openvino", "int8") in available(load_model(trained))
    image = min((trained.parent / "cells" / "images").iterdir())
    written = []
    for precision in ("int8", "fp32"):
        (path,) = predict(trained, [image], tmp_path / precision, precision=precision)
        written.append(np.asarray(Image.open(path)) > 0)
    assert dice(*written) > 0.95


def test_8_bits_that_cost_too_much_are_refused_with_the_figure(
    trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path))
    monkeypatch.setattr(quantizing, "LARGEST_DROP", -1.0)  # nothing is that much better
    before = sorted((trained / "model").rglob("*"))
    with pytest.raises(EngineError, match=r"mean Dice of 0\.\d{4} in 8 bits and 0\.\d{4} in float32"):
        quantize(trained)
    assert sorted((trained / "model").rglob("*")) == before
