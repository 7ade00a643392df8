from pathlib import Path

import numpy as np

from seglet.prediction.engines.onnx import OnnxEngine, graph_of, read_graph, write_graph
from seglet.prediction.engines.pytorch import TorchEngine


def test_says_what_pytorch_says(make_model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = make_model(3, flips=True)
    graph = read_graph(write_graph(graph_of(model, (1, 1, 32, 32)), tmp_path / "graph"))
    engine = OnnxEngine(graph, model.card)
    for shape in ((1, 1, 32, 32), (3, 1, 16, 64)):
        windows = np.random.default_rng(0).random(shape, np.float32)
        np.testing.assert_allclose(engine.run(windows), TorchEngine(model, "fp32").run(windows), atol=1e-5)
    assert engine.name == "ONNX Runtime fp32"
