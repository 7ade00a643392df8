from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from seglet.core.errors import DatasetError
from seglet.core.events import quiet
from seglet.data.synthetic import make_dataset
from seglet.evaluation import evaluate_model, is_model
from seglet.metrics.scores import Scores, read_scores
from seglet.recipe import Recipe
from seglet.run import Run


def evaluated(source: Path, data: Path) -> Scores:
    return evaluate_model(source, data, "auto", Recipe(), quiet)


def test_a_run_scores_its_test_images_on_its_own_data_and_all_elsewhere(
    run_folder: Path, cells: Path, tmp_path: Path
) -> None:
    own = evaluated(run_folder, cells)
    assert [image.id for image in own.images] == ["004"]
    assert own.mean_dice.mean == pytest.approx(read_scores(Run(run_folder).scores).mean_dice.mean)
    assert evaluated(run_folder / "model", cells).n_images == 5
    other = make_dataset(tmp_path, n_images=2, shape=(48, 48), seed=7)
    assert evaluated(run_folder, other).n_images == 2


def test_a_run_and_its_model_are_models_and_its_masks_are_none(run_folder: Path, tmp_path: Path) -> None:
    assert is_model(run_folder) and is_model(run_folder / "model")
    for other in (Run(run_folder).predictions, tmp_path, tmp_path / "nowhere"):
        assert not is_model(other)


def test_a_run_reads_the_masks_of_other_data_by_themselves(
    run_folder: Path, cells: Path, tmp_path: Path
) -> None:
    for name in ("000", "001"):
        for role in ("images", "masks"):
            (tmp_path / role).mkdir(exist_ok=True)
            pixels = np.asarray(Picture.open(cells / role / f"{name}.png"))
            Picture.fromarray(pixels // 255 if role == "masks" else pixels).save(
                tmp_path / role / f"{name}.png"
            )
    other, own = (evaluated(run_folder / "model", data) for data in (tmp_path, cells))
    assert [i.mean_dice for i in other.images] == [i.mean_dice for i in own.images[:2]]


def test_a_model_cannot_be_scored_without_images(run_folder: Path, cells: Path) -> None:
    with pytest.raises(DatasetError, match="no image with a mask"):
        evaluated(run_folder, cells / "masks")
