import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seglet.core.errors import ConfigError, EngineError
from seglet.model import PredictConfig, untrained
from seglet.networks.unet2015 import UNet2015Config
from seglet.prediction.engines.cache import folder_of, read_trials, write_trials
from seglet.prediction.engines.choice import (
    N_COMPARED,
    AutoEngine,
    CheckedEngine,
    Seen,
    available,
    engine_for,
    fastest,
    promising,
    tried,
)
from seglet.prediction.engines.making import Choice
from seglet.prediction.engines.openvino import OpenVinoEngine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.engines.trial import Trial, try_engine


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path))


@pytest.fixture
def windows() -> NDArray[np.float32]:
    return np.random.default_rng(0).random((2, 1, 32, 32), np.float32)


def one_by_one(windows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [window[None] for window in windows]


def made(engine: str, precision: str, milliseconds: float, dice: float = 1.0, n_pixels: int = 1024) -> Trial:
    return Trial(
        engine=engine,  # type: ignore[arg-type]
        precision=precision,  # type: ignore[arg-type]
        milliseconds=milliseconds,
        n_pixels=n_pixels,
        largest_logit=0,
        largest_probability=0,
        dice=dice,
    )


def test_the_engine_that_was_asked_for(make_model, windows) -> None:  # type: ignore[no-untyped-def]
    model, told, n_told = make_model(), [], 0
    exact = TorchEngine(model, "fp32").run(windows)
    for name in ("torch", "openvino", "onnx"):
        engine = engine_for(model, name, "fp32", told.append)
        for number in range(N_COMPARED):
            np.testing.assert_allclose(engine.run(windows), exact, atol=1e-5)
            assert name == "torch" or len(told) == n_told + (number == N_COMPARED - 1)
        n_told = len(told)
    assert [event.message.split(",")[0] for event in told] == ["openvino fp32", "onnx fp32"]
    assert {one.engine for one in read_trials(model)} == {"openvino", "onnx"}
    assert (folder_of(model) / "openvino" / "network.xml").is_file()


@pytest.mark.parametrize(
    ("engine", "precision", "words"),
    [
        ("tensorrt", "fp32", "tensorrt"),
        ("onnx", "bf16", "bf16 with the engine onnx"),
        ("torch", "int8", "int8"),
        ("openvino", "half", "half"),
    ],
)
def test_what_does_not_exist(make_model, engine: str, precision: str, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=words):
        engine_for(make_model(), engine, precision)


def test_the_models_own_settings(make_model) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    assert isinstance(engine_for(model), AutoEngine)
    said = PredictConfig(engine="onnx")
    asks = type(model)(model.network, model.card.model_copy(update={"predict": said}))
    assert isinstance(engine_for(asks), CheckedEngine)
    said = PredictConfig(precision="fp32")
    asks = type(model)(model.network, model.card.model_copy(update={"predict": said}))
    assert isinstance(engine_for(asks), TorchEngine)


def test_an_engine_that_differs_is_refused_with_the_figure(make_model, windows, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    write_trials(model, (made("openvino", "fp32", 1, dice=0.9),))
    with pytest.raises(EngineError, match=r"0\.9000"):
        engine_for(model, "openvino", "fp32").run(windows)


def test_pytorch_until_its_patience_is_over(make_model, windows, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    model, told = make_model(), []
    patient = AutoEngine(model, told.append, patience_s=1000)
    for _ in range(3):
        patient.run(windows)
    assert told == []
    assert read_trials(model) == ()
    exact = TorchEngine(model, "fp32").run(windows)
    eager = AutoEngine(model, told.append, patience_s=1e-9)
    for _ in range(N_COMPARED):
        assert told == []
        eager.run(windows)
    np.testing.assert_allclose(eager.run(windows), exact, atol=0.05)
    assert len(told) == 1
    assert {(one.engine, one.precision) for one in read_trials(model)} == set(promising(available(model)))


def test_engines_that_cannot_be_fastest_are_not_tried() -> None:
    every: list[Choice] = [("torch", "fp32"), ("openvino", "fp32"), ("onnx", "fp32")]
    assert promising(every) == every[:2]
    assert promising([every[0], every[2]]) == [every[0], every[2]]
    bf16: list[Choice] = [("torch", "bf16"), ("openvino", "bf16")]
    assert promising([every[0], bf16[0], bf16[1], *every[1:], ("openvino", "int8")]) == [
        *bf16,
        ("openvino", "int8"),
    ]


def test_float32_is_tried_where_bf16_is_not_close(make_model, windows, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    model, told = make_model(), []
    far = [one for one in promising(available(model)) if one[0] != "torch"]

    def measure(choice, *rest) -> Trial:  # type: ignore[no-untyped-def]
        found = try_engine(choice, *rest)
        return found.model_copy(update={"dice": 0.9}) if choice in far else found

    monkeypatch.setattr("seglet.prediction.engines.choice.try_engine", measure)
    engine = AutoEngine(model, told.append, patience_s=0)
    for _ in range(N_COMPARED):
        engine.run(windows)
    assert ("onnx", "fp32") in {(one.engine, one.precision) for one in read_trials(model)}


def test_what_was_measured_decides_from_the_first_window_on(make_model, windows) -> None:  # type: ignore[no-untyped-def]
    model, told = make_model(), []
    times = {("openvino", "fp32"): 1.0}
    write_trials(model, tuple(made(*one, times.get(one, 5.0)) for one in available(model)))
    found = AutoEngine(model, told.append, patience_s=1000).run(windows)
    assert told[0].message.startswith("openvino fp32, 1 ms")
    np.testing.assert_allclose(found, TorchEngine(model, "fp32").run(windows), atol=1e-5)


@pytest.mark.parametrize("name", ["auto", "openvino"])
def test_lanes_are_those_of_an_engine_that_is_known(make_model, name: str) -> None:  # type: ignore[no-untyped-def]
    model, shape = make_model(), (1, 1, 32, 32)
    unknown = engine_for(model, name, "auto" if name == "auto" else "fp32")
    assert unknown.abreast(shape, 2) == (unknown, 1)
    write_trials(
        model, tuple(made(*choice, 100 if choice[0] == "torch" else 1) for choice in available(model))
    )
    known, lanes = engine_for(model, name, "auto" if name == "auto" else "fp32").abreast(shape, 2)
    assert isinstance(known, OpenVinoEngine)
    assert lanes == min(2, torch.get_num_threads())


def test_what_is_expected_is_ready_when_it_comes(make_model, windows) -> None:  # type: ignore[no-untyped-def]
    model, shape = make_model(), (1, 1, 32, 32)
    unknown = AutoEngine(model)
    unknown.expect(shape, 2)
    assert unknown.abreast(shape, 2) == (unknown, 1)
    times = {("openvino", "fp32"): 1.0}
    write_trials(model, tuple(made(*one, times.get(one, 5.0)) for one in available(model)))
    for lanes in (1, 2):
        known = AutoEngine(model)
        known.expect(shape, lanes)
        runner, _ = known.abreast(shape, lanes)
        assert isinstance(runner, OpenVinoEngine)
        assert list(runner._compiled) == [shape]
        found = runner.run(windows[:1])
        np.testing.assert_allclose(found, TorchEngine(model, "fp32").run(windows[:1]), atol=1e-5)


def test_the_fastest_that_is_close() -> None:
    torch, other = made("torch", "fp32", 10), made("openvino", "fp32", 5)
    assert fastest([torch, other]) == other
    assert fastest([torch, made("openvino", "bf16", 1, dice=0.9), other]) == other
    assert fastest([torch, made("openvino", "fp32", 9.5)]) == torch
    of_large_windows = made("openvino", "int8", 12, n_pixels=4096)
    assert fastest([torch, other, of_large_windows]) == of_large_windows


def test_engines_are_compared_in_one_go(make_model, windows) -> None:  # type: ignore[no-untyped-def]
    """What was measured of one, at another time on other windows, is measured again beside a new one."""
    model, shown = make_model(), one_by_one(windows)
    write_trials(model, (made("torch", "fp32", 1e6), made("onnx", "fp32", 1e6)))
    assert tried(model, [("torch", "fp32")], shown)[0].milliseconds == 1e6
    own, other = tried(model, [("torch", "fp32"), ("openvino", "fp32")], shown)
    assert max(own.milliseconds, other.milliseconds) < 1e5
    assert own.n_pixels == other.n_pixels == 32 * 32
    assert {one.name: one.milliseconds for one in read_trials(model)}["onnx fp32"] == 1e6
    write_trials(model, (made("torch", "fp32", 1e6),))
    assert tried(model, [("torch", "fp32")], shown, anew=True)[0].milliseconds < 1e5


def test_an_engine_that_cannot_run_the_network_is_left_out(make_model, windows, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def refuses(*_: object) -> None:
        raise RuntimeError("an operation that it does not know")

    monkeypatch.setattr("seglet.prediction.engines.openvino.graph_of", refuses)
    model = make_model()
    names = [one.engine for one in tried(model, available(model), one_by_one(windows))]
    assert "openvino" not in names
    assert {"torch", "onnx"} <= set(names)
    with pytest.raises(RuntimeError, match="does not know"):
        tried(model, [("openvino", "fp32")], one_by_one(windows))


def test_windows_of_all_that_was_seen_are_compared() -> None:
    """By chance: of a grid of windows every eighth would be those of one border."""
    seen = Seen()
    for number in range(100):
        assert seen.is_enough == (number >= N_COMPARED)
        seen.add(np.full((2, 1, 8, 8), number, np.float32))
    places = [float(window[0, 0, 0, 0]) for window in seen.windows]
    assert len(set(places)) == N_COMPARED
    assert max(places) - min(places) > 30


@pytest.mark.parametrize("is_named", [True, False])
def test_engines_are_compared_on_windows_of_several_sizes(make_model, is_named: bool) -> None:  # type: ignore[no-untyped-def]
    model, told = make_model(), []
    named = CheckedEngine(model, ("openvino", "fp32"), told.append)
    engine = named if is_named else AutoEngine(model, told.append, patience_s=0)
    for number in range(N_COMPARED):
        engine.run(np.random.default_rng(number).random((1, 1, 16, 16 * (1 + number % 2)), np.float32))
    assert len(told) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_a_cache_that_cannot_be_written_costs_time_alone(
    make_model, windows, monkeypatch, kept: bool
) -> None:  # type: ignore[no-untyped-def]
    if not kept:
        monkeypatch.setenv("SEGLET_CACHE", "/dev/null")
    model, told = make_model(), []
    engine = AutoEngine(model, told.append, patience_s=0)
    for _ in range(N_COMPARED):
        found = engine.run(windows)
    np.testing.assert_allclose(found, TorchEngine(model, "fp32").run(windows), atol=0.05)
    assert len(told) == 1
    assert bool(read_trials(model)) == kept


def test_trials_of_an_interrupted_comparison_are_made_again(make_model, windows) -> None:  # type: ignore[no-untyped-def]
    """Without one of PyTorch that is close there is nothing to choose from."""
    model, told = make_model(), []
    write_trials(model, tuple(made(*one, 1, dice=0.9) for one in promising(available(model))))
    engine = AutoEngine(model, told.append, patience_s=0)
    for _ in range(N_COMPARED):
        engine.run(windows)
    assert "torch fp32" in {one.name for one in read_trials(model)}
    assert "Dice 1.0000" in told[0].message


def test_what_is_said_to_run_runs(make_model, windows) -> None:  # type: ignore[no-untyped-def]
    model, told = make_model(), []
    write_trials(model, tuple(made(*one, 1.0 if one == ("torch", "fp32") else 5) for one in available(model)))
    found = AutoEngine(model, told.append).run(windows)
    assert told[0].message.startswith("torch fp32")
    np.testing.assert_array_equal(found, TorchEngine(model, "fp32").run(windows))


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_networks_of_fixed_sizes_see_images_of_several(make_model, engine: str) -> None:  # type: ignore[no-untyped-def]
    card = make_model(is_valid=True, patch_size=(44, 44)).card
    model = untrained(
        card.model_copy(update={"network": UNet2015Config(), "predict": PredictConfig(flips=False)})
    )
    model.network.eval()
    running = engine_for(model, engine, "fp32")
    for number in range(N_COMPARED + 2):
        windows = np.random.default_rng(number).random((1, 1, 44, 44 + 4 * (number % 2)), np.float32)
        exact = TorchEngine(model, "fp32").run(windows)
        np.testing.assert_allclose(running.run(windows), exact, atol=1e-5)


@pytest.mark.parametrize(("engine", "file"), [("openvino", "network.xml"), ("onnx", "network.onnx")])
def test_damaged_graphs_are_converted_anew(make_model, windows, engine: str, file: str) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    exact = TorchEngine(model, "fp32").run(windows)
    made_once = engine_for(model, engine, "fp32")
    for _ in range(N_COMPARED):
        made_once.run(windows)
    (folder_of(model) / engine / file).write_text("<net")
    np.testing.assert_allclose(engine_for(model, engine, "fp32").run(windows), exact, atol=1e-5)
