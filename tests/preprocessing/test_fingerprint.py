"""The facts of a dataset, counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import DatasetError
from seglet.core.image import IGNORE, Image, Sample, StoredImage, StoredSample
from seglet.io.files import read_image, read_mask
from seglet.io.listing import as_file
from seglet.preprocessing.fingerprint import Fingerprint, is_color, look_at, make_fingerprint


def _volume(
    name: str, shape: tuple[int, int, int], spacing: tuple[float, ...] = (), **image: object
) -> Sample:
    pixels = image.pop("pixels", np.zeros((1, *shape), np.int16))
    unit = image.pop("unit", "mm" if spacing else "px")
    return Sample(
        name,
        Image(pixels, spacing, unit, **image),  # type: ignore[arg-type]
        labels=(np.arange(np.prod(shape)).reshape(shape) % 5 == 0).astype(np.uint8),
    )


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


def test_volumes_are_measured_along_their_upright_axes() -> None:
    lying = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # file axis 0 runs against y, axis 1 along z
    found = make_fingerprint(
        [
            _volume("a", (2, 3, 4), (0.5, 3.0, 0.5), direction=lying),
            _volume("b", (3, 6, 4), (2.0, 0.5, 0.5)),
            _volume("c", (5, 4, 8), (2.0, 1.0, 0.5)),
        ],
        2,
    )
    assert (found.n_axes, found.unit, found.spacing) == (3, "mm", (2, 0.5, 0.5))
    assert found.smallest == (3, 2, 4)
    assert found.size == (9, 3, 2)  # medians of 9 6 10, 1 3 4, and 2 2 4 millimeters


def test_units_are_brought_together() -> None:
    samples = [
        _volume("a", (2, 3, 4), (0.5, 0.1, 0.1)),
        _volume("b", (2, 3, 4), (0.5, 0.1, 0.1)),
        _volume("c", (2, 3, 4), (500.0, 100.0, 100.0), unit="um"),
    ]
    found = make_fingerprint(samples, 2)
    assert found.unit == "mm"
    assert found.spacing == pytest.approx((0.5, 0.1, 0.1))


@pytest.mark.parametrize(
    ("spacing", "unit"), [((), "px"), ((1.0, 1.0, 1.0), "px"), ((0.0, 1.0, 1.0), "mm"), ((1.0, 1.0), "mm")]
)
def test_spacing_that_is_not_known_is_none(spacing: tuple[float, ...], unit: str) -> None:
    found = make_fingerprint([_volume("a", (2, 3, 4), spacing, unit=unit)], 2)
    assert (found.spacing, found.unit, found.size) == (None, "px", (2, 3, 4))


def test_spacing_of_most_is_that_of_all() -> None:
    known, unknown = _volume("a", (2, 3, 4), (2.0, 1.0, 1.0)), _volume("b", (9, 9, 9))
    assert make_fingerprint([known, known, unknown], 2).spacing == (2, 1, 1)
    assert make_fingerprint([known, unknown], 2).spacing is None


def test_volumes_and_flat_images_do_not_go_together() -> None:
    with pytest.raises(DatasetError, match=r"1 volumes \(such as v\) and 2 flat images \(such as a\)"):
        make_fingerprint([_sample("a", (2, 2)), _volume("v", (2, 2, 2)), _sample("b", (2, 2))], 2)


def _ct(name: str, air: float) -> Sample:
    pixels = np.full((1, 4, 5, 5), 40, np.int16)
    pixels[0, 0] = air
    return _volume(name, (4, 5, 5), pixels=pixels)


@pytest.mark.parametrize(
    ("air", "is_ct"), [((-1000, -1024, 0), True), ((-1000, 0, 0), False), ((-300, -499, -400), False)]
)
def test_computed_tomography_reaches_the_intensity_of_air(air: tuple[float, ...], is_ct: bool) -> None:
    assert make_fingerprint([_ct(str(i), a) for i, a in enumerate(air)], 2).is_ct is is_ct


def test_channel_without_air_is_no_computed_tomography() -> None:
    pixels = np.zeros((2, 2, 2, 2), np.int16)
    pixels[0] = -1000
    assert not make_fingerprint([_volume("a", (2, 2, 2), pixels=pixels)], 2).is_ct


def test_intensities_are_those_of_the_foreground_of_all_cases() -> None:
    samples = []
    for name, level in (("a", 10), ("b", 30)):
        pixels = np.full((1, 10, 10, 10), -1000, np.int16)
        sample = _volume(name, (10, 10, 10), pixels=pixels)
        pixels[0][sample.labels == 1] = level  # type: ignore[index]
        samples.append(sample)
    (scale,) = make_fingerprint(samples, 2).intensity or ()
    assert (scale.low, scale.high, scale.zero, scale.unit) == pytest.approx((10, 30, 20, 10))


def test_ignored_pixels_and_those_outside_the_fov_are_no_foreground() -> None:
    labels = np.array([[1, IGNORE, 1, 0]], np.uint8)
    image = Image(np.array([[[5, 100, 200, 300]]], np.int16))
    fov = np.array([[True, True, False, True]])
    facts = look_at(Sample("a", image, labels=labels, fov=fov), 2)
    assert facts.foreground.tolist() == [[5]]


def test_large_foreground_is_picked_from_evenly() -> None:
    pixels = np.arange(300_000, dtype=np.float32).reshape(1, 3, 100, 1000)
    facts = look_at(Sample("a", Image(pixels), labels=np.ones((3, 100, 1000), np.uint8)), 2)
    assert facts.foreground.shape[1] <= 20_000
    assert facts.foreground.mean() == pytest.approx(150_000, rel=0.01)


def test_intensities_need_foreground_and_equal_channels() -> None:
    bare = _sample("a", (2, 2), labels=np.zeros((2, 2), np.uint8))
    full = _sample("b", (2, 2), 3, labels=np.ones((2, 2), np.uint8))
    assert make_fingerprint([bare], 2).intensity is None
    assert make_fingerprint([bare, full], 2).intensity is None
    assert len(make_fingerprint([full], 2).intensity or ()) == 3


def test_channels_of_a_volume_are_no_colors() -> None:
    pixels = np.random.default_rng(0).random((3, 4, 4, 4))
    assert not is_color(Image(pixels))


def _stored(sample: Sample, *, is_random: bool = True) -> tuple[StoredSample, list[tuple[slice, ...]]]:
    asked: list[tuple[slice, ...]] = []

    def read(box: tuple[slice, ...]) -> np.ndarray:
        asked.append(box)
        return image.pixels[(slice(None), *box)]

    image, labels = sample.image, sample.labels
    stored = StoredImage(
        image.pixels.shape,
        image.pixels.dtype,
        read,
        is_random,
        image.spacing,
        image.unit,
        (),
        image.direction,
    )
    return StoredSample(sample.id, stored, lambda box: labels[box]), asked  # type: ignore[index]


def test_small_case_on_disk_has_the_facts_that_it_has_in_memory() -> None:
    lying = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    sample = _volume("a", (2, 3, 4), (1.0, 2.0, 3.0), direction=lying)
    assert make_fingerprint([_stored(sample)[0]], 2) == make_fingerprint([sample], 2)


@pytest.mark.parametrize(("is_random", "n_boxes"), [(True, 64), (False, 1)])
def test_large_case_on_disk_is_seen_in_boxes(is_random: bool, n_boxes: int) -> None:
    shape = (160, 160, 160)
    pixels = np.broadcast_to(np.int16(-1000), (1, *shape))
    labels = np.broadcast_to(np.arange(160) % 4 == 0, shape).view(np.uint8)
    stored, asked = _stored(Sample("a", Image(pixels), labels), is_random=is_random)
    found = make_fingerprint([stored], 2)
    assert len(asked) == n_boxes
    assert (found.median, found.n_pixels, found.is_ct) == (shape, 160**3, True)
    assert found.class_fractions == pytest.approx((0.75, 0.25), abs=0.02)


@pytest.mark.data
@pytest.mark.parametrize(
    ("image", "labels", "is_ct", "spacing"),
    [
        ("hippocampus/imagesTr", "hippocampus/labelsTr", False, (1, 1, 1)),
        (
            "ct/spleen_bids/sub-spleen2/ct",
            "ct/spleen_bids/derivatives/labels/sub-spleen2/ct",
            True,
            (5, 0.79, 0.79),
        ),
        ("formats/spinal_nifti/t2s", "formats/spinal_nifti/t2s", False, (7.5, 0.5, 0.5)),
    ],
)
def test_real_volumes_are_understood(
    data_folder: Path, image: str, labels: str, is_ct: bool, spacing: tuple[float, ...]
) -> None:
    names = {"hippocampus/imagesTr": "*1.nii.gz", "formats/spinal_nifti/t2s": "t2s.nii.gz"}
    masks = {"hippocampus/labelsTr": "*1.nii.gz", "formats/spinal_nifti/t2s": "t2s_seg.nii.gz"}
    images = sorted((data_folder / image).glob(names.get(image, "*.nii.gz")))
    pairs = zip(images, sorted((data_folder / labels).glob(masks.get(labels, "*.nii.gz"))), strict=True)
    samples = [
        Sample(i.name, read_image(as_file(i)), read_mask(as_file(m)).astype(np.uint8)) for i, m in pairs
    ]
    found = make_fingerprint(samples, 3)
    assert (found.n_axes, found.unit, found.is_ct) == (3, "mm", is_ct)
    assert found.spacing == pytest.approx(spacing, abs=0.01)
    assert found.class_fractions[1] > 0
