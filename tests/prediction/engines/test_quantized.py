import numpy as np

from seglet.prediction.engines.openvino import OpenVinoEngine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.engines.quantized import quantized


def test_8_bits_say_nearly_the_same_and_the_model_is_left_alone(
    make_model, tmp_path, monkeypatch, capfd
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path))
    model = make_model(channels=(8, 16))
    rng = np.random.default_rng(0)
    windows = [rng.random((1, 1, 32, 32), np.float32) for _ in range(8)]
    exact = TorchEngine(model, "fp32").logits(windows[0])
    graph = quantized(model, windows)
    assert capfd.readouterr().out == ""
    found = OpenVinoEngine(graph, model.card, "int8").logits(windows[0])
    assert 0 < np.abs(found - exact).max() < 0.2 * np.abs(exact).max()
    assert any(op.get_type_name() == "FakeQuantize" for op in graph.get_ordered_ops())
    np.testing.assert_array_equal(TorchEngine(model, "fp32").logits(windows[0]), exact)
