"""Whole evaluations: which pixels count, how images are averaged, what is refused."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from sklearn import metrics as sk

from seglet.core.errors import DatasetError
from seglet.core.events import Event
from seglet.core.image import IGNORE, Image, Sample
from seglet.metrics.curves import precision_recall_curve, roc_curve
from seglet.metrics.evaluate import Prediction, evaluate
from seglet.metrics.partition import PARTITION_METRICS
from seglet.metrics.protocols import PROTOCOLS, protocol_named
from seglet.metrics.scores import METRICS

PIXELS, DRIVE = protocol_named("pixels"), protocol_named("drive")
NAMES = ("background", "vessel")
SHAPE = (20, 24)


def sample(name: str, labels: np.ndarray | None, **more: np.ndarray) -> Sample:
    return Sample(name, Image(np.zeros((1, *SHAPE), np.uint8)), labels, **more)


def pair(name: str, seed: int, **more: np.ndarray) -> tuple[Sample, Prediction]:
    """Give a truth, and a prediction that is right more often than not."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(SHAPE) < 0.3).astype(np.uint8)
    foreground = (0.6 * rng.random(SHAPE) + 0.35 * truth).astype(np.float32)
    return sample(name, truth, **more), Prediction(
        name, (foreground >= 0.5).astype(np.uint8), foreground[None]
    )


def left_half() -> np.ndarray:
    fov = np.zeros(SHAPE, bool)
    fov[:, :12] = True
    return fov


def test_hand_countable_image() -> None:
    truth, predicted = np.array([[1, 1, 0, 0]], np.uint8), np.array([[1, 0, 1, 0]], np.uint8)
    scores = evaluate([(sample("a", truth), Prediction("a", predicted))], NAMES, PIXELS)
    for figures in (scores.pooled["vessel"], scores.images[0].classes["vessel"]):
        assert figures["dice"] == 0.5
        assert figures["iou"] == pytest.approx(1 / 3)
        assert figures["accuracy"] == 0.5
        assert math.isnan(figures["roc_auc"])
    assert (scores.n_images, scores.images[0].n_pixels, scores.images[0].mean_dice) == (1, 4, 0.5)
    assert scores.curves == {}
    assert scores.threshold is scores.second_observer is scores.all_pixels is None
    assert (scores.protocol, scores.rule) == ("pixels", PIXELS.rule)


def test_pooled_figures_and_curves_are_of_all_pixels_together() -> None:
    pairs = [pair(name, seed) for seed, name in enumerate("abc")]
    scores = evaluate(pairs, NAMES, PIXELS)
    truth = np.concatenate([s.labels.ravel() for s, _ in pairs])
    marked = np.concatenate([p.labels.ravel() for _, p in pairs])
    foreground = np.concatenate([p.probabilities.ravel() for _, p in pairs])
    pooled = scores.pooled["vessel"]
    assert tuple(pooled) == METRICS
    assert pooled["f1"] == pytest.approx(sk.f1_score(truth, marked))
    assert pooled["mcc"] == pytest.approx(sk.matthews_corrcoef(truth, marked))
    assert pooled["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, foreground))
    assert pooled["pr_auc"] == pytest.approx(sk.average_precision_score(truth, foreground))
    assert scores.curves["vessel"]["roc"] == roc_curve(truth == 1, foreground)
    assert scores.curves["vessel"]["pr"] == precision_recall_curve(truth == 1, foreground)


def test_mean_is_over_images_in_their_order() -> None:
    pairs = [pair(name, seed) for seed, name in enumerate("cab")]
    scores = evaluate(pairs, NAMES, PIXELS)
    each = [sk.f1_score(s.labels.ravel(), p.labels.ravel()) for s, p in pairs]
    assert [image.id for image in scores.images] == ["c", "a", "b"]
    assert [image.classes["vessel"]["dice"] for image in scores.images] == pytest.approx(each)
    interval = scores.mean["vessel"]["dice"]
    assert interval.mean == pytest.approx(np.mean(each)) == scores.mean_dice.mean
    assert min(each) <= interval.low < interval.mean < interval.high <= max(each)
    assert set(scores.mean["vessel"]) == set(METRICS)
    s, p = pairs[0]
    assert scores.images[0].classes["vessel"]["roc_auc"] == pytest.approx(
        sk.roc_auc_score(s.labels.ravel(), p.probabilities.ravel())
    )


def test_only_pixels_inside_the_field_of_view_count_and_the_rest_is_reported_apart() -> None:
    fov = left_half()
    truth, prediction = pair("a", 0, fov=fov)
    scores = evaluate([(truth, prediction)], NAMES, DRIVE)
    inside = evaluate(
        [
            (
                replace(truth, labels=truth.labels[:, :12], fov=None),
                Prediction("a", prediction.labels[:, :12], prediction.probabilities[:, :, :12]),
            )
        ],
        NAMES,
        DRIVE,
    )
    assert scores.pooled == inside.pooled
    assert scores.curves == inside.curves
    assert scores.images == inside.images
    everywhere = evaluate([(replace(truth, fov=None), prediction)], NAMES, DRIVE)
    assert scores.all_pixels is not None
    assert scores.all_pixels["vessel"] == pytest.approx(everywhere.pooled["vessel"])
    assert scores.all_pixels["vessel"]["dice"] != scores.pooled["vessel"]["dice"]
    assert inside.all_pixels is None


def test_what_stands_outside_the_field_of_view_changes_nothing_inside() -> None:
    fov = left_half()
    truth, prediction = pair("a", 0, fov=fov)
    garbage = Prediction(
        "a",
        np.where(fov, prediction.labels, 1),
        np.where(fov, prediction.probabilities, 1.0).astype(np.float32),
    )
    first, second = (evaluate([(truth, p)], NAMES, DRIVE) for p in (prediction, garbage))
    assert first.pooled == second.pooled
    assert first.all_pixels != second.all_pixels


def test_every_protocol_counts_inside_the_field_of_view_only() -> None:
    truth, prediction = pair("a", 0, fov=left_half())
    for protocol in PROTOCOLS.values():
        scores = evaluate([(truth, prediction)], NAMES, protocol)
        assert scores.images[0].n_pixels == left_half().sum()
        assert scores.all_pixels is not None


def test_unlabelled_pixels_never_count() -> None:
    truth, prediction = pair("a", 0)
    labels = truth.labels.copy()
    labels[:, 12:] = IGNORE
    unlabelled = evaluate([(replace(truth, labels=labels), prediction)], NAMES, PIXELS)
    cut = evaluate([(replace(truth, fov=left_half()), prediction)], NAMES, DRIVE)
    assert unlabelled.pooled == cut.pooled
    assert unlabelled.curves == cut.curves
    with_fov = evaluate([(replace(truth, labels=labels, fov=left_half()), prediction)], NAMES, DRIVE)
    assert with_fov.all_pixels == with_fov.pooled


def test_second_observer_is_scored_by_the_same_rule() -> None:
    fov = left_half()
    pairs = [pair(name, seed, fov=fov) for seed, name in enumerate("ab")]
    other = pair("x", 9)[0].labels
    pairs[0] = (replace(pairs[0][0], second=other), pairs[0][1])
    observer = evaluate(pairs, NAMES, DRIVE).second_observer
    assert observer is not None
    assert observer.n_images == 1
    expected = sk.f1_score(pairs[0][0].labels[fov], other[fov])
    assert observer.pooled["vessel"]["f1"] == pytest.approx(expected)
    assert observer.mean["vessel"]["f1"].mean == pytest.approx(expected)
    assert math.isnan(observer.pooled["vessel"]["roc_auc"])


def test_pixels_that_the_second_observer_left_out_do_not_count_for_him() -> None:
    truth, prediction = pair("a", 0)
    second = truth.labels.copy()
    second[:, 12:] = IGNORE
    observer = evaluate([(replace(truth, second=second), prediction)], NAMES, PIXELS).second_observer
    assert observer is not None
    assert observer.pooled["vessel"]["dice"] == 1


def test_empty_image_is_left_out_of_the_mean_and_counted() -> None:
    nothing = np.zeros(SHAPE, np.uint8)
    empty = (sample("empty", nothing), Prediction("empty", nothing, np.zeros((1, *SHAPE), np.float32)))
    scores = evaluate([pair("a", 0), pair("b", 1), empty], NAMES, PIXELS)
    interval = scores.mean["vessel"]["dice"]
    assert (interval.n, interval.n_absent) == (2, 1)
    assert scores.mean_dice.n_absent == 1
    assert math.isnan(scores.images[2].mean_dice)
    wrong = (empty[0], replace(empty[1], labels=nothing + 1))
    assert evaluate([pair("a", 0), wrong], NAMES, PIXELS).mean["vessel"]["dice"].mean < interval.mean / 1.5


def test_several_classes_are_scored_one_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, SHAPE).astype(np.uint8)
    planes = rng.random((4, *SHAPE)).astype(np.float32)
    np.put_along_axis(planes, truth[None].astype(int), 1.2, axis=0)
    planes[:, ::3] = rng.random(planes[:, ::3].shape)
    planes /= planes.sum(axis=0)
    labels = planes.argmax(axis=0).astype(np.uint8)
    names = ("background", "a", "b", "absent")
    scores = evaluate([(sample("x", truth), Prediction("x", labels, planes))], names, PIXELS)
    assert list(scores.pooled) == ["a", "b", "absent"]
    for index, name in ((1, "a"), (2, "b")):
        expected = sk.roc_auc_score((truth == index).ravel(), planes[index].ravel())
        assert scores.pooled[name]["roc_auc"] == pytest.approx(expected)
    assert scores.pooled["absent"]["dice"] == 0  # predicted, never true
    assert math.isnan(scores.pooled["absent"]["roc_auc"])
    dices = [scores.pooled[name]["dice"] for name in names[1:]]
    assert scores.pooled_mean_dice == scores.images[0].mean_dice == pytest.approx(np.mean(dices))


def test_two_planes_for_two_classes_are_taken_as_well() -> None:
    truth, prediction = pair("a", 0)
    foreground = prediction.probabilities
    both = replace(prediction, probabilities=np.concatenate([1 - foreground, foreground]))
    first, second = (evaluate([(truth, p)], NAMES, PIXELS) for p in (prediction, both))
    assert first.pooled == second.pooled


def test_one_image_without_probabilities_leaves_no_pooled_curve() -> None:
    truth, prediction = pair("b", 1)
    scores = evaluate([pair("a", 0), (truth, replace(prediction, probabilities=None))], NAMES, PIXELS)
    assert scores.curves == {}
    assert math.isnan(scores.pooled["vessel"]["roc_auc"])
    assert scores.mean["vessel"]["roc_auc"].n == 1


def test_all_pixels_have_no_areas_where_an_image_came_without_probabilities() -> None:
    truth, prediction = pair("b", 1, fov=left_half())
    pairs = [pair("a", 0, fov=left_half()), (truth, replace(prediction, probabilities=None))]
    scores = evaluate(pairs, NAMES, DRIVE)
    assert scores.curves == {}
    assert scores.all_pixels is not None
    assert math.isnan(scores.all_pixels["vessel"]["roc_auc"])
    assert scores.all_pixels["vessel"]["dice"] > 0


def test_pairs_are_taken_one_at_a_time_and_told() -> None:
    events: list[Event] = []

    def stream() -> Iterator[tuple[Sample, Prediction]]:
        for n_before, name in enumerate("abc"):
            assert len(events) == n_before
            yield pair(name, n_before)

    scores = evaluate(stream(), NAMES, PIXELS, threshold=0.4, tell=events.append)
    assert scores.threshold == 0.4
    assert [event.done for event in events] == [1, 2, 3]


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(DatasetError, match="no image"):
        evaluate([], NAMES, PIXELS)
    with pytest.raises(DatasetError, match="eye7"):
        evaluate([(sample("eye7", None), pair("eye7", 0)[1])], NAMES, PIXELS)


@pytest.mark.data
def test_second_observer_of_chasedb1_agrees_as_people_do(data_folder: Path) -> None:
    def mask(name: str) -> np.ndarray:
        with Picture.open(data_folder / "chasedb1" / name) as picture:
            return (np.asarray(picture.convert("L")) > 127).astype(np.uint8)

    pairs = []
    for eye in ("11L", "11R", "12L", "12R", "13L", "13R", "14L", "14R"):
        truth, second = mask(f"labels1/Image_{eye}_1stHO.png"), mask(f"labels2/Image_{eye}_2ndHO.png")
        fov = mask(f"masks/mask_{eye}.png") > 0
        case = Sample(eye, Image(np.zeros((1, *truth.shape), np.uint8)), truth, fov=fov, second=second)
        pairs.append((case, Prediction(eye, second)))
    scores = evaluate(pairs, NAMES, protocol_named("chasedb1"))
    pooled, observer, everywhere = scores.pooled["vessel"], scores.second_observer, scores.all_pixels
    assert observer is not None
    assert everywhere is not None
    assert observer.pooled["vessel"] == pytest.approx(pooled, nan_ok=True)
    assert 0.75 < pooled["f1"] < 0.83
    assert 0.94 < pooled["accuracy"] < everywhere["vessel"]["accuracy"]


def test_windows_of_large_images_are_counted_by_image() -> None:
    pairs = [pair(f"{name}@{n}", n) for n, name in enumerate("aabb")]
    found = evaluate(pairs, NAMES, PIXELS, images={f"{name}@{n}": name for n, name in enumerate("aabb")})
    whole = evaluate(pairs, NAMES, PIXELS)
    assert (found.n_images, found.windows_of, whole.windows_of) == (4, 2, None)
    assert found.pooled == whole.pooled
    assert found.mean_dice.mean == pytest.approx(whole.mean_dice.mean)
    of_each = [np.mean([image.mean_dice for image in found.images[k : k + 2]]) for k in (0, 2)]
    assert found.mean_dice.low == pytest.approx(min(of_each))
    assert found.mean_dice.high == pytest.approx(max(of_each))
    assert found.mean["vessel"]["dice"] == found.mean_dice


def test_of_very_many_pixels_curves_are_estimated_and_counts_stay_exact() -> None:
    pairs = [pair(str(seed), seed) for seed in range(40)]  # 19,200 pixels
    exact = evaluate(pairs, NAMES, PIXELS).pooled["vessel"]
    thinned = evaluate(pairs, NAMES, PIXELS, most_pixels=5_000)
    pooled = thinned.pooled["vessel"]
    assert pooled["dice"] == exact["dice"]
    assert pooled["roc_auc"] != exact["roc_auc"]
    assert pooled["roc_auc"] == pytest.approx(exact["roc_auc"], abs=0.01)
    assert thinned.n_images == 40


def test_inside_and_outside_of_the_field_of_view_are_thinned_alike() -> None:
    pairs = [pair(str(seed), seed, fov=left_half()) for seed in range(40)]
    exact = evaluate(pairs, NAMES, PIXELS).all_pixels
    thinned = evaluate(pairs, NAMES, PIXELS, most_pixels=5_000).all_pixels
    assert exact is not None and thinned is not None
    assert thinned["vessel"]["roc_auc"] == pytest.approx(exact["vessel"]["roc_auc"], abs=0.01)


def touching() -> tuple[np.ndarray, np.ndarray]:
    """Two objects side by side, and the classes that merge them."""
    objects = np.zeros(SHAPE, np.int32)
    objects[2:10, 2:10], objects[2:10, 10:18] = 1, 2
    return objects, (objects > 0).astype(np.uint8)


def test_objects_are_scored_where_the_truth_tells_them_apart() -> None:
    objects, labels = touching()
    apart = (sample("apart", labels, objects=objects), Prediction("apart", labels, objects=objects))
    merged = (sample("merged", labels, objects=objects), Prediction("merged", labels))
    scores = evaluate([apart, merged], NAMES, protocol_named("dsb2018"))
    assert scores.headline == "dsb"
    assert [image.objects["dsb"] for image in scores.images] == [1, 0]
    assert scores.objects["dsb"].mean == 0.5
    assert (scores.objects["n_truth"], scores.objects["n_predicted"], scores.objects["merges"]) == (4, 3, 1)
    assert scores.mean_dice.mean == 1  # of pixels nothing is wrong
    assert scores.partition is None


def test_predicted_objects_that_touch_at_corners_are_apart() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:5, 2:5] = labels[5:8, 5:8] = 1
    objects = np.where(np.arange(SHAPE[0])[:, None] < 5, labels, 2 * labels).astype(np.int32)
    scores = evaluate([(sample("a", labels, objects=objects), Prediction("a", labels))], NAMES, PIXELS)
    assert scores.objects["f1_50"].mean == 1


def test_objects_outside_the_field_of_view_and_unlabelled_do_not_count() -> None:
    objects, labels = touching()
    labels[:, 15:] = IGNORE
    fov = np.ones(SHAPE, bool)
    fov[:, :10] = False
    prediction = Prediction("a", (labels == 1).astype(np.uint8), objects=np.where(labels == 1, objects, 0))
    scores = evaluate([(sample("a", labels, objects=objects, fov=fov), prediction)], NAMES, PIXELS)
    assert scores.objects["n_truth"] == scores.objects["n_predicted"] == 1
    assert scores.objects["dsb"].mean == 1


def test_objects_are_not_scored_where_nobody_knows_them() -> None:
    objects, labels = touching()
    semantic = evaluate([(sample("a", labels), Prediction("a", labels))], NAMES, protocol_named("ctc-seg"))
    names = ("background", "a", "b")
    case = sample("a", labels, objects=objects)
    several = evaluate([(case, Prediction("a", labels))], names, protocol_named("dsb2018"))
    for scores in (semantic, several):
        assert scores.objects is None and scores.images[0].objects is None


@pytest.mark.parametrize("is_inside_first", [False, True])
def test_a_partition_is_scored_by_the_inside_of_cells(is_inside_first: bool) -> None:
    rng = np.random.default_rng(0)
    inside = np.ones(SHAPE, bool)
    inside[:, 8] = inside[10] = False
    proposal = np.where(inside, 0.9, 0.1) + 0.1 * rng.random(SHAPE) - 0.05
    names = ("interior", "membrane") if is_inside_first else ("membrane", "interior")
    foreground = (1 - proposal if is_inside_first else proposal).astype(np.float32)
    labels = (inside != is_inside_first).astype(np.uint8)
    prediction = Prediction("a", (foreground > 0.5).astype(np.uint8), foreground[None])
    scores = evaluate([(sample("a", labels), prediction)], names, protocol_named("isbi2012"))
    assert scores.headline == "rand_error"
    assert scores.partition["rand_error"] == pytest.approx(0)
    assert scores.partition["pixel_error"] == pytest.approx(0)
    hard = evaluate(
        [(sample("a", labels), replace(prediction, probabilities=None))], names, protocol_named("isbi2012")
    )
    assert hard.partition["rand_error"] == pytest.approx(0)
    hole = foreground.copy()
    hole[:, 8] = 1 - hole[:, 8]
    wrong = replace(prediction, probabilities=hole[None])
    worse = evaluate([(sample("a", labels), wrong)], names, protocol_named("isbi2012"))
    assert worse.partition["rand_error"] > 0.2


def test_a_partition_needs_two_classes() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    case = [(sample("a", labels), Prediction("a", labels))]
    assert evaluate(case, ("a", "b", "c"), protocol_named("isbi2012")).partition is None


@pytest.mark.data
def test_objects_of_real_nuclei_are_scored_as_two_loops_over_masks_do(data_folder: Path) -> None:
    for path in sorted((data_folder / "bbbc039" / "masks").glob("*.png"))[:3]:
        with Picture.open(path) as picture:
            shown = np.asarray(picture)
        truth = (shown[..., 0] if shown.ndim == 3 else shown).astype(np.int32)
        predicted = np.roll(truth, (3, 2), (0, 1))
        case = Sample("a", Image(np.zeros((1, *truth.shape), np.uint8)), (truth > 0).astype(np.uint8), truth)
        found = Prediction("a", (predicted > 0).astype(np.uint8), objects=predicted)
        scores = evaluate([(case, found)], NAMES, protocol_named("dsb2018"))
        best = []
        for number in np.unique(truth[truth > 0]):
            one = truth == number
            others = [predicted == other for other in np.unique(predicted[one]) if other]
            best.append(max(((one & other).sum() / (one | other).sum() for other in others), default=0.0))
        n, m = len(best), len(np.unique(predicted)) - 1
        matched = [sum(value > k / 20 for value in best) for k in range(10, 20)]
        expected = np.mean([tp / (n + m - tp) for tp in matched])
        assert scores.objects["dsb"].mean == pytest.approx(expected)


def test_probabilities_of_two_classes_are_held_against_the_truth() -> None:
    truth, prediction = pair("a", 0)
    both = evaluate([(truth, prediction), pair("b", 1)], NAMES, PIXELS)
    assert both.calibration is not None
    assert sum(one.count for one in both.calibration.bins) == 2 * truth.labels.size
    exact = replace(prediction, probabilities=truth.labels[None].astype(np.float32))
    right = evaluate([(truth, exact)], NAMES, PIXELS).calibration
    assert right is not None and right.ece == 0
    wrong = replace(prediction, probabilities=1 - exact.probabilities)
    opposite = evaluate([(truth, wrong)], NAMES, PIXELS).calibration
    assert opposite is not None and opposite.ece == 1


def test_only_counted_pixels_are_held_against_probabilities() -> None:
    truth, prediction = pair("a", 0, fov=left_half())
    found = evaluate([(truth, prediction)], NAMES, PIXELS).calibration
    assert found is not None and sum(one.count for one in found.bins) == left_half().sum()


def test_calibration_needs_two_classes_and_all_probabilities() -> None:
    truth, prediction = pair("b", 1)
    some = [pair("a", 0), (truth, replace(prediction, probabilities=None))]
    assert evaluate(some, NAMES, PIXELS).calibration is None
    planes = np.full((3, *SHAPE), 1 / 3, np.float32)
    three = replace(prediction, probabilities=planes)
    assert evaluate([(truth, three)], ("b", "c", "d"), PIXELS).calibration is None


def test_vessels_have_centerlines_and_so_has_the_second_observer() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[9:12, 2:22] = 1
    cut = labels.copy()
    cut[:, 10:14] = 0
    scores = evaluate([(sample("a", labels, second=cut), Prediction("a", labels))], NAMES, DRIVE)
    assert scores.shapes is not None and scores.second_observer is not None
    assert scores.shapes["vessel"]["cldice"].mean == 1
    other = scores.second_observer.shapes
    assert other is not None
    assert other["vessel"]["centerline_precision"].mean == 1
    assert 0.5 < other["vessel"]["centerline_sensitivity"].mean < 1
    assert evaluate([pair("a", 0)], NAMES, PIXELS).shapes is None


def test_centerlines_outside_the_field_of_view_do_not_count() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[9:12, 2:22] = 1
    fov = left_half()
    predicted = np.where(fov, labels, 0).astype(np.uint8)
    scores = evaluate([(sample("a", labels, fov=fov), Prediction("a", predicted))], NAMES, DRIVE)
    assert scores.shapes is not None and scores.shapes["vessel"]["cldice"].mean == 1


def volume(labels: np.ndarray, **more: object) -> Sample:
    return Sample("a", Image(np.zeros((1, *labels.shape), np.uint8), **more), labels)


def test_surfaces_are_measured_in_mm_by_the_spacing_of_each_case() -> None:
    labels = np.zeros((6, 8, 8), np.uint8)
    labels[1:5, 2:6, 2:6] = 1
    moved = np.roll(labels, 1, 0)
    for unit, spacing in (("mm", (3.0, 1.0, 1.0)), ("um", (3000.0, 1000.0, 1000.0))):
        case = volume(labels, spacing=spacing, unit=unit)
        scores = evaluate([(case, Prediction("a", moved))], ("rest", "liver"), protocol_named("lits"))
        assert scores.shapes is not None
        found = {name: interval.mean for name, interval in scores.shapes["liver"].items()}
        assert found["max_distance"] == pytest.approx(3)
        assert found["truth_volume"] == pytest.approx(64 * 3)
        assert found["rvd"] == 0
        assert found["voe"] == pytest.approx(1 - scores.images[0].classes["liver"]["iou"])


def test_without_a_spacing_there_are_no_distances() -> None:
    labels = np.zeros((6, 8, 8), np.uint8)
    labels[1:5, 2:6, 2:6] = 1
    scores = evaluate([(volume(labels), Prediction("a", labels))], ("rest", "liver"), protocol_named("lits"))
    assert scores.shapes is not None
    found = scores.shapes["liver"]
    assert (found["assd"].n, found["truth_volume"].n, found["voe"].mean) == (0, 0, 0)


def test_a_class_that_both_lack_is_right_by_the_rule_of_organs_and_left_out_by_that_of_pixels() -> None:
    labels = np.zeros((6, 8, 8), np.uint8)
    pairs = [(volume(labels, spacing=(1.0, 1.0, 1.0), unit="mm"), Prediction("a", labels))]
    organs, pixels = (evaluate(pairs, ("rest", "tumor"), protocol_named(name)) for name in ("lits", "pixels"))
    assert organs.mean["tumor"]["dice"].mean == organs.mean_dice.mean == 1
    assert organs.shapes is not None
    assert organs.shapes["tumor"]["voe"].mean == 0
    assert organs.shapes["tumor"]["assd"].n == 0
    assert math.isnan(organs.pooled["tumor"]["dice"])  # of all cases together there is nothing to overlap
    assert pixels.mean["tumor"]["dice"].n == 0


def test_a_class_that_one_lacks_is_wrong_and_has_no_distance() -> None:
    labels = np.zeros((6, 8, 8), np.uint8)
    labels[2, 3, 3] = 1
    case = volume(labels, spacing=(1.0, 1.0, 1.0), unit="mm")
    nothing = Prediction("a", np.zeros_like(labels))
    scores = evaluate([(case, nothing)], ("rest", "tumor"), protocol_named("lits"))
    assert scores.shapes is not None
    found = scores.shapes["tumor"]
    assert (scores.mean["tumor"]["dice"].mean, found["voe"].mean, found["rvd"].mean) == (0, 1, -1)
    assert found["hd95"].n == 0


def test_all_six_figures_of_the_challenge_come_with_their_thresholds() -> None:
    inside = np.ones(SHAPE, np.uint8)
    inside[:, 8] = 0
    names = ("membrane", "interior")
    scores = evaluate([(sample("a", inside), Prediction("a", inside))], names, protocol_named("isbi2012"))
    assert scores.partition is not None
    assert set(PARTITION_METRICS) < set(scores.partition)
    assert {"warping_error", "splits_mergers"} <= set(PARTITION_METRICS)
    assert all(f"{name}_threshold" in scores.partition for name in PARTITION_METRICS)
    assert scores.partition["warping_error"] == scores.partition["splits_mergers"] == 0


def test_pooled_figures_have_intervals_where_they_stand_in_front() -> None:
    pairs = [pair(name, seed) for seed, name in enumerate("abcd")]
    pairs[:3] = [(replace(of, second=pair("x", 9)[0].labels), said) for of, said in pairs[:3]]
    scores = evaluate(pairs, NAMES, DRIVE)
    assert scores.pooled_intervals is not None and scores.second_observer is not None
    for metric, interval in scores.pooled_intervals["vessel"].items():
        assert interval.mean == scores.pooled["vessel"][metric]
        assert interval.low < interval.mean < interval.high
        assert interval.n == 4
    assert scores.pooled_mean_dice_interval == scores.pooled_intervals["vessel"]["dice"]
    human = scores.second_observer.pooled_intervals
    assert human is not None
    assert human["vessel"]["dice"].low < scores.second_observer.pooled["vessel"]["dice"]
    assert (human["vessel"]["dice"].n, math.isnan(human["vessel"]["roc_auc"].mean)) == (3, True)
    means = evaluate(pairs, NAMES, PIXELS)
    assert means.pooled_intervals is means.pooled_mean_dice_interval is None
    assert means.second_observer is not None and means.second_observer.pooled_intervals is None
    assert means.pooled == scores.pooled


def test_the_order_of_images_changes_no_pooled_interval() -> None:
    pairs = [pair(name, seed) for seed, name in enumerate("abcd")]
    there, back = evaluate(pairs, NAMES, DRIVE), evaluate(pairs[::-1], NAMES, DRIVE)
    assert there.pooled_intervals == back.pooled_intervals


def test_windows_of_an_image_are_pooled_together() -> None:
    pairs = [pair(f"{name}@{n}", n) for n, name in enumerate("aabb")]
    images = {f"{name}@{n}": name for n, name in enumerate("aabb")}
    found = evaluate(pairs, NAMES, DRIVE, images=images).pooled_intervals
    assert found is not None
    dice = found["vessel"]["dice"]
    of_each = [evaluate(part, NAMES, DRIVE).pooled["vessel"]["dice"] for part in (pairs[:2], pairs[2:])]
    assert (dice.low, dice.high) == pytest.approx((min(of_each), max(of_each)))
    lone = evaluate(pairs[:2], NAMES, DRIVE, images=images).pooled_intervals
    assert lone is not None and math.isnan(lone["vessel"]["dice"].low)


def test_without_probabilities_pooled_counts_still_have_intervals() -> None:
    pairs = [(of, replace(said, probabilities=None)) for of, said in (pair("a", 0), pair("b", 1))]
    found = evaluate(pairs, NAMES, DRIVE).pooled_intervals
    assert found is not None
    assert found["vessel"]["mcc"].low < found["vessel"]["mcc"].high
    assert math.isnan(found["vessel"]["roc_auc"].mean) and math.isnan(found["vessel"]["roc_auc"].low)
