"""Scores on disk: nothing lost, nan included."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import FormatError, StorageError
from seglet.core.image import Image, Sample
from seglet.metrics.evaluate import Prediction, evaluate
from seglet.metrics.objects import COUNTS, IMAGE_METRICS
from seglet.metrics.protocols import protocol_named
from seglet.metrics.scores import (
    METRICS,
    Scores,
    count_images,
    headline,
    leading_figure,
    plain_figure,
    read_scores,
    write_scores,
)
from seglet.metrics.shapes import shape_metrics
from seglet.metrics.statistics import Interval


@pytest.fixture
def scores() -> Scores:
    rng = np.random.default_rng(0)
    pairs = []
    for name in ("a", "b, with comma", "empty"):
        truth = (rng.random((6, 7)) < 0.4).astype(np.uint8) * (name != "empty")
        sample = Sample(name, Image(np.zeros((1, 6, 7), np.uint8)), truth, second=truth)
        pairs.append((sample, Prediction(name, truth, (0.5 * truth[None]).astype(np.float32))))
    return evaluate(pairs, ("background", "cell"), protocol_named("pixels"), threshold=0.25)


def test_json_gives_back_what_was_written(tmp_path: Path, scores: Scores) -> None:
    path = write_scores(scores, tmp_path / "new", "test")
    assert path == tmp_path / "new" / "test.json"
    again = read_scores(path)
    assert again.model_dump_json() == scores.model_dump_json()
    assert math.isnan(again.images[2].classes["cell"]["dice"])
    assert again.curves["cell"]["roc"] == scores.curves["cell"]["roc"]


def test_pooled_intervals_are_written_and_older_scores_without_them_are_read(
    tmp_path: Path, scores: Scores
) -> None:
    interval = Interval(mean=0.5, low=0.25, high=math.nan, n=3, n_absent=0)
    both = {"pooled_intervals": {"cell": {"dice": interval}}, "pooled_mean_dice_interval": interval}
    path = write_scores(scores.model_copy(update=both), tmp_path)
    again = read_scores(path)
    assert again.pooled_intervals is not None and again.pooled_intervals["cell"]["dice"].low == 0.25
    old = json.loads(path.read_text())
    assert old["pooled_mean_dice_interval"]["high"] is None
    del old["pooled_intervals"], old["pooled_mean_dice_interval"], old["second_observer"]["pooled_intervals"]
    path.write_text(json.dumps(old))
    again = read_scores(path)
    assert again.pooled_intervals is again.pooled_mean_dice_interval is None
    assert again.second_observer is not None and again.second_observer.pooled_intervals is None


def test_json_is_strict_json_without_nan(tmp_path: Path, scores: Scores) -> None:
    text = write_scores(scores, tmp_path).read_text()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    written = json.loads(text, parse_constant=refuse)
    assert written["images"][2]["classes"]["cell"]["dice"] is None
    assert written["threshold"] == 0.25


def test_csv_has_one_row_per_image_and_class(tmp_path: Path, scores: Scores) -> None:
    write_scores(scores, tmp_path)
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "class", *METRICS, "n_pixels"]
    assert [(row["image"], row["class"]) for row in rows] == [
        ("a", "cell"),
        ("b, with comma", "cell"),
        ("empty", "cell"),
    ]
    assert float(rows[0]["dice"]) == 1
    assert rows[2]["dice"] == ""
    assert rows[0]["n_pixels"] == "42"


@pytest.fixture
def object_scores() -> Scores:
    """Of two images with objects, the second empty."""
    pairs = []
    for name in ("a", "empty"):
        objects = (np.arange(42).reshape(6, 7) % 7 // 3 * (name == "a")).astype(np.int32)
        labels = (objects > 0).astype(np.uint8)
        sample = Sample(name, Image(np.zeros((1, 6, 7), np.uint8)), labels, objects)
        pairs.append((sample, Prediction(name, labels, objects=objects)))
    return evaluate(pairs, ("background", "cell"), protocol_named("dsb2018"))


def test_objects_are_written_and_read_back(tmp_path: Path, object_scores: Scores) -> None:
    again = read_scores(write_scores(object_scores, tmp_path))
    assert again.model_dump_json() == object_scores.model_dump_json()
    assert again.objects is not None
    assert isinstance(again.objects["dsb"], Interval) and again.objects["n_truth"] == 2
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-len(IMAGE_METRICS) - len(COUNTS) :] == [*IMAGE_METRICS, *COUNTS]
    assert (rows[0]["dsb"], rows[0]["n_truth"], rows[1]["seg"]) == ("1.0", "2.0", "")


def test_pooled_figures_that_do_not_exist_are_null_and_read_back(
    tmp_path: Path, object_scores: Scores
) -> None:
    objects = {**(object_scores.objects or {}), "ap_50": math.nan}
    path = write_scores(object_scores.model_copy(update={"objects": objects}), tmp_path)
    assert json.loads(path.read_text())["objects"]["ap_50"] is None
    again = read_scores(path).objects
    assert again is not None and math.isnan(plain_figure(again["ap_50"]))


def test_scores_written_before_there_were_objects_are_read(tmp_path: Path, scores: Scores) -> None:
    path = write_scores(scores, tmp_path)
    old = json.loads(path.read_text())
    for key in ("headline", "objects", "partition", "shapes", "calibration"):
        del old[key]
    for image in old["images"]:
        del image["objects"], image["shapes"]
    path.write_text(json.dumps(old))
    again = read_scores(path)
    assert (again.headline, again.objects, again.partition) == ("dice", None, None)
    assert (again.shapes, again.calibration) == (None, None)
    assert again.images[0].objects is again.images[0].shapes is None


def test_the_headline_figures_have_what_the_protocol_asks_for(scores: Scores, object_scores: Scores) -> None:
    assert leading_figure(object_scores) == "dsb"
    assert headline(object_scores)["dsb"] == 1
    assert headline(object_scores)["n_truth"] == 2
    assert leading_figure(object_scores.model_copy(update={"objects": None})) == "dice"
    assert set(headline(scores)) == {
        "mean_dice",
        "pooled_dice",
        "pooled_iou",
        "pooled_roc_auc",
        "pooled_pr_auc",
        "ece",
    }
    parted = scores.model_copy(update={"headline": "rand_error", "partition": {"rand_error": 0.25}})
    assert leading_figure(parted) == "rand_error" and headline(parted)["rand_error"] == 0.25


def test_figures_of_shapes_are_written_and_read_back(tmp_path: Path) -> None:
    pairs = []
    for name in ("a", "empty"):
        labels = np.zeros((4, 6, 7), np.uint8)
        labels[1:3, 2:5, 2:5] = name == "a"
        case = Sample(name, Image(np.zeros((1, 4, 6, 7), np.uint8), (2.0, 1.0, 1.0), "mm"), labels)
        pairs.append((case, Prediction(name, np.roll(labels, 1, 1))))
    scores = evaluate(pairs, ("rest", "liver"), protocol_named("lits"))
    again = read_scores(write_scores(scores, tmp_path))
    assert again.model_dump_json() == scores.model_dump_json()
    assert again.shapes is not None and again.shapes["liver"]["assd"].n == 1
    assert headline(scores)["max_distance"] == 1
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [*shape_metrics(protocol_named("lits"))]
    assert list(rows[0]) == ["image", "class", *METRICS, "n_pixels", *names]
    assert (float(rows[0]["truth_volume"]), float(rows[0]["hd95"]), rows[1]["hd95"]) == (36, 1, "")


def test_nothing_is_left_aside(tmp_path: Path, scores: Scores) -> None:
    write_scores(scores, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"scores.json", "scores.csv"}


@pytest.mark.parametrize("content", ["", "{}", "[1]", "{", None])
def test_unreadable_scores_are_said(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "scores.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FormatError, match=r"scores\.json"):
        read_scores(path)


def test_file_in_the_place_of_the_folder_is_said(tmp_path: Path, scores: Scores) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(StorageError):
        write_scores(scores, tmp_path / "out")


@pytest.mark.parametrize(
    ("n", "windows_of", "kind", "said"),
    [
        (1, None, "", "1 image"),
        (5, None, "test", "5 test images"),
        (64, 2, "", "64 windows of 2 images"),
        (1, 1, "validation", "1 window of 1 validation image"),
    ],
)
def test_images_and_windows_are_counted_in_words(
    n: int, windows_of: int | None, kind: str, said: str
) -> None:
    assert count_images(n, windows_of, kind) == said
