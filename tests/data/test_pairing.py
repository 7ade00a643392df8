"""How the names of images and labels are paired."""

import pytest

from seglet.data.pairing import pair_stems


@pytest.mark.parametrize(
    ("images", "others", "expected"),
    [
        (["a", "b"], ["a", "b"], ("{id}", "{id}", 2)),
        (["a", "b", "c"], ["a", "b"], ("{id}", "{id}", 2)),
        (["a", "b"], ["a_mask", "b_mask"], ("{id}", "{id}_mask", 2)),
        (["1", "11"], ["1_mask", "11_mask"], ("{id}", "{id}_mask", 2)),
        (["x"], ["x_mask"], ("{id}", "{id}_mask", 1)),
        (["x_image", "y_image"], ["x", "y"], ("{key}_image", "{key}", 2)),
        (["img_x", "img_y"], ["mask_x", "mask_y"], ("img_{key}", "mask_{key}", 2)),
        (["00", "01"], ["labels00000000", "labels00000001"], ("{id}", "labels000000{id}", 2)),
        (["img_9", "img_10"], ["seg009", "seg010"], ("img_{number}", "seg{number}", 2)),
        (["t1_c5", "t2_c5"], ["s001", "s002"], ("t{number}_c5", "s{number}", 2)),
    ],
)
def test_stems_pair(images: list[str], others: list[str], expected: tuple[str, str, int]) -> None:
    assert pair_stems(images, others) == expected


def test_names_without_relation_do_not_pair() -> None:
    assert pair_stems(["a", "b", "c"], ["x", "y", "z"]) is None
    assert pair_stems(["a1b2", "a3b4"], ["x1y2", "x9y4"]) is None
