import base64
import io
import math
import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import numpy as np
import PIL.Image
import pytest

from seglet.metrics.calibration import Calibration, ReliabilityBin
from seglet.metrics.curves import Curve
from seglet.report.figures import (
    heat_picture,
    iou_diagram,
    learning_curves,
    picture_uri,
    precision_recall_diagram,
    reliability_diagram,
    roc_diagram,
    score_strip,
)

CURVE = Curve(x=(0.0, 0.05, 1.0), y=(0.0, 0.9, 1.0), thresholds=(1.0, 0.5, 0.0), area=0.9471)


def texts(svg: str) -> list[str]:
    return [
        element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")
    ]


def test_a_run_has_three_diagrams_over_minutes():
    row = {"learning_rate": 1e-3, "train_loss": 1.0, "val_loss": 1.1, "val_dice": 0.5}
    diagrams = learning_curves([row | {"seconds": 60.0 * n, "step": 10 * n} for n in range(5)])
    assert [texts(d)[-1] for d in diagrams[1:]] == ["Dice on the validation images", "Learning rate"]
    assert all("minutes" in texts(d) for d in diagrams)
    assert {"training", "validation"} <= set(texts(diagrams[0]))


def test_without_times_the_axis_counts_steps_and_without_steps_rows():
    assert "steps" in texts(learning_curves([{"step": n, "train_loss": 1.0} for n in range(3)])[0])
    assert "rows of the log" in texts(learning_curves([{"train_loss": 1.0}, {"train_loss": 0.5}])[0])
    assert "steps" in texts(learning_curves([{"step": 5, "seconds": None, "train_loss": 1.0}])[0])


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_column_without_values_has_no_diagram(value):
    assert learning_curves([{"step": 1, "val_dice": value}]) == ()
    assert learning_curves([]) == ()


def test_a_single_value_is_drawn_as_a_dot():
    (diagram,) = learning_curves([{"step": 1, "val_dice": 0.5}])
    assert "<use" in diagram


def test_the_legend_states_the_area_and_the_second_observer():
    for draw in (roc_diagram, precision_recall_diagram):
        shown = texts(draw({"vessel": CURVE}, {"vessel": (0.03, 0.8)}))
        assert "vessel, area 0.947" in shown and "second observer" in shown
        assert "second observer" not in texts(draw({"vessel": CURVE}, {}))
        assert "second observer" not in texts(draw({"vessel": CURVE}, {"vessel": (math.nan, 0.5)}))


def test_names_are_drawn_as_they_stand_whatever_they_hold():
    name = "_a$b^{c} <b>&\"'"
    svg = roc_diagram({name: CURVE}, {})
    assert any(text.strip().startswith("_a$b^{c} <b>&") for text in texts(svg))
    assert "<b>" not in svg
    assert "血管" in score_strip({"血管": [0.5]}, "Dice")


def test_a_diagram_is_one_element_without_metadata_styles_or_fixed_colors():
    svg = roc_diagram({"vessel": CURVE}, {"vessel": (0.03, 0.8)})
    assert svg.startswith('<svg class="diagram" role="img" aria-label="ROC curves of vessel" viewBox=')
    assert not re.search(r"<style|<metadata|http|xlink|DOCTYPE|<\?xml", svg)
    assert "var(--series-1)" in svg and "var(--ink)" in svg
    assert not re.search(r"#[0-9a-f]{6}", svg)


def test_two_diagrams_share_no_id():
    ids = [
        set(re.findall(r'id="([^"]+)"', svg))
        for svg in (
            roc_diagram({"vessel": CURVE}, {}),
            precision_recall_diagram({"vessel": CURVE}, {}),
            *learning_curves([{"step": n, "train_loss": 1.0, "val_dice": 0.5} for n in range(3)]),
        )
    ]
    assert all(ids)
    assert len(set.union(*ids)) == sum(len(found) for found in ids)


def test_drawing_is_repeatable_and_leaves_the_settings_alone():
    before = dict(mpl.rcParams)
    assert roc_diagram({"vessel": CURVE}, {}) == roc_diagram({"vessel": CURVE}, {})
    assert dict(mpl.rcParams) == before


def test_an_area_that_is_nan_still_draws():
    curve = Curve(x=(), y=(), thresholds=(), area=math.nan)
    assert "<svg" in roc_diagram({"vessel": curve}, {})
    assert "<svg" in precision_recall_diagram({"vessel": curve}, {})


def test_the_strip_has_one_dot_per_finite_score():
    svg = score_strip({"a": [0.5, 0.6, math.nan], "b": [math.nan], "c": [0.7, 0.7, 0.7]}, "Dice")
    assert svg.count("<use") - texts(svg).count("") >= 5
    assert {"a", "b", "c", "Dice per image"} <= set(texts(svg))


def test_heat_runs_from_black_to_pale():
    heat = heat_picture(np.array([[0.0, 5.0, 10.0, np.nan]], np.float32))
    assert heat.shape == (1, 4, 3) and heat.dtype == np.uint8
    assert heat[0, 0].sum() < heat[0, 1].sum() < heat[0, 2].sum()
    assert np.array_equal(heat[0, 3], heat[0, 0])
    assert heat_picture(np.full((2, 2), 3.0)).max() < 20


def test_a_picture_survives_as_data_uri_and_is_scaled_down():
    picture = np.full((300, 900, 3), (200, 30, 90), np.uint8)
    uri = picture_uri(picture, side=450)
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    decoded = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
    assert decoded.shape == (150, 450, 3)
    assert np.abs(decoded - (200, 30, 90)).max() <= 3


def test_the_reliability_diagram_shows_the_bins_that_have_pixels():
    bins = tuple(
        ReliabilityBin(probability=value, share=value, count=count)
        for value, count in ((0.1, 1000), (math.nan, 0), (0.9, 1))
    )
    svg = reliability_diagram(Calibration(ece=0.25, bins=bins))
    assert {"Reliability", "calibration error 0.250", "as it should be"} <= set(texts(svg))
    assert svg.count("fill: var(--series-1)") == 2
    nothing = reliability_diagram(Calibration(ece=0.0, bins=bins[1:2]))
    assert "fill: var(--series-1)" not in nothing


def test_objects_are_drawn_over_the_iou_that_they_need():
    svg = iou_diagram((0.5, 0.75, 0.95), (0.8, 0.5, 0.1))
    assert {"Objects found", "IoU that a match needs"} <= set(texts(svg))
    assert svg.count("<use") == 3
