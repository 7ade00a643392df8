from pathlib import Path

import pytest

from seglet.core.errors import DatasetError
from seglet.model import load_model
from seglet.prediction.engines.choice import available
from seglet.trying import try_engines


def test_every_engine_is_tried_and_the_choice_is_kept(run_folder: Path, cells: Path) -> None:
    image = min((cells / "images").iterdir())
    found = try_engines(run_folder, image)
    assert [(one.engine, one.precision) for one in found.trials] == available(load_model(run_folder))
    assert found.trials[0].dice == 1
    assert found.chosen in found.trials
    told: list[str] = []
    again = try_engines(run_folder, image, lambda event: told.append(event.message))
    assert again == found
    assert told[0].startswith(found.chosen.name)


def test_one_image_at_a_time(run_folder: Path, cells: Path) -> None:
    with pytest.raises(DatasetError, match="5 images"):
        try_engines(run_folder, cells / "images")
