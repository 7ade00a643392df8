import math

import pytest

from seglet.metrics.protocols import PROTOCOLS
from seglet.metrics.scores import ObserverScores, Scores
from seglet.metrics.statistics import Interval
from seglet.report.comparison import (
    absence_note,
    compared_metrics,
    comparison_note,
    headline,
    ladder,
    rivals,
    sources,
    subject,
)
from seglet.report.tables import score_tables


@pytest.fixture
def retina(scores: Scores) -> Scores:
    """The same figures under the protocol of CHASE_DB1."""
    return scores.model_copy(update={"protocol": "chasedb1", "pooled_first": True})


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


def test_a_pooled_figure_has_its_own_interval(retina: Scores):
    interval = Interval(mean=0.8, low=0.7, high=0.82, n=4, n_absent=0)
    front = headline(retina.model_copy(update={"pooled_mean_dice_interval": interval}))
    assert front is not None
    assert (front.value, front.basis, front.aside) == (0.8, "Pixels of 4 images pooled", "")
    assert (front.interval, front.low, front.high) == ("95 % interval 0.700 – 0.820", 0.7, 0.82)
    lone = interval.model_copy(update={"low": math.nan, "high": math.nan, "n": 1})
    front = headline(retina.model_copy(update={"pooled_mean_dice_interval": lone}))
    assert front is not None and (front.interval, front.low) == ("", None)


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


def test_what_the_figures_are_means_of(scores: Scores, object_scores: Scores, parted_scores: Scores):
    assert subject(scores) == subject(object_scores) == "Mean over images"
    assert subject(parted_scores) == "Slices pooled"
    by_cell = object_scores.model_copy(update={"protocol": "ctc-seg", "headline": "seg"})
    assert subject(by_cell) == "Mean over objects"


def test_a_figure_that_the_data_do_not_allow_is_named(
    scores: Scores, object_scores: Scores, parted_scores: Scores
):
    assert absence_note(scores) == absence_note(object_scores) == absence_note(parted_scores) == ""
    classes_only = object_scores.model_copy(update={"objects": None})
    assert "No Score of DSB 2018: it needs two classes, and a truth that tells" in absence_note(classes_only)
    several = parted_scores.model_copy(update={"partition": None})
    assert absence_note(several).startswith("No Rand error: it needs two classes")


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


def test_the_score_of_objects_stands_in_front_where_the_protocol_says_so(object_scores: Scores):
    front = headline(object_scores)
    assert front is not None
    assert (front.metric, front.name, round(front.value, 6)) == ("dsb", "Score of DSB 2018", 0.41)
    assert front.basis == "Mean over 4 images"
    assert (front.low, front.high) == (0.55, 0.85)
    cells = headline(object_scores.model_copy(update={"headline": "seg"}))
    assert cells is not None and cells.basis == "Mean over 3 true objects of 4 images"


def test_the_rand_error_says_that_zero_is_best(parted_scores: Scores):
    front = headline(parted_scores)
    assert front is not None
    assert (front.name, front.value, front.aside) == ("Rand error", 0.05, "Pixel error 0.080")
    assert front.basis == "Slices of 4 images pooled; 0 is best"
    assert subject(parted_scores) == "Slices pooled"


def test_without_objects_dice_stands_in_front(object_scores: Scores):
    semantic = object_scores.model_copy(update={"objects": None})
    front = headline(semantic)
    assert front is not None and front.metric == "dice"
    assert compared_metrics(rivals(semantic)) == ()


@pytest.mark.parametrize(
    ("protocol", "metrics"),
    [
        ("object_scores", ("dsb",)),
        ("parted_scores", ("rand_error", "pixel_error", "v_rand", "v_info", "splits_mergers")),
    ],
)
def test_published_figures_stand_beside_in_their_own_terms(
    protocol: str, metrics: tuple[str, ...], request: pytest.FixtureRequest
):
    scores = request.getfixturevalue(protocol)
    rows, front = rivals(scores), headline(scores)
    assert front is not None
    assert compared_metrics(rows) == metrics
    steps, _ = ladder(front, rows)
    assert steps[0].value == front.value and len(steps) >= 2
    assert {step.label for step in steps[1:]} <= {row.label for row in PROTOCOLS[scores.protocol].published}


def test_a_mean_over_images_is_compared_with_means_of_its_class(organ_scores: Scores):
    rows = rivals(organ_scores)
    assert [row.label for row in rows if row.kind == "model"] == ["This model, liver", "This model, tumor"]
    assert round(rows[0].figures["dice"], 6) == 0.81  # the mean, not the pooled 0.8
    assert [row.figures["dice"] for row in rows if row.kind == "published"] == [0.963, 0.944, 0.739, 0.539]
    assert compared_metrics(rows) == ("dice",)
    assert comparison_note(organ_scores) == PROTOCOLS["lits"].comparability


def test_a_class_that_nobody_published_is_not_compared(scores: Scores):
    vessel = scores.model_copy(update={"protocol": "lits"})
    assert [row.kind for row in rivals(vessel)] == ["model"]
    assert comparison_note(vessel) == ""
    pooled, mean = {"Liver": scores.pooled["vessel"]}, {"Liver": scores.mean["vessel"]}
    update = {"class_names": ("rest", "Liver"), "pooled": pooled, "mean": mean}
    assert rivals(vessel.model_copy(update=update))[0].label == "This model"
    assert rivals(vessel.model_copy(update=update), "These masks")[0].label == "These masks"
    assert len(rivals(vessel.model_copy(update=update))) == 3


def test_a_source_is_told_once_for_all_of_its_rows(retina: Scores):
    told = sources(rivals(retina))
    assert told[0].startswith("U-Net; LadderNet: Zhuang")
    assert len(told) == len({row.source for row in PROTOCOLS["chasedb1"].published})


def test_unknown_spacing_is_why_there_are_no_distances(organ_scores: Scores):
    assert absence_note(organ_scores) == ""
    nothing = {"truth_volume": organ_scores.mean_dice.model_copy(update={"n": 0, "mean": math.nan})}
    shapes = {"liver": {**(organ_scores.shapes or {})["liver"], **nothing}}
    assert absence_note(organ_scores.model_copy(update={"shapes": shapes})).startswith("No distances")


def test_people_are_scored_by_pixels_alone(object_scores: Scores):
    observer = ObserverScores(n_images=4, pooled=object_scores.pooled, mean=object_scores.mean)
    rows = rivals(object_scores.model_copy(update={"second_observer": observer}))
    assert "second" not in [row.kind for row in rows]
