import math

import pytest

from seglet.metrics.scores import Scores
from seglet.report.tables import (
    METRICS,
    OBJECTS,
    PARTITION,
    class_overview,
    has_absent,
    image_dice,
    image_rows,
    object_table,
    partition_table,
    score_tables,
    show_number,
)


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
    values = image_dice(scores)["vessel"]
    assert len(values) == 4 and math.isnan(values[-1])
    assert has_absent(scores)
    present = {"dice": scores.mean["vessel"]["dice"].model_copy(update={"n_absent": 0})}
    assert not has_absent(scores.model_copy(update={"mean": {"vessel": present}}))


def test_objects_have_a_row_per_figure(object_scores: Scores):
    table = object_table(object_scores)
    assert table is not None
    assert [row.name for row in table.rows] == [title for title, _ in OBJECTS.values()]
    cells = {row.name: row.cells for row in table.rows}
    assert cells["Score of DSB 2018"] == ("0.4100", "0.5500 – 0.8500")
    assert cells["AP at IoU 0.5"] == ("–", "–")
    assert cells["Merged"] == ("3", "–")


def test_a_partition_has_its_thresholds(parted_scores: Scores):
    table = partition_table(parted_scores)
    assert table is not None
    assert [row.name for row in table.rows] == [title for title, _ in PARTITION.values()]
    assert table.rows[0].cells == ("0.0500", "0.4")


def test_without_objects_there_is_no_table(scores: Scores):
    assert object_table(scores) is None and partition_table(scores) is None
