from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seglet.model import Model
from seglet.prediction.engines.engine import flips_of
from seglet.prediction.engines.pytorch import TorchEngine

MakeModel = Callable[..., Model]


@pytest.fixture
def windows() -> NDArray[np.float32]:
    return np.random.default_rng(0).random((3, 1, 32, 48), np.float32)


@pytest.mark.parametrize(("n_classes", "planes"), [(2, 1), (4, 4)])
def test_probabilities_lie_between_zero_and_one(
    make_model: MakeModel, windows: NDArray[np.float32], n_classes: int, planes: int
) -> None:
    found = TorchEngine(make_model(n_classes), "fp32").run(windows)
    assert found.shape == (3, planes, 32, 48)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    if planes > 1:
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_runs_what_the_network_says(make_model: MakeModel, windows: NDArray[np.float32]) -> None:
    model = make_model()
    with torch.no_grad():
        expected = torch.sigmoid(model.network(torch.from_numpy(windows))).numpy()
    np.testing.assert_allclose(TorchEngine(model, "fp32").run(windows), expected, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_flips_are_the_mean_of_four_mirrored_runs(
    make_model: MakeModel, windows: NDArray[np.float32], n_classes: int
) -> None:
    plain = TorchEngine(make_model(n_classes), "fp32")
    each = [np.flip(plain.run(np.flip(windows, axes)), axes) for axes in ((), (2,), (3,), (2, 3))]
    found = TorchEngine(make_model(n_classes, flips=True), "fp32").run(windows)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert np.abs(found - each[0]).max() > 1e-3


def test_volumes_are_mirrored_eight_ways(make_volume_model: MakeModel) -> None:
    axes = flips_of(5)
    assert axes[0] == ()
    assert len(set(axes)) == 8
    volumes = np.random.default_rng(1).random((2, 1, 6, 8, 10), np.float32)
    plain = TorchEngine(make_volume_model(3), "fp32")
    each = [np.flip(plain.run(np.flip(volumes, flip)), flip) for flip in axes]
    found = TorchEngine(make_volume_model(3, flips=True), "fp32").run(volumes)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)


def test_a_window_does_not_depend_on_its_neighbors(
    make_model: MakeModel, windows: NDArray[np.float32]
) -> None:
    engine = TorchEngine(make_model(), "fp32")
    alone = np.concatenate([engine.run(one[None]) for one in windows])
    np.testing.assert_allclose(engine.run(windows), alone, atol=1e-6)


def test_the_model_is_left_as_it_was(make_model: MakeModel, windows: NDArray[np.float32]) -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    engine = TorchEngine(model, "auto")
    engine.run(windows)
    assert engine.precision is not None
    assert all(torch.equal(before[name], value) for name, value in model.network.state_dict().items())
    assert all(p.grad is None for p in model.network.parameters())


def test_coarser_arithmetic_is_close(make_model: MakeModel, windows: NDArray[np.float32]) -> None:
    model = make_model()
    exact, coarse = (TorchEngine(model, choice).run(windows) for choice in ("fp32", "bf16"))
    np.testing.assert_allclose(coarse, exact, atol=0.05)
    assert coarse.dtype == np.float32


def test_the_models_own_arithmetic_is_taken_where_none_is_said(
    make_model: MakeModel, windows: NDArray[np.float32]
) -> None:
    model = make_model()
    predict = model.card.predict.model_copy(update={"precision": "bf16"})
    engine = TorchEngine(Model(model.network, model.card.model_copy(update={"predict": predict})))
    engine.run(windows)
    assert engine.precision is not None
    assert engine.precision.bf16
