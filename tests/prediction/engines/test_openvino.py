import os
import signal
from pathlib import Path

import numpy as np
import pytest

from seglet.prediction.engines.openvino import (
    MOST_SHAPES,
    OpenVinoEngine,
    graph_of,
    has_bf16,
    read_graph,
    write_graph,
)
from seglet.prediction.engines.pytorch import TorchEngine


def windows(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_says_what_pytorch_says(make_model, n_classes: int) -> None:  # type: ignore[no-untyped-def]
    model = make_model(n_classes, flips=True)
    engine = OpenVinoEngine(graph_of(model, (1, 1, 32, 32)), model.card, "fp32")
    for shape in ((1, 1, 32, 32), (3, 1, 16, 64)):
        found = engine.run(windows(*shape))
        np.testing.assert_allclose(found, TorchEngine(model, "fp32").run(windows(*shape)), atol=1e-5)


def test_bfloat16_is_coarse_but_does_not_tie_pixels(make_model) -> None:  # type: ignore[no-untyped-def]
    if not has_bf16():
        pytest.skip("this CPU has no bfloat16")
    model = make_model(channels=(16, 32))
    found = OpenVinoEngine(graph_of(model, (1, 1, 64, 64)), model.card, "bf16").run(windows(1, 1, 64, 64))
    exact = TorchEngine(model, "fp32").run(windows(1, 1, 64, 64))
    assert 0 < np.abs(found - exact).max() < 0.05
    assert len(np.unique(found)) > 0.5 * found.size


def test_what_it_gave_stays_when_it_runs_again(make_model) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    engine = OpenVinoEngine(graph_of(model, (1, 1, 16, 16)), model.card, "fp32")
    first = engine.logits(windows(1, 1, 16, 16))
    kept = first.copy()
    engine.logits(1 - windows(1, 1, 16, 16))
    np.testing.assert_array_equal(first, kept)


def test_many_sizes_take_turns(make_model) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    engine = OpenVinoEngine(graph_of(model, (1, 1, 16, 16)), model.card, "fp32")
    for n in (*range(1, MOST_SHAPES + 3), 1):
        assert engine.run(windows(n, 1, 16, 16)).shape == (n, 1, 16, 16)
    assert len(engine._compiled) == MOST_SHAPES


def test_a_graph_comes_back_from_disk(make_model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    graph = graph_of(model, (1, 1, 16, 16))
    back = read_graph(write_graph(graph, tmp_path / "graph"))
    one, other = (
        OpenVinoEngine(each, model.card, "fp32").run(windows(1, 1, 16, 16)) for each in (graph, back)
    )
    np.testing.assert_array_equal(one, other)


def test_signals_are_heeded_after_many_sizes(make_model) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    engine = OpenVinoEngine(graph_of(model, (1, 1, 16, 16)), model.card, "fp32")
    for n in range(1, MOST_SHAPES + 3):
        engine.run(windows(n, 1, 16, 16))
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
