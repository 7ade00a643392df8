"""Images that differ from the others in channels or depth, or were clipped."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from seglet.data.cases import Case
from seglet.data.chart import Chart
from seglet.data.check_images import check_images
from seglet.data.looks import Place, look_at_image
from seglet.io.sources import File

NOISE = np.random.default_rng(0).integers(0, 255, (1, 16, 16)).astype(np.uint8)


def charts(*images: np.ndarray) -> list[Chart]:
    found = []
    for k, pixels in enumerate(images):
        file = File(Path("data"), f"{k}.png")
        look = look_at_image(file, pixels, Place(pixels.shape[1:]), is_whole=True)
        found.append(Chart(Case(str(k), (file,)), images=(look,)))
    return found


def codes(*images: np.ndarray) -> dict[str, str]:
    return {one.code: one.severity for one in check_images(charts(*images))}


def test_images_alike_give_nothing() -> None:
    assert codes(NOISE, NOISE, NOISE) == {}


def test_gray_and_color_are_a_note_other_channels_an_error() -> None:
    assert codes(NOISE, np.repeat(NOISE, 3, axis=0)) == {"channels": "note"}
    assert codes(NOISE, np.repeat(NOISE, 2, axis=0)) == {"channels": "error"}


def test_a_missing_channel_that_is_read_as_zeros_counts() -> None:
    whole, partial = charts(np.concatenate([NOISE, NOISE]), NOISE)
    allowed = replace(partial, case=replace(partial.case, missing=(1,)))
    assert [one.code for one in check_images([whole, partial])] == ["channels"]
    assert list(check_images([whole, allowed])) == []


def test_the_ones_unlike_most_are_named() -> None:
    (found,) = check_images(charts(NOISE, NOISE, np.repeat(NOISE, 3, axis=0)))
    assert found.files == ("data/2.png",)
    assert found.message == "The images differ in channels: 2 of 1, 1 of 3."


def test_twelve_bits_are_a_note_and_scaled_eight_bits_among_them_a_warning() -> None:
    wide = NOISE.astype(np.uint16) * 16 + 3
    assert codes(wide, wide) == {"bits": "note"}
    assert codes(wide, NOISE.astype(np.uint16) * 257) == {"scaled": "warning"}
    assert codes(NOISE.astype(np.uint16) * 257) == {}


def test_a_white_background_is_clipped_a_black_one_is_not() -> None:
    white, black = NOISE.copy(), NOISE.copy()
    white[:, :8], black[:, :8] = 255, 0
    assert codes(white) == {"saturated": "warning"}
    assert codes(black) == {}


def test_undefined_values_are_an_error() -> None:
    broken = NOISE.astype(np.float32)
    broken[0, 0, 0] = np.inf
    assert codes(broken) == {"not-finite": "error"}
