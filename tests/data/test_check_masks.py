"""Masks unlike the others: written otherwise, shifted, inverted, or nearly without a class."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from seglet.core.image import Image, LabelClass, Labels
from seglet.data.cases import Case
from seglet.data.chart import Chart
from seglet.data.check_masks import check_masks, check_writing, find_inverted, find_mixed, find_shifted
from seglet.data.looks import MaskLook, Place, look_at_mask
from seglet.io.sources import File

BINARY = Labels(classes=(LabelClass(name="background", value=0), LabelClass(name="foreground", value=255)))


def disk(k: int = 0, value: int = 255) -> np.ndarray:
    rows, columns = np.mgrid[:40, :40]
    return np.where((rows - 18 - k % 3) ** 2 + (columns - 20) ** 2 < 60 + 5 * k, value, 0).astype(np.uint8)


def looks(*masks: np.ndarray, images: tuple[np.ndarray, ...] = ()) -> list[MaskLook]:
    found = []
    for k, mask in enumerate(masks):
        pixels = images[k] if images else np.random.default_rng(k).normal(size=(40, 40))
        file = File(Path("data"), f"{k}.png")
        found.append(look_at_mask(file, mask, Place(mask.shape[:2]), Image(pixels[None])))
    return found


def charts(found: list[MaskLook]) -> list[Chart]:
    return [Chart(Case(look.file.name, (look.file,), (look.file,)), masks=(look,)) for look in found]


def test_two_ways_of_one_class_are_mixed_but_classes_are_not() -> None:
    assert set(find_mixed(looks(disk(), disk(1, 1), disk(2)))) == {"gray 255", "index 1"}
    red = disk()[..., None] * np.array([1, 0, 0], np.uint8)
    assert set(find_mixed(looks(disk(), red))) == {"gray 255", "red 255"}
    assert find_mixed(looks(disk(0, 1), disk(1, 2), disk(2, 3))) == {}
    assert find_mixed(looks(disk(), disk(1), disk() * 0)) == {}
    both = disk(0, 1)
    both[:3] = 255  # an ignored rim beside class 1
    assert find_mixed(looks(both, disk(1, 1), disk(2))) == {}


def test_values_of_no_class_are_named_a_few_of_them() -> None:
    numbered = np.arange(1600).reshape(40, 40).astype(np.uint16) // 200
    (found,) = (f for f in check_masks(charts(looks(numbered, disk())), BINARY) if f.code == "values")
    assert found.message == "1 masks hold values that stand for no class: 1, 2, 3, 4, others."
    assert "masks.classes=null" in found.remedy
    colors = Labels(
        encoding="colors",
        classes=(LabelClass(name="no", value=(0, 0, 0)), LabelClass(name="red", value=(255, 0, 0))),
    )
    painted = disk()[..., None] * np.array([0, 1, 0], np.uint8)
    (found,) = (f for f in check_masks(charts(looks(painted)), colors) if f.code == "values")
    assert found.message.endswith("no class: #00ff00.") and "#ff0000 is red" in found.remedy


def test_the_rarer_way_of_writing_is_named() -> None:
    (found,) = check_writing(looks(disk(), disk(1, 1), disk(2)), BINARY)
    assert (found.code, found.files) == ("mixed-encodings", ("data/1.png",))


def test_hard_masks_below_the_threshold_of_soft_ones_are_named() -> None:
    soft = ndimage.gaussian_filter(disk(), 1)
    labels = BINARY.model_copy(update={"threshold": 127.5})
    (found,) = check_writing(looks(soft, disk(1, 1), soft, disk() * 0, disk(3)), labels)
    assert (found.severity, found.code, found.files) == ("error", "mixed-encodings", ("data/1.png",))


def test_classes_in_jpeg_are_an_error_but_two_classes_are_not() -> None:
    noise = np.random.default_rng(0).integers(-3, 4, (40, 40))
    mask = (disk(0, 100) + disk(5, 100) + noise).clip(0, 255).astype(np.uint8)
    look = replace(looks(mask)[0], file=File(Path("data"), "0.jpg"))
    classes = tuple(LabelClass(name=f"c{v}", value=v) for v in look.survey.values.tolist())
    found = [one for one in check_masks(charts([look]), Labels(classes=classes)) if one.severity == "error"]
    assert [(one.code, one.files) for one in found] == [("values", ("data/0.jpg",))]
    binary = BINARY.model_copy(update={"threshold": 127.5})
    assert not [one for one in check_masks(charts([look]), binary) if one.severity == "error"]


def test_shifted_values_are_found_among_others_that_begin_at_0() -> None:
    three = disk(0, 1) + disk(3, 1)
    assert [look.file.name for look in find_shifted(looks(three, three, three + 1))] == ["2.png"]
    assert find_shifted(looks(three, three + 1, three + 1)) == []
    (found,) = check_writing(looks(three + 1, three + 1), BINARY)
    assert (found.code, found.severity) == ("off-by-one", "warning")


def test_an_inverted_mask_is_found_among_small_and_among_large_objects() -> None:
    masks = [disk(k) for k in range(6)]
    masks[2] = 255 - masks[2]
    assert [look.file.name for look in find_inverted(looks(*masks))] == ["2.png"]
    assert [look.file.name for look in find_inverted(looks(*(255 - mask for mask in masks)))] == ["2.png"]


def test_a_large_object_that_is_bright_like_the_others_is_not_inverted() -> None:
    masks = [disk(k) for k in range(6)]
    masks[2] = np.full((40, 40), 255, np.uint8)
    masks[2][15:20, 15:20] = 0
    bright = tuple(mask / 255.0 + 0.1 * np.random.default_rng(0).normal(size=(40, 40)) for mask in masks)
    assert find_inverted(looks(*masks, images=bright)) == []
    wrong = tuple(1 - image if k == 2 else image for k, image in enumerate(bright))
    assert [look.file.name for look in find_inverted(looks(*masks, images=wrong))] == ["2.png"]


def test_masks_of_many_sizes_are_not_inverted() -> None:
    masks = []
    for k in range(8):
        mask = np.zeros((40, 40), np.uint8)
        mask[2 : 4 + 4 * k, 2:38] = 255
        masks.append(mask)
    assert find_inverted(looks(*masks)) == []


@pytest.mark.parametrize(("mask", "code"), [(disk() * 0, "empty-mask"), (disk() * 0 + 255, "full-mask")])
def test_empty_and_full_masks_are_told_apart(mask: np.ndarray, code: str) -> None:
    found = {one.code: one for one in check_masks(charts(looks(disk(), disk(1), disk(2), mask)), BINARY)}
    assert found[code].files == ("data/3.png",)
    assert not {"empty-mask", "full-mask"} - {code} & set(found)


def test_a_class_in_one_mask_and_hardly_any_foreground_are_told() -> None:
    labels = Labels(classes=tuple(LabelClass(name=f"c{k}", value=k) for k in range(3)))
    dots = [np.zeros((400, 400), np.uint8) for _ in range(3)]
    for mask in dots:
        mask[5, 5] = 1
    dots[1][9, 9] = 2
    seen = [
        look_at_mask(File(Path("data"), f"{k}.png"), mask, Place(mask.shape), None)
        for k, mask in enumerate(dots)
    ]
    found = {one.code: one for one in check_masks(charts(seen), labels)}
    assert found["rare-class"].files == ("data/1.png",)
    assert found["imbalance"].severity == "note"


def test_one_file_per_class_may_be_empty() -> None:
    labels = Labels(
        encoding="files",
        classes=tuple(LabelClass(name=name, value=k) for k, name in enumerate(("bg", "a", "b"))),
    )
    first, second = looks(disk(), disk() * 0)
    one = Chart(Case("a", (first.file,), (first.file, second.file)), masks=(first, second))
    assert {found.code for found in check_masks([one], labels)} == {"encoding"}


def test_values_of_no_class_are_no_finding_where_they_are_background() -> None:
    organ = Labels(
        classes=(LabelClass(name="background", value=0), LabelClass(name="liver", value=5)),
        others="background",
    )
    several = disk(0, 5)
    several[:3, :9], several[-3:] = 117, 9
    found = [*check_masks(charts(looks(several, disk(1, 5), disk(2, 5), disk(3, 5))), organ)]
    assert [one.code for one in found] == ["encoding"]
    without = np.where(several == 5, 3, several)
    (empty, _) = check_masks(charts(looks(several, without, disk(1, 5), disk(2, 5))), organ)
    assert (empty.code, empty.files) == ("empty-mask", ("data/1.png",))


def test_share_of_foreground_is_that_of_the_classes_where_others_are_background() -> None:
    organ = Labels(
        classes=(LabelClass(name="background", value=0), LabelClass(name="liver", value=5)),
        others="background",
    )
    mask = disk(0, 9)
    mask[0, 0] = 5  # of 1600 pixels; 0.06 %
    codes = {one.code for one in check_masks(charts(looks(mask, mask, mask)), organ)}
    assert "imbalance" in codes


def test_values_beyond_both_classes_are_no_soft_edges() -> None:
    """Liver 1 and tumor 2 as one class, cut at 0.5."""
    classes = (LabelClass(name="background", value=0), LabelClass(name="liver", value=1))
    labels = Labels(classes=classes, threshold=0.5)
    mask = disk(3, 1)
    mask[18:20, 18:20] = 2
    assert [one.code for one in check_masks(charts(looks(mask, mask, mask)), labels)] == ["encoding"]
