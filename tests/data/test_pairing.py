"""How the names of images and labels are paired."""

import pytest

from seglet.data.pairing import pair_channels, pair_stems


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


def test_channels_of_images_pair_with_one_label() -> None:
    images = ["a_t1", "a_t2", "b_t1", "b_t2"]
    assert pair_channels(images, ["a", "b"]) == ("{id}_{channel}", "{id}", 2)
    assert pair_channels(images, ["a_seg", "b_seg"]) == ("{id}_{channel}", "{id}_seg", 2)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (["p_1", "p_2", "q_1", "q_2"], ["p_1_mask", "q_1_mask"]),  # a mask for one file, not for both
        (["p_1", "p_2"], ["p_1", "p_2"]),
        (["p_1", "p_2", "q_1"], ["p", "q"]),  # one is missing
        (["p_1", "q_1"], ["p", "q"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_what_has_a_label_of_its_own_is_no_channel(images: list[str], labels: list[str]) -> None:
    assert pair_channels(images, labels) is None
