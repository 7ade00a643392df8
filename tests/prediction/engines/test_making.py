from pathlib import Path

import pytest

from seglet.core.errors import ConfigError, ModelError
from seglet.prediction.engines.cache import folder_of
from seglet.prediction.engines.making import int8_folder, make_engine


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path))


def test_a_graph_is_converted_once(make_model, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    model, made = make_model(), []
    own = "seglet.prediction.engines.openvino.graph_of"
    from seglet.prediction.engines.openvino import graph_of

    monkeypatch.setattr(own, lambda *said: made.append(1) or graph_of(*said))
    for kind in ("fp32", "fp32"):
        assert make_engine(model, ("openvino", kind), (1, 1, 32, 32)).name == "OpenVINO fp32"
    assert made == [1]
    assert (folder_of(model) / "openvino" / "network.xml").is_file()


def test_a_cache_that_cannot_be_written_costs_time_alone(make_model, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path / "file"))
    assert make_engine(make_model(), ("openvino", "fp32"), (1, 1, 32, 32)).name == "OpenVINO fp32"


def test_what_cannot_be_made(make_model) -> None:  # type: ignore[no-untyped-def]
    assert int8_folder(make_model()) is None
    with pytest.raises(ModelError, match="not quantized"):
        make_engine(make_model(), ("openvino", "int8"), (1, 1, 32, 32))
    with pytest.raises(ConfigError, match="onnx bf16"):
        make_engine(make_model(), ("onnx", "bf16"), (1, 1, 32, 32))
