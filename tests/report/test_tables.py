import math

import pytest

from seglet.metrics.scores import ObserverScores, Scores, rating_figure
from seglet.metrics.shapes import SHAPE_METRICS
from seglet.metrics.statistics import Interval
from seglet.report.tables import (
    METRICS,
    OBJECTS,
    PARTITION,
    SHAPES,
    calibration_text,
    class_overview,
    further_tables,
    has_absent,
    image_figures,
    image_rows,
    object_table,
    partition_table,
    precision_by_iou,
    precision_table,
    score_tables,
    shape_tables,
    show_metric,
    show_number,
)


def around(value: float) -> Interval:
    return Interval(mean=value, low=0.55, high=0.85, n=3, n_absent=1)


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.1235"), (-0.5, "−0.5000"), (math.nan, "–"), (None, "–"), (math.inf, "–")]
)
def test_numbers_have_four_digits_and_nothing_is_a_dash(value, text):
    assert show_number(value) == text


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
    values = image_figures(scores, "dice")["vessel"]
    assert len(values) == 4 and math.isnan(values[-1])
    assert has_absent(scores)
    present = {"dice": scores.mean["vessel"]["dice"].model_copy(update={"n_absent": 0})}
    assert not has_absent(scores.model_copy(update={"mean": {"vessel": present}}))


def test_images_of_objects_are_told_apart_by_the_figure_in_front(object_scores: Scores):
    assert rating_figure(object_scores) == "dice", "no image has it"
    images = tuple(
        image.model_copy(update={"objects": {"dsb": 0.1 * number}})
        for number, image in enumerate(object_scores.images)
    )
    scores = object_scores.model_copy(update={"images": images})
    assert rating_figure(scores) == "dsb"
    assert image_figures(scores, "dsb") == {"objects": [0.1 * number for number in range(len(images))]}


def test_objects_have_a_row_per_figure(object_scores: Scores):
    table = object_table(object_scores)
    assert table is not None
    assert [row.name for row in table.rows] == [title for title, _ in OBJECTS.values()]
    cells = {row.name: row.cells for row in table.rows}
    assert cells["Score of DSB 2018"] == ("0.4100", "0.5500 – 0.8500")
    assert cells["AP at IoU 0.5"] == ("0.5500", "–")
    assert cells["Merged"] == ("3", "–")
    old = {name: figure for name, figure in (object_scores.objects or {}).items() if name != "pq"}
    without = object_table(object_scores.model_copy(update={"objects": {**old, "ap_50": math.nan}}))
    assert without is not None
    assert [row.name for row in without.rows if row.name in ("Panoptic quality", "SQ")] == ["SQ"]
    assert next(row for row in without.rows if row.name == "AP at IoU 0.5").cells == ("–", "–")


def test_precision_is_written_by_threshold(object_scores: Scores):
    thresholds, values = precision_by_iou(object_scores)
    assert thresholds == tuple(k / 20 for k in range(10, 20))
    assert values[0] == 0.55 and values[-1] == pytest.approx(0.325)
    table = precision_table(object_scores)
    assert table is not None
    assert table.columns[0] == "0.50" and table.columns[-1] == "0.95"
    assert table.rows[0].cells[0] == "0.550"
    old = {name: f for name, f in (object_scores.objects or {}).items() if not name.startswith("ap_")}
    only = object_scores.model_copy(update={"objects": {**old, "ap_50": 0.5}})
    assert precision_table(only) is None
    assert precision_by_iou(object_scores.model_copy(update={"objects": None})) == ((), ())


def test_shapes_have_a_table_per_class_with_their_units(organ_scores: Scores):
    liver, tumor = shape_tables(organ_scores)
    assert (liver.name, tumor.name) == ("Surface and volume of liver", "Surface and volume of tumor")
    cells = {row.name: row.cells for row in tumor.rows}
    assert cells["ASSD, mm"] == ("1.2100", "0.5500 – 0.8500", "2")
    assert cells["VOE"][2] == "3"
    assert cells["True volume, mm³"][0] == "1500"
    nothing = {"assd": around(math.nan).model_copy(update={"n": 0}), "voe": around(0.5)}
    (table,) = shape_tables(organ_scores.model_copy(update={"shapes": {"liver": nothing}}))
    assert [row.name for row in table.rows] == ["VOE"]


def test_a_second_observer_has_shapes_too(vessel_scores: Scores):
    (table,) = shape_tables(vessel_scores)
    assert table.name == "Centerlines of vessel"
    assert table.columns[-1] == "Second observer"
    assert table.rows[0].cells == ("0.8100", "0.5500 – 0.8500", "3", "0.7100")


def test_every_shape_has_a_title():
    assert set(SHAPES) == set(SHAPE_METRICS)


def test_the_calibration_is_a_sentence(scores: Scores, vessel_scores: Scores):
    assert calibration_text(scores) == ""
    assert calibration_text(vessel_scores).startswith("Expected calibration error 0.0505:")
    unknown = vessel_scores.calibration.model_copy(update={"ece": math.nan})
    assert calibration_text(vessel_scores.model_copy(update={"calibration": unknown})) == ""


def test_a_figure_has_the_digits_that_it_needs():
    assert show_metric("splits_mergers", 0.000353) == "0.000353"
    assert show_metric("n_truth", 12.0) == "12"
    assert show_metric("dice", 0.91234) == "0.9123"
    assert show_metric("dice", None) == "–"


def test_images_show_what_their_protocol_is_about(organ_scores: Scores):
    titles, rows = image_rows(organ_scores)
    assert titles[-2:] == ("ASSD, mm", "HD95, mm")
    assert rows[0].values[-2:] == (1.2, 4.5)


def test_further_tables_are_all_that_are_not_of_pixels(
    scores: Scores, object_scores: Scores, parted_scores: Scores, organ_scores: Scores
):
    assert further_tables(scores) == ()
    assert [table.name for table in further_tables(object_scores)] == ["Objects", "Objects found, by IoU"]
    assert [table.name for table in further_tables(parted_scores)] == ["Partition into cells"]
    assert len(further_tables(organ_scores)) == 2


def test_a_partition_has_its_thresholds(parted_scores: Scores):
    table = partition_table(parted_scores)
    assert table is not None
    assert [row.name for row in table.rows] == [title for title, _ in PARTITION.values()]
    assert table.rows[0].cells == ("0.0500", "–", "0.4"), "scored before there were intervals"
    error = Interval(mean=0.05, low=0.04, high=0.07, n=4, n_absent=0)
    known = parted_scores.model_copy(update={"partition_intervals": {"rand_error": error}})
    table = partition_table(known)
    assert table is not None
    assert table.rows[0].cells == ("0.0500", "0.0400 – 0.0700", "0.4")


def test_without_objects_there_is_no_table(scores: Scores):
    assert object_table(scores) is None and partition_table(scores) is None


def test_pooled_figures_in_front_have_the_interval(scores: Scores, two_class_scores: Scores):
    def pooled(of: Scores) -> dict[str, dict[str, Interval]]:
        return {name: {m: around(value) for m, value in own.items()} for name, own in of.pooled.items()}

    spans = scores.model_copy(update={"pooled_intervals": pooled(scores)})
    human = ObserverScores(
        n_images=4, pooled=scores.pooled, mean=scores.mean, pooled_intervals=pooled(scores)
    )
    (table,) = score_tables(spans.model_copy(update={"second_observer": human}))
    assert table.columns == (
        *("Pooled", "95 % interval", "Mean", "Images", "Second observer", "95 % interval"),
    )
    assert table.rows[0].cells == ("0.8000", "0.5500 – 0.8500", "0.8100", "3", "0.8000", "0.5500 – 0.8500")
    overview = class_overview(
        two_class_scores.model_copy(update={"pooled_intervals": pooled(two_class_scores)})
    )
    assert overview.columns[:4] == ("Pooled Dice", "95 % interval", "Mean Dice", "Images")
    assert overview.rows[1].cells[:4] == ("0.6000", "0.5500 – 0.8500", "0.6100", "3")
