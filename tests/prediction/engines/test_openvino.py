import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from seglet.core.overlap import abreast
from seglet.model import save_model
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


def test_nothing_is_reported_to_the_makers(tmp_path: Path) -> None:
    said = (
        "import sys; from seglet.prediction.engines.openvino import _core; _core(); import nncf; "
        "assert sys.modules['openvino_telemetry'] is None"
    )
    where = {**os.environ, "HOME": str(tmp_path), "CI": "", "TF_BUILD": "", "JENKINS_URL": ""}
    subprocess.run([sys.executable, "-c", said], check=True, env=where)
    assert not (tmp_path / "intel").exists()


def test_threads_whose_first_calls_meet_do_not_wait_for_each_other(make_model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    write_graph(graph_of(model, (1, 1, 32, 32)), tmp_path / "graph")
    save_model(model, tmp_path / "model")
    said = """
import sys, threading
from pathlib import Path
import numpy as np
from seglet.model import load_model
from seglet.prediction.engines.openvino import OpenVinoEngine, read_graph

graph, card = read_graph(Path(sys.argv[1])), load_model(Path(sys.argv[2])).card
engines = [OpenVinoEngine(graph, card, "fp32") for _ in range(2)]
for engine in engines:
    engine._requests((1, 1, 32, 32))
meeting = threading.Barrier(2)
sys.setswitchinterval(1e-6)

def run(engine):
    meeting.wait()
    engine.run(np.zeros((1, 1, 32, 32), np.float32))

threads = [threading.Thread(target=run, args=(engine,)) for engine in engines]
for thread in threads:
    thread.start()
"""
    command = [sys.executable, "-c", said, tmp_path / "graph", tmp_path / "model"]
    for _ in range(5):
        subprocess.run(command, check=True, timeout=60)


def test_two_lanes_say_what_one_does(make_model) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    engine = OpenVinoEngine(graph_of(model, (1, 1, 32, 32)), model.card, "fp32")
    several, lanes = engine.abreast((1, 1, 32, 32), 2)
    assert lanes == min(2, torch.get_num_threads())
    seen = [np.random.default_rng(n).random((1, 1, 32, 32), np.float32) for n in range(20)]
    for one, planes in abreast(several.run, seen, lanes, "network"):
        np.testing.assert_allclose(planes, engine.run(one), atol=1e-6)
    assert engine.abreast((1, 1, 32, 32), 2)[0] is several
