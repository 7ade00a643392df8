"""Files in, report out: every layout that the embedded data can be written in."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seglet import pipeline
from seglet.data.cases import find_cases
from seglet.data.synthetic import LAYOUTS, make_dataset
from seglet.io.files import as_file, list_files, read_image, read_mask
from seglet.metrics.scores import read_scores
from seglet.run import Run, read_facts

CASES = [(layout, kind) for layout, (_, kinds) in LAYOUTS.items() for kind in kinds]
N_CLASSES = {("palette", "cells"): 3, ("rgb-colors", "cells"): 3}


def values_of(mask: NDArray[np.integer]) -> set[tuple[int, ...]]:
    return {tuple(value) for value in mask.reshape(mask.shape[0] * mask.shape[1], -1).tolist()}


def refuse_other_places(page: str) -> None:
    """A page that opens anywhere loads nothing: every source is embedded, every link stays inside."""
    assert not re.search(r"<(iframe|object|embed)\b", page)
    assert all(source.startswith("data:") for source in re.findall(r'\bsrc="([^"]*)"', page))
    assert all(target.startswith(("#", "data:")) for target in re.findall(r'\bhref="([^"]*)"', page))
    assert not re.search(r"@import|url\((?!['\"]?(data:|#))", page)


@pytest.mark.parametrize(("layout", "kind"), CASES, ids=[f"{layout}-{kind}" for layout, kind in CASES])
def test_train_predict_evaluate_report(layout: str, kind: str, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path / "data", kind, layout, n_images=4, shape=(64, 64), seed=3)
    n_classes = N_CLASSES.get((layout, kind), 2)
    settings = [s for s in tiny if not s.startswith("split.")] + ["split.validation=none", "fit.steps=3"]
    trained = pipeline.train(data, tmp_path / "run", settings=settings)
    cases = find_cases(data).cases
    _check_run(trained, n_classes, has_test=layout == "drive")

    masks = tmp_path / "masks"
    written = pipeline.predict(trained.run.folder, [data], masks)
    stems = [case.image.stem for case in cases]
    assert [path.stem for path in written] == stems
    classes = trained.model.card.labels.classes
    allowed = {c.value if isinstance(c.value, tuple) else (c.value,) for c in classes}
    for case, path in zip(cases, written, strict=True):
        mask = read_mask(as_file(path), keep_colors=trained.model.card.labels.encoding == "colors")
        assert mask.shape[:2] == read_image(case.image).shape
        assert values_of(mask) <= allowed

    scores = pipeline.evaluate(masks, data)
    assert scores.n_images == 4
    assert len(scores.class_names) == n_classes
    own = pipeline.evaluate(trained.run.folder, data)
    assert own.mean_dice.mean == pytest.approx(trained.scores.mean_dice.mean, nan_ok=True)
    again = pipeline.evaluate(trained.run.predictions, data)
    assert again.mean_dice.mean == pytest.approx(trained.scores.mean_dice.mean, nan_ok=True)
    assert pipeline.report(trained.run.folder).read_text(encoding="utf-8").count("<html") == 1


def _check_run(trained: pipeline.Trained, n_classes: int, *, has_test: bool) -> None:
    run: Run = trained.run
    assert trained.scored_on == read_facts(run)["scored_on"] == ("test" if has_test else "train")
    assert trained.scores.n_images == (2 if has_test else 4)
    assert read_scores(run.scores).n_images == trained.scores.n_images
    assert len(trained.scores.class_names) == n_classes
    assert len(list_files(run.predictions)) == trained.scores.n_images
    refuse_other_places(run.report.read_text(encoding="utf-8"))


def test_the_second_observer_and_the_field_of_view_are_scored(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path / "data", "vessels", "chasedb1", n_images=4, shape=(64, 64))
    settings = [s for s in tiny if not s.startswith("split.")]
    split = ["split.test=['Image_02*']", "split.validation=none"]
    trained = pipeline.train(data, tmp_path / "run", settings=[*settings, *split])
    assert trained.scores.protocol == "chasedb1"
    assert [image.id for image in trained.scores.images] == ["Image_02L", "Image_02R"]
    assert trained.scores.second_observer is not None
    assert trained.scores.all_pixels is not None
    assert all(image.n_pixels < 64 * 64 for image in trained.scores.images)
    assert "econd observer" in trained.run.report.read_text(encoding="utf-8")


def test_a_single_labelled_image_is_scored_on_itself_and_said_so(
    tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    data = make_dataset(tmp_path / "data", n_images=1, shape=(64, 64))
    settings = [*tiny, "split.test=none", "split.validation=none"]
    trained = pipeline.train(data, tmp_path / "run", settings=settings)
    assert trained.scored_on == "train"
    assert "training images (no others are left)" in trained.run.report.read_text(encoding="utf-8")
