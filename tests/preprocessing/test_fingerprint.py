"""The facts of a dataset, counted by hand."""

import numpy as np
import pytest

from seglet.core.image import IGNORE, Image, Sample
from seglet.preprocessing.fingerprint import Fingerprint, is_color, make_fingerprint


def _sample(name: str, shape: tuple[int, int], n_channels: int = 1, **truth: np.ndarray) -> Sample:
    return Sample(name, Image(np.zeros((n_channels, *shape), np.uint8)), **truth)


def test_sizes_are_ordered_by_area() -> None:
    samples = [
        _sample(f"{y}", (y, x), labels=np.zeros((y, x), np.uint8)) for y, x in [(9, 2), (2, 3), (4, 4)]
    ]
    found = make_fingerprint(samples, 2)
    assert (found.smallest, found.median, found.largest) == ((2, 3), (4, 4), (9, 2))
    assert (found.n_cases, found.n_pixels) == (3, 18 + 6 + 16)


def test_class_shares_leave_out_ignored_pixels_and_those_outside_the_fov() -> None:
    labels = np.array([[0, 0, 1, 2], [IGNORE, 1, 1, 2]], np.uint8)
    fov = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], bool)
    found = make_fingerprint([_sample("a", (2, 4), labels=labels, fov=fov)], 3)
    assert found.class_fractions == pytest.approx((2 / 6, 3 / 6, 1 / 6))
    assert found.has_fov


def test_class_shares_pool_the_pixels_of_all_cases() -> None:
    samples = [
        _sample("a", (1, 1), labels=np.ones((1, 1), np.uint8)),
        _sample("b", (1, 3), labels=np.zeros((1, 3), np.uint8)),
    ]
    assert make_fingerprint(samples, 2).class_fractions == (0.75, 0.25)


def test_absent_class_has_share_zero() -> None:
    samples = [_sample("a", (2, 2), labels=np.zeros((2, 2), np.uint8))]
    assert make_fingerprint(samples, 4).class_fractions == (1, 0, 0, 0)


@pytest.mark.parametrize("labels", [None, np.full((2, 2), IGNORE, np.uint8)])
def test_nothing_labelled_gives_shares_of_zero(labels: np.ndarray | None) -> None:
    assert make_fingerprint([_sample("a", (2, 2), labels=labels)], 2).class_fractions == (0, 0)


def test_fov_counts_only_where_every_case_has_one() -> None:
    with_fov = _sample("a", (2, 2), fov=np.ones((2, 2), bool))
    assert not make_fingerprint([with_fov, _sample("b", (2, 2))], 2).has_fov


def test_types_and_channels_of_mixed_images() -> None:
    wide = Sample("b", Image(np.zeros((3, 2, 2), np.uint16)))
    found = make_fingerprint([_sample("a", (2, 2)), wide], 2)
    assert (found.n_channels, found.dtypes) == (3, ("uint16", "uint8"))


@pytest.mark.parametrize(
    ("counts", "n_channels"),
    [((1, 1, 1), 1), ((3, 1, 1), 3), ((1, 1, 4), 1), ((1, 3, 2, 4), 3), ((4, 4, 3), 4), ((2, 2, 5, 1), 2)],
)
def test_channels_are_those_of_most_images(counts: tuple[int, ...], n_channels: int) -> None:
    samples = [_sample(str(i), (2, 2), n) for i, n in enumerate(counts)]
    assert make_fingerprint(samples, 2).n_channels == n_channels


def test_fingerprint_comes_back_from_plain_values() -> None:
    found = make_fingerprint([_sample("a", (2, 2))], 2)
    assert Fingerprint(**found.model_dump(mode="json")) == found


def _rgb(*shift: float) -> Image:
    ramp = np.arange(64.0).reshape(8, 8)
    return Image(np.stack([ramp + s for s in shift]))


def test_equal_channels_are_not_color() -> None:
    assert not is_color(_rgb(0, 0, 0))


def test_slightly_unequal_channels_of_a_jpeg_are_not_color() -> None:
    assert not is_color(_rgb(0, 0.5, -0.5))


def test_different_channels_are_color() -> None:
    assert is_color(_rgb(0, 5, 0))


@pytest.mark.parametrize("n_channels", [1, 2, 4])
def test_only_three_channels_can_be_color(n_channels: int) -> None:
    pixels = np.random.default_rng(0).random((n_channels, 8, 8))
    assert not is_color(Image(pixels))


def test_black_image_is_not_color() -> None:
    assert not is_color(Image(np.zeros((3, 4, 4), np.uint8)))


def test_one_color_image_makes_the_set_colored() -> None:
    samples = [Sample("a", _rgb(0, 0, 0)), Sample("b", _rgb(0, 5, 0))]
    assert make_fingerprint(samples, 2).is_color
