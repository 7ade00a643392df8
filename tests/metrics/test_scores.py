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
from seglet.metrics.protocols import protocol_named
from seglet.metrics.scores import METRICS, Scores, count_images, read_scores, write_scores


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
