import numpy as np
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


def test_of_too_many_pixels_every_image_keeps_the_same_share() -> None:
    lists = PixelLists(3, most=5_000)
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


def test_histograms_count_every_pixel_of_every_image_once() -> None:
    truth, scores = halves()
    pixels = PixelList()
    pixels.add(truth[:30], scores[:30])
    pixels.add(truth[30:], scores[30:])
    found = pixels.histograms(pixels.curves())
    assert found.shape[::2] == (2, 2)
    assert found.sum(axis=1).tolist() == [
        [30 - truth[:30].sum(), truth[:30].sum()],
        [70 - truth[30:].sum(), truth[30:].sum()],
    ]


def test_each_score_of_few_has_a_step_of_its_own() -> None:
    """The thresholds 0.25 and 0.75 part three scores; the lowest stands first."""
    truth = np.array([False, True, True, False])
    scores = np.array([0.1, 0.25, 0.75, 0.75], np.float32)
    pixels = PixelList([truth], [scores])
    found = pixels.histograms(pixels.curves())[0]
    assert found[found.sum(axis=1) > 0].tolist() == [[1, 0], [0, 1], [1, 1]]


def test_without_curves_there_is_one_step() -> None:
    pixels = PixelList([np.ones(5, bool)], [np.zeros(5, np.float32)])
    assert pixels.histograms(pixels.curves()).tolist() == [[[0, 5]]]
