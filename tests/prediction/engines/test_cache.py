from pathlib import Path

import pytest
import torch

from seglet.prediction.engines import cache
from seglet.prediction.engines.cache import MOST_MODELS, folder_of, read_trials, write_trials
from seglet.prediction.engines.trial import Trial

TRIAL = Trial(
    engine="onnx",
    precision="fp32",
    milliseconds=3,
    n_pixels=1024,
    largest_logit=0,
    largest_probability=0,
    dice=1,
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path))


def test_trials_are_kept_for_a_model_and_a_machine(make_model, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    assert read_trials(model) == ()
    write_trials(model, (TRIAL,))
    assert read_trials(make_model()) == (TRIAL,)
    monkeypatch.setattr(cache, "_machine", lambda: "another")
    assert read_trials(model) == ()
    write_trials(model, (TRIAL, TRIAL))
    monkeypatch.undo()


def test_other_weights_are_another_model(make_model) -> None:  # type: ignore[no-untyped-def]
    model, changed = make_model(), make_model()
    assert folder_of(model) == folder_of(changed)
    with torch.no_grad():
        changed.network.head.bias += 1e-3
    assert folder_of(model) != folder_of(changed)
    assert folder_of(model) != folder_of(make_model(3))


def test_damaged_trials_are_made_again(make_model) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    write_trials(model, (TRIAL,))
    (folder_of(model) / cache.TRIALS).write_text("{")
    assert read_trials(model) == ()
    write_trials(model, (TRIAL,))
    assert read_trials(model) == (TRIAL,)


def test_a_folder_that_cannot_be_written_is_no_harm(make_model, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path / "file"))
    write_trials(make_model(), (TRIAL,))
    assert read_trials(make_model()) == ()


def test_the_oldest_models_are_forgotten(make_model) -> None:  # type: ignore[no-untyped-def]
    model = make_model()
    for _ in range(MOST_MODELS + 3):
        with torch.no_grad():
            model.network.head.bias += 1
        write_trials(model, (TRIAL,))
    assert len(list(folder_of(model).parent.iterdir())) == MOST_MODELS
    assert read_trials(model) == (TRIAL,)
