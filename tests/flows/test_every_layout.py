"""Files in, report out: every layout that the embedded data can be written in."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seglet import pipeline
from seglet.core.image import IGNORE
from seglet.data.cases import find_cases
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_sample
from seglet.data.synthetic import LAYOUTS, make_blobs, make_cells, make_dataset, make_vessels
from seglet.io.files import read_image, read_mask
from seglet.io.listing import as_file, list_files
from seglet.metrics.scores import read_scores
from seglet.run import Run, read_facts

SERIES = ("ctc", "isbi-stacks")
EVERY = [(layout, kind) for layout, (_, kinds) in LAYOUTS.items() for kind in kinds]
CASES = [(layout, kind) for layout, kind in EVERY if kind != "volumes" and layout not in SERIES]
DEEP = [(layout, kind) for layout, kind in EVERY if (layout, kind) not in CASES]
DEEP_SIZES = {"cells": (64, 64), "volumes": (8, 32, 32)}
SIZES = {"cells": (64, 64), "vessels": (64, 64), "volumes": (6, 20, 24)}
NAMES = {
    "pairs": "folders images and masks",
    "suffix": "{id} beside {id}_mask",
    "kaggle": "Kaggle nuclei (one mask per object)",
    "kaggle-zip": "Kaggle nuclei (one mask per object)",
    "instances": "folders images and masks",
    "drive": "DRIVE",
    "chasedb1": "CHASE_DB1",
    "palette": "folders images and masks",
    "rgb-colors": "folders images and masks",
    "stare": "STARE",
    "ctc": "Cell Tracking Challenge",
    "isbi-stacks": "ISBI 2012 (stacks)",
    "lits": "LiTS",
    "decathlon": "folders images and labels",
    "nnunet": "nnU-Net",
    "brats": "one file per contrast beside seg",
    "bids": "BIDS, derivatives _dseg",
}
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
        if trained.model.card.decoding is None:
            assert values_of(mask) <= allowed
        else:
            assert set(np.unique(mask)) == set(range(int(mask.max()) + 1)), "objects are numbered"

    scores = pipeline.evaluate(masks, data)
    assert scores.n_images == 4
    assert len(scores.class_names) == n_classes
    own = pipeline.evaluate(trained.run.folder, data)
    assert own.mean_dice.mean == pytest.approx(trained.scores.mean_dice.mean, nan_ok=True)
    again = pipeline.evaluate(trained.run.predictions, data)
    assert again.mean_dice.mean == pytest.approx(trained.scores.mean_dice.mean, nan_ok=True)
    assert pipeline.report(trained.run.folder).read_text(encoding="utf-8").count("<html") == 1


def truth_of(kind: str, number: int, seed: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Image and class per pixel of a scene, drawn anew."""
    rng = np.random.default_rng([seed, number])
    if kind == "volumes":
        return make_blobs((6, 20, 24), rng)
    if kind == "vessels":
        drawn = make_vessels((64, 64), rng)
        return drawn.image, drawn.truth
    image, objects = make_cells((64, 64), rng)
    return image, objects > 0


def scene_numbers(layout: str, n_images: int) -> list[int]:
    """Which scene each labelled case shows, in the order of the cases."""
    if layout.startswith("kaggle"):
        digests = [hashlib.sha256(f"cells {number}".encode()).hexdigest() for number in range(n_images)]
        return sorted(range(n_images), key=lambda number: digests[number])
    return list(range(3 if layout == "isbi-stacks" else n_images))


@pytest.mark.parametrize(("layout", "kind"), EVERY, ids=[f"{layout}-{kind}" for layout, kind in EVERY])
def test_recognized_paired_and_read_as_drawn(layout: str, kind: str, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", kind, layout, n_images=4, shape=SIZES[kind], seed=5)
    dataset = find_cases(data)
    assert dataset.layout.name == NAMES[layout]
    assert dataset.orphans == ()
    labelled = [case for case in dataset.cases if case.labels]
    numbers = scene_numbers(layout, 4)
    assert len(labelled) == len(numbers)
    labels = understand_masks(labelled, MaskConfig(), classes=dataset.classes)
    for case, number in zip(labelled, numbers, strict=True):
        image, truth = truth_of(kind, number, seed=5)
        sample = read_sample(case, labels)
        assert sample.labels is not None
        if kind == "volumes":
            np.testing.assert_array_equal(sample.labels, truth)
        else:
            known = sample.labels != IGNORE
            np.testing.assert_array_equal(sample.labels[known] > 0, truth[known] > 0)
            assert known.mean() > (0.5 if layout == "ctc" else 0.999)
        if layout not in ("lits", "nnunet", "brats", "chasedb1"):  # in HU, several channels, JPEG
            planes = image if image.ndim == 3 and kind == "volumes" else np.atleast_3d(image)
            shown = planes[None] if kind == "volumes" else np.moveaxis(planes, -1, 0)
            np.testing.assert_array_equal(sample.image.pixels[: len(shown)], shown)


@pytest.mark.parametrize(("layout", "kind"), DEEP, ids=[f"{layout}-{kind}" for layout, kind in DEEP])
def test_series_and_volumes_train_predict_and_are_scored(
    layout: str, kind: str, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    data = make_dataset(tmp_path / "data", kind, layout, n_images=4, shape=DEEP_SIZES[kind], seed=3)
    own = ("split.", "plan.patch_size", "fit.steps", "fit.rounds")
    settings = [s for s in tiny if not s.startswith(own)]
    settings += ["split.validation=none", "split.test=none", "fit.steps=1", "fit.rounds=1"]
    settings += ["plan.patch_size=[32,32]"] if kind == "cells" else []
    trained = pipeline.train(data, tmp_path / "run", settings=settings)
    assert trained.scores.n_images == len(scene_numbers(layout, 4))

    written = pipeline.predict(trained.run.folder, [data], tmp_path / "masks")
    cases = find_cases(data).cases
    values = {c.value for c in trained.model.card.labels.classes}
    assert len(written) == len(cases)
    for case, path in zip(cases, written, strict=True):
        mask = read_mask(as_file(path))
        whole = read_image(case.image).shape
        assert mask.shape == (whole if case.page is None else whole[1:])
        assert layout == "ctc" or set(np.unique(mask).tolist()) <= values
        if not case.labels:
            path.unlink()  # nothing to score it against
    scores = pipeline.evaluate(tmp_path / "masks", data)
    assert scores.mean_dice.mean == pytest.approx(trained.scores.mean_dice.mean, nan_ok=True)


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
    assert "no others are left" in trained.run.report.read_text(encoding="utf-8")
