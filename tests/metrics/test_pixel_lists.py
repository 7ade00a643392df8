import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.metrics.curves import precision_recall_curve, roc_curve
from seglet.metrics.pixel_lists import PixelList, PixelLists


def halves() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random(100) < 0.4, rng.random(100).astype(np.float32)


def test_curves_are_of_all_images_together() -> None:
    truth, scores = halves()
    pixels = PixelList()
    pixels.add(truth[:30], scores[:30])
    pixels.add(truth[30:], scores[30:])
    assert pixels.curves() == (roc_curve(truth, scores), precision_recall_curve(truth, scores))
    assert pixels.last().curves()[0] == roc_curve(truth[30:], scores[30:])
    assert len(pixels.truth) == 2


def test_joined_lists_leave_both_as_they_are() -> None:
    truth, scores = halves()
    first, second = PixelList(), PixelList()
    first.add(truth[:30], scores[:30])
    second.add(truth[30:], scores[30:])
    assert first.joined(second).curves()[0] == roc_curve(truth, scores)
    assert (len(first.truth), len(second.truth)) == (1, 1)


def test_few_pixels_are_all_kept() -> None:
    pixels = np.ones((5, 6), bool)
    assert PixelLists(2).thinned(pixels) is pixels


def test_of_too_many_pixels_every_image_keeps_the_same_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seglet.metrics.pixel_lists.MOST_PIXELS", 5_000)
    lists = PixelLists(3)
    for _ in range(20):
        kept = lists.thinned(np.ones((40, 50), bool))
        for pixels in lists.counted:
            pixels.add(kept[kept], np.zeros(int(kept.sum()), np.float32))
    sizes = [len(truth) for truth in lists.counted[1].truth]
    assert len(lists.counted) == len(lists.left_out) == 2
    assert sum(sizes) < 7_000
    assert max(sizes) < 1.6 * min(sizes)


def test_inside_and_outside_are_joined_class_by_class() -> None:
    truth, scores = halves()
    lists = PixelLists(2)
    lists.counted[0].add(truth[:30], scores[:30])
    lists.left_out[0].add(truth[30:], scores[30:])
    (both,) = lists.everywhere()
    assert both.curves()[0] == roc_curve(truth, scores)


@given(st.permutations(range(5)))
def test_curves_do_not_depend_on_the_order_of_images(order: list[int]) -> None:
    truth, scores = halves()
    pixels = PixelList()
    for part in order:
        pixels.add(truth[part::5], scores[part::5])
    assert pixels.curves() == (roc_curve(truth, scores), precision_recall_curve(truth, scores))
