from dataclasses import replace
from pathlib import Path

import pytest

from seglet.core.errors import DatasetError
from seglet.model import load_model, save_model
from seglet.prediction.engines.cache import read_trials
from seglet.prediction.engines.choice import available
from seglet.trying import try_engines


@pytest.fixture
def free(run_folder: Path, tmp_path: Path) -> Path:
    """A model that leaves its engine and precision open."""
    model = load_model(run_folder)
    return save_model(replace(model, card=model.card.predicting(precision="auto")), tmp_path / "free")


def test_every_engine_is_tried_and_the_choice_is_kept(free: Path, cells: Path) -> None:
    image = min((cells / "images").iterdir())
    found = try_engines(free, image)
    assert [(one.engine, one.precision) for one in found.trials] == available(load_model(free))
    assert found.trials[0].dice == 1
    assert found.chosen in found.trials
    assert found.is_taken
    told: list[str] = []
    again = try_engines(free, image, lambda event: told.append(event.message))
    assert [one.name for one in again.trials] == [one.name for one in found.trials]
    assert again.trials != found.trials, "measured anew"
    assert told[0].startswith(again.chosen.name)
    assert read_trials(load_model(free)) == again.trials


def test_one_image_at_a_time(run_folder: Path, cells: Path) -> None:
    with pytest.raises(DatasetError, match="5 images"):
        try_engines(run_folder, cells / "images")


def test_a_model_that_names_its_precision_keeps_it(run_folder: Path, cells: Path) -> None:
    assert not try_engines(run_folder, min((cells / "images").iterdir())).is_taken
