"""Spacings along upright axes, in one unit."""

import numpy as np
import pytest

from seglet.core.image import Image
from seglet.core.orientation import UNTURNED
from seglet.preprocessing.spacing import is_same_spacing, turn_of, upright_spacing

X_FIRST = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)  # file axes run along x, y, z
VOLUME = np.zeros((1, 2, 3, 4))


def test_spacing_is_turned_with_the_volume() -> None:
    image = Image(VOLUME, (1.0, 2.0, 3.0), "mm", direction=X_FIRST)
    assert upright_spacing(image, "mm") == (3, 2, 1)


@pytest.mark.parametrize(
    ("own", "unit", "factor"), [("mm", "um", 1000), ("um", "mm", 0.001), ("um", "um", 1)]
)
def test_units_are_converted(own: str, unit: str, factor: float) -> None:
    spacing = upright_spacing(Image(VOLUME, (1.0, 2.0, 3.0), own), unit)
    assert spacing == pytest.approx((factor, 2 * factor, 3 * factor))


@pytest.mark.parametrize(
    ("spacing", "own", "unit"),
    [
        ((), "mm", "mm"),
        ((1.0, 1.0), "mm", "mm"),
        ((1.0, 0.0, 1.0), "mm", "mm"),
        ((1.0, 1.0, 1.0), "px", "mm"),
        ((1.0, 1.0, 1.0), "mm", "px"),
    ],
)
def test_what_has_no_length_is_unknown(spacing: tuple[float, ...], own: str, unit: str) -> None:
    assert upright_spacing(Image(VOLUME, spacing, own), unit) is None


def test_flat_image_is_not_turned_even_if_its_volume_was() -> None:
    assert turn_of(Image(VOLUME[0], direction=X_FIRST)) == UNTURNED
    assert turn_of(Image(VOLUME, direction=X_FIRST)).permutation == (2, 1, 0)


def test_two_percent_are_the_same() -> None:
    assert is_same_spacing((1.019, 0.981), (1.0, 1.0))
    assert not is_same_spacing((1.0, 1.03), (1.0, 1.0))
