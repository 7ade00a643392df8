"""Two evaluations of real arrays, compared."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from seglet.comparing import Compared, compare_runs, left_out, write_comparison
from seglet.core.errors import ConfigError, DatasetError, FormatError
from seglet.core.image import Image, Sample
from seglet.metrics.evaluate import Prediction, evaluate
from seglet.metrics.protocols import protocol_named
from seglet.metrics.scores import read_scores, write_scores
from seglet.report.pairs import FEWEST

SIDE = 24


def score(
    folder: Path,
    wrong: list[int],
    names: tuple[str, ...] = ("background", "cell"),
    protocol: str = "pixels",
    images: dict[str, str] | None = None,
    ids: list[str] | None = None,
    side: int = SIDE,
) -> Path:
    """Score images of one square object (or two classes) of which so many rows are missing, into a folder."""
    pairs = []
    for number, n_rows in enumerate(wrong):
        truth = np.zeros((side, side), np.uint8)
        truth[4:20, 4:12] = 1
        truth[4:20, 14:20] = len(names) - 1
        predicted = truth.copy()
        predicted[4 : 4 + n_rows, : 12 if len(names) > 2 else side] = 0
        name = ids[number] if ids else f"i{number}"
        objects = None if len(names) > 2 else (truth * np.where(np.arange(side) < 13, 1, 2)).astype(np.int32)
        sample = Sample(name, Image(np.zeros((1, side, side), np.uint8)), truth, objects)
        pairs.append((sample, Prediction(name, predicted)))
    write_scores(evaluate(pairs, names, protocol_named(protocol), images=images), folder)
    return folder


def test_the_better_of_two_runs(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [1, 2, 3, 1, 2, 3, 0]), score(tmp_path / "b", [4, 4, 5, 3, 4, 5, 0])
    found = compare_runs(a, b)
    assert (found.a, found.b, found.metric, found.lower_is_better) == ("a", "b", "dice", False)
    expected = [s.mean_dice - t.mean_dice for s, t in zip(images(a), images(b), strict=True)]
    assert found.paired.difference.mean == pytest.approx(np.mean(expected))
    assert (found.paired.larger, found.paired.equal, found.paired.smaller) == (6, 1, 0)
    assert found.paired.permutation_p == 2 / 2**6
    assert found.verdict.startswith("a is better by 0.")
    assert "on 6 of 7 images; if both were equally good, 3.1 % of cases" in found.verdict
    assert compare_runs(b, a).verdict.startswith("a is better by 0.")


def images(folder: Path):
    return read_scores(folder / "scores.json").images


def test_fewer_images_than_say_anything(tmp_path: Path) -> None:
    wrong = [3] * (FEWEST - 1)
    found = compare_runs(score(tmp_path / "a", [0] * len(wrong)), score(tmp_path / "b", wrong))
    assert found.verdict.startswith("Nothing can be concluded from 5 images")
    assert "6.2 % of cases" in found.verdict
    assert found.paired.permutation_p == 2 / 2**5


def test_what_may_be_chance_is_called_no_difference(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [0, 5, 1, 6, 0, 5, 2]), score(tmp_path / "b", [5, 0, 6, 1, 5, 0, 3])
    assert compare_runs(a, b).verdict.startswith("No difference can be told: a is ahead by 0.")


def test_equal_runs(tmp_path: Path) -> None:
    a = score(tmp_path / "a", [1] * 8)
    assert compare_runs(a, a / "scores.json").verdict.endswith("are equal on 8 images.")


def test_a_figure_of_which_less_is_better(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [0] * 7), score(tmp_path / "b", [12] * 7)  # three quarters are missing
    found = compare_runs(a, b, "missed")
    assert found.lower_is_better
    assert (found.paired.smaller, found.paired.difference.mean) == (7, -2)
    assert found.verdict.startswith("a is better by 2.0000")
    assert compare_runs(a, b, "dsb").verdict.startswith("a is better")


def test_the_figure_in_front_is_compared_where_images_have_it(tmp_path: Path) -> None:
    objects = [score(tmp_path / name, [1, 2], protocol="dsb2018") for name in "ab"]
    assert compare_runs(*objects).metric == "dsb"
    parted = [score(tmp_path / name, [1, 2], protocol="isbi2012") for name in "cd"]
    assert compare_runs(*parted).metric == "dice"


def test_of_several_classes_the_mean_or_one(tmp_path: Path) -> None:
    names = ("background", "liver", "tumor")
    a, b = score(tmp_path / "a", [0] * 6, names), score(tmp_path / "b", [4] * 6, names)
    liver, both = compare_runs(a, b, "liver.dice"), compare_runs(a, b)
    assert compare_runs(a, b, "tumor.dice").paired.equal == 6
    assert both.paired.difference.mean == pytest.approx(liver.paired.difference.mean / 2)
    assert images(b)[0].mean_dice == both.pairs[0].b


def test_an_unknown_figure_names_the_nearest(tmp_path: Path) -> None:
    a = score(tmp_path / "a", [1, 2])
    with pytest.raises(ConfigError, match="Did you mean dice") as raised:
        compare_runs(a, a, "dise")
    assert "iou" in raised.value.expected
    assert "n_truth" not in raised.value.expected  # no quality
    with pytest.raises(ConfigError):
        compare_runs(a, a, "n_predicted")


def test_only_common_images_are_compared_and_the_others_named(tmp_path: Path) -> None:
    a = score(tmp_path / "a", [1, 2, 3], ids=["x", "y", "z"])
    b = score(tmp_path / "b", [2, 2, 3], ids=["w", "z", "y"])
    found = compare_runs(a, b)
    assert [pair.id for pair in found.pairs] == ["y", "z"]
    assert (found.only_a, found.only_b) == (("x",), ("w",))
    assert left_out(found) == [
        "Left out, scored by a but not by b: x.",
        "Left out, scored by b but not by a: w.",
    ]


def test_without_common_images_nothing_is_compared(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [1], ids=["x"]), score(tmp_path / "b", [1], ids=["y"])
    with pytest.raises(DatasetError, match="no image that both scored"):
        compare_runs(a, b)


def test_images_of_one_name_must_be_the_same(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [1, 2]), score(tmp_path / "b", [1, 2], side=30)
    with pytest.raises(DatasetError, match="another number of scored pixels: i0, i1"):
        compare_runs(a, b)


@pytest.mark.parametrize(
    "other", [("membrane", "cell"), ("background", "cell", "nucleus"), ("cell", "membrane", "rest")]
)
def test_other_classes_are_refused(tmp_path: Path, other: tuple[str, ...]) -> None:
    a, b = score(tmp_path / "a", [1, 2], ("cell", "membrane")), score(tmp_path / "b", [1, 2], other)
    with pytest.raises(DatasetError, match="the same classes in the same order"):
        compare_runs(a, b)


def test_a_foreground_may_have_another_name(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [1, 2]), score(tmp_path / "b", [1, 2], ("background", "foreground"))
    assert compare_runs(a, b).paired.equal == 2


def test_two_protocols_are_noted(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [1, 2]), score(tmp_path / "b", [1, 2], protocol="dsb2018")
    assert "two protocols: pixels" in compare_runs(a, b, "dice").notes[0]


def test_windows_of_one_image_count_together(tmp_path: Path) -> None:
    ids = [f"im@ge{n}@{start}-0" for n in range(2) for start in (0, 24, 48)]
    windows = {name: name.rpartition("@")[0] for name in ids}
    a = score(tmp_path / "a", [1] * 6, images=windows, ids=ids)
    b = score(tmp_path / "b", [3] * 6, images=windows, ids=ids)
    found = compare_runs(a, b)
    assert {pair.image for pair in found.pairs} == {"im@ge0", "im@ge1"}
    assert (found.paired.n_images, found.paired.difference.n) == (2, 6)
    assert "count together: 2 images" in found.notes[0]
    assert found.verdict.startswith("Nothing can be concluded from 2 images")


def test_images_without_the_figure_are_left_out(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [1, 2]), score(tmp_path / "b", [3, 4])
    found = compare_runs(a, b, "roc_auc")  # there were no probabilities
    assert found.paired.n_images == 0
    assert found.verdict == "No image has this figure in both: nothing can be said."
    assert left_out(found) == ["Left out, without this figure: i0, i1."]


def test_runs_of_several_seeds_are_averaged_image_by_image(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    low, high = score(seeds / "seed0", [1, 2, 3]), score(seeds / "seed1", [3, 4, 5])
    entries = [{"seed": n, "folder": f"seed{n}", "figures": {}} for n in (0, 1)]
    (seeds / "seeds.json").write_text(json.dumps({"seeds": entries, "n_images": 3, "summary": {}}))
    found = compare_runs(seeds, low)
    mean = [(s.mean_dice + t.mean_dice) / 2 for s, t in zip(images(low), images(high), strict=True)]
    assert [pair.a for pair in found.pairs] == pytest.approx(mean)
    assert found.notes == ("Figures of an image are means over 2 and 1 runs.",)
    (seeds / "seeds.json").write_text("[]")
    with pytest.raises(FormatError, match="no readable list of runs"):
        compare_runs(seeds, low)


def test_names_tell_both_apart(tmp_path: Path) -> None:
    a, b = score(tmp_path / "x" / "run", [1]), score(tmp_path / "y" / "run", [1])
    found = compare_runs(a, b / "scores.json")
    assert (found.a, found.b) == ("x/run", "y/run")


def test_without_scores_there_is_nothing_to_compare(tmp_path: Path) -> None:
    a = score(tmp_path / "a", [1])
    with pytest.raises(FormatError, match="nowhere: found nothing"):
        compare_runs(a, tmp_path / "nowhere")


def test_page_and_json_are_written(tmp_path: Path) -> None:
    a, b = score(tmp_path / "a", [1, 2, 3, 1]), score(tmp_path / "b", [3, 4, 3, 4])
    found = compare_runs(a, b)
    page = write_comparison(found, tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert found.verdict in text
    assert text.count("<svg") == 2
    again = Compared.model_validate_json((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert again == found


def test_nan_survives_json(tmp_path: Path) -> None:
    a = score(tmp_path / "a", [1, 2])
    write_comparison(compare_runs(a, a, "pr_auc"), tmp_path / "out")
    again = Compared.model_validate_json((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert math.isnan(again.pairs[0].a)
    assert math.isnan(again.paired.permutation_p)
