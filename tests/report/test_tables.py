import math

import pytest

from seglet.metrics.protocols import PROTOCOLS
from seglet.metrics.scores import ObserverScores, Scores
from seglet.report.tables import (
    METRICS,
    class_overview,
    compared_metrics,
    comparison_note,
    has_absent,
    headline,
    image_dice,
    image_rows,
    ladder,
    rivals,
    score_tables,
    show_number,
)


@pytest.fixture
def retina(scores: Scores) -> Scores:
    """The same figures under the protocol of CHASE_DB1."""
    return scores.model_copy(update={"protocol": "chasedb1", "pooled_first": True})


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.1235"), (-0.5, "−0.5000"), (math.nan, "–"), (None, "–"), (math.inf, "–")]
)
def test_numbers_have_four_digits_and_nothing_is_a_dash(value, text):
    assert show_number(value) == text


def test_the_headline_is_the_mean_over_images_with_its_interval(scores: Scores):
    front = headline(scores)
    assert front is not None
    assert (front.name, round(front.value, 6)) == ("Dice of vessel", 0.81)
    assert front.basis == "Mean over 3 images"
    assert (front.low, front.high) == (0.55, 0.85)


def test_a_pooled_protocol_puts_the_pooled_figure_in_front(retina: Scores):
    front = headline(retina)
    assert front is not None
    assert front.value == 0.8
    assert front.basis == "Pixels of 4 images pooled"
    assert front.aside == "Mean over images 0.810"
    assert front.interval == "95 % interval 0.550 – 0.850"
    assert front.low is None and front.high is None


def test_the_headline_of_several_classes_is_their_mean(two_class_scores: Scores):
    front = headline(two_class_scores)
    assert front is not None
    assert front.name == "Mean Dice of 2 classes"
    assert math.isclose(front.value, 0.71)
    assert rivals(two_class_scores) == ()


def test_one_image_has_no_interval(scores: Scores):
    lone = scores.mean_dice.model_copy(update={"low": math.nan, "high": math.nan, "n": 1})
    front = headline(scores.model_copy(update={"mean_dice": lone}))
    assert front is not None
    assert (front.basis, front.interval, front.low) == ("Mean over 1 image", "", None)
    pooled = headline(scores.model_copy(update={"mean_dice": lone, "pooled_first": True}))
    assert pooled is not None and (pooled.aside, pooled.interval) == ("Mean over images 0.810", "")


def test_nothing_scored_has_no_headline(scores: Scores):
    assert headline(scores.model_copy(update={"class_names": ("background",), "pooled": {}})) is None


def test_published_figures_stand_beside_with_f1_as_dice(retina: Scores):
    rows = rivals(retina)
    assert [row.kind for row in rows] == ["model"] + ["published"] * len(PROTOCOLS["chasedb1"].published)
    assert rows[1].figures["dice"] == PROTOCOLS["chasedb1"].published[0].figures["f1"]
    assert all(row.source for row in rows)
    assert compared_metrics(rows) == ("dice", "roc_auc")
    assert comparison_note(retina) == PROTOCOLS["chasedb1"].comparability != ""


@pytest.mark.parametrize(("n_images", "whose"), [(4, "the same images"), (2, "2 of 4 images")])
def test_the_second_observer_says_which_images(scores: Scores, n_images: int, whose: str):
    observer = ObserverScores(n_images=n_images, pooled=scores.pooled, mean=scores.mean)
    watched = scores.model_copy(update={"second_observer": observer})
    row = rivals(watched)[1]
    assert (row.label, row.kind) == ("Second observer", "second")
    assert whose in row.source
    (table,) = score_tables(watched)
    assert table.columns[-1] == "Second observer" and table.rows[0].cells[-1] == "0.8000"


def test_the_pixel_protocol_has_nothing_published(scores: Scores):
    assert [row.kind for row in rivals(scores)] == ["model"]
    assert comparison_note(scores) == ""


def test_an_unknown_protocol_is_shown_as_a_mean(scores: Scores):
    other = scores.model_copy(update={"protocol": "of my own"})
    front = headline(other)
    assert front is not None and front.basis == "Mean over 3 images"
    assert len(rivals(other)) == 1


def test_the_ladder_places_everything_between_its_ends(retina: Scores):
    front = headline(retina)
    assert front is not None
    steps, (first, last) = ladder(front, rivals(retina))
    assert steps[0].value == 0.8 and steps[0].kind == "model"
    assert all(0 <= step.place <= 100 for step in steps)
    assert float(first) < 0.7783 and float(last) > 0.8221
    place = 100 * (steps[1].value - float(first)) / (float(last) - float(first))
    assert math.isclose(steps[1].place, place, abs_tol=0.01)


def test_the_whisker_spans_the_interval(scores: Scores):
    front = headline(scores)
    assert front is not None
    steps, (first, last) = ladder(front, rivals(scores))
    (step,) = steps
    assert step.low is not None
    per_dice = 100 / (float(last) - float(first))
    assert math.isclose(step.low, (0.55 - float(first)) * per_dice, abs_tol=0.01)
    assert math.isclose(step.width, 0.3 * per_dice, abs_tol=0.01)
    assert step.low < step.place < step.low + step.width <= 100


@pytest.mark.parametrize("value", [0.0, 1.0, math.nan])
def test_the_ladder_stands_at_the_extremes(scores: Scores, value: float):
    interval = scores.mean_dice.model_copy(update={"mean": value, "low": value, "high": value})
    front = headline(scores.model_copy(update={"mean_dice": interval}))
    assert front is not None
    steps, _ = ladder(front, rivals(scores))
    assert all(0 <= step.place <= 100 for step in steps)
    assert len(steps) == (0 if math.isnan(value) else 1)


def test_a_table_has_a_row_per_metric_and_dashes_for_nan(scores: Scores):
    pooled = {"vessel": scores.pooled["vessel"] | {"mcc": math.nan}}
    (table,) = score_tables(scores.model_copy(update={"pooled": pooled}))
    assert table.columns == ("Pooled", "Mean", "95 % interval", "Images")
    assert [row.name for row in table.rows] == [title for title, _ in METRICS.values()]
    cells = {row.name: row.cells for row in table.rows}
    assert cells["Dice (F1)"][:2] == ("0.8000", "0.8100") and cells["Dice (F1)"][3] == "3"
    assert cells["Matthews correlation"][0] == "–"


def test_a_metric_that_nobody_has_is_left_out(scores: Scores):
    nothing = scores.mean_dice.model_copy(update={"n": 0, "mean": math.nan})
    pooled = {"vessel": scores.pooled["vessel"] | {"roc_auc": math.nan}}
    mean = {"vessel": scores.mean["vessel"] | {"roc_auc": nothing}}
    (table,) = score_tables(scores.model_copy(update={"pooled": pooled, "mean": mean}))
    assert "ROC area" not in [row.name for row in table.rows]


def test_the_overview_has_a_row_per_class(two_class_scores: Scores):
    overview = class_overview(two_class_scores)
    assert [row.name for row in overview.rows] == ["liver", "tumor"]
    assert overview.rows[1].cells[:2] == ("0.6000", "0.6100")
    assert all(len(row.cells) == len(overview.columns) for row in overview.rows)


def test_all_pixels_have_a_column_of_their_own(scores: Scores):
    (table,) = score_tables(scores.model_copy(update={"all_pixels": {"vessel": {"dice": 0.7}}}))
    assert table.columns[-1] == "Pooled, all pixels"
    assert table.rows[0].cells[-1] == "0.7000" and table.rows[1].cells[-1] == "–"


def test_every_image_has_a_row_per_class(two_class_scores: Scores):
    titles, rows = image_rows(two_class_scores)
    assert len(rows) == 8
    assert (rows[0].id, rows[0].class_name, rows[1].class_name) == ("case_0", "liver", "tumor")
    assert all(len(row.values) == len(titles) for row in rows)


def test_absent_classes_are_kept_as_nan_and_said(scores: Scores):
    values = image_dice(scores)["vessel"]
    assert len(values) == 4 and math.isnan(values[-1])
    assert has_absent(scores)
    present = {"dice": scores.mean["vessel"]["dice"].model_copy(update={"n_absent": 0})}
    assert not has_absent(scores.model_copy(update={"mean": {"vessel": present}}))
