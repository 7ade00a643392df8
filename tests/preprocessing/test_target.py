"""Which grid images are brought to, and which axes of a volume a network sees."""

from typing import Any

import pytest

from seglet.core.errors import ConfigError
from seglet.preprocessing.fingerprint import Fingerprint
from seglet.preprocessing.target import Target, choose_target, network_axes, require_axes

FACTS = Fingerprint(
    n_cases=2,
    n_classes=2,
    n_axes=3,
    smallest=(100, 200, 300),
    median=(100, 200, 300),
    largest=(100, 200, 300),
    n_pixels=12_000_000,
    spacing=(2, 1, 1),
    unit="mm",
    size=(200, 200, 300),
    n_channels=1,
    is_color=False,
    is_ct=False,
    intensity=None,
    dtypes=("int16",),
    has_fov=False,
    class_fractions=(0.9, 0.1),
)
FLAT = FACTS.model_copy(update={"n_axes": 2, "median": (20, 30), "size": (10.0, 15.0), "spacing": (0.5, 0.5)})


def _target(facts: Fingerprint = FACTS, **said: Any) -> Target:
    settings: dict[str, Any] = {"mode": None, "slice_axis": None, "spacing": None, "resize": None}
    return choose_target(facts, **(settings | said))


def _facts(**changed: Any) -> Fingerprint:
    return FACTS.model_copy(update=changed)


def test_volumes_are_brought_to_the_median_spacing() -> None:
    assert _target() == Target("3d", 0, (2, 1, 1), (2, 1, 1), (100, 200, 300), 12_000_000)


def test_flat_images_keep_their_own_spacing() -> None:
    target = _target(FLAT)
    assert (target.mode, target.spacing, target.extent, target.n_pixels) == ("2d", None, (20, 30), 12_000_000)


def test_said_spacing_changes_extent_and_pixels() -> None:
    target = _target(FLAT, spacing=(0.25, 0.5))
    assert (target.spacing, target.extent, target.n_pixels) == ((0.25, 0.5), (40, 30), 24_000_000)
    target = _target(spacing=(4.0, 4.0, 4.0))
    assert (target.extent, target.n_pixels) == ((50, 50, 75), 375_000)


def test_own_spacing_is_kept_where_that_is_said() -> None:
    target = _target(spacing="own")
    assert (target.spacing, target.steps, target.extent) == (None, (2, 1, 1), (100, 200, 300))


def test_fixed_size_stands_instead_of_a_spacing() -> None:
    target = _target(resize=(50, 50, 50))
    assert (target.spacing, target.steps, target.extent) == (None, (4, 4, 6), (50, 50, 50))
    assert target.n_pixels == 2 * 50**3


def test_fixed_size_of_slices_leaves_their_number() -> None:
    target = _target(mode="slices", resize=(50, 50))
    assert (target.extent, target.n_pixels) == ((50, 50), 2 * 100 * 50 * 50)


def test_unknown_spacing_counts_in_pixels() -> None:
    target = _target(_facts(spacing=None, unit="px", size=(100, 200, 300)))
    assert (target.mode, target.spacing, target.steps) == ("3d", None, (1, 1, 1))
    assert target.extent == (100, 200, 300)


@pytest.mark.parametrize(
    ("spacing", "size", "mode", "axis"),
    [
        ((3.5, 1, 1), (350, 200, 300), "3d", 0),
        ((3.6, 1, 1), (360, 200, 300), "slices", 0),
        ((1, 1, 3.6), (200, 200, 360), "slices", 2),
        ((1, 1, 1), (200, 15, 200), "slices", 1),
        ((1, 1, 1), (16, 16, 16), "3d", 0),
    ],
)
def test_thick_or_few_slices_are_seen_one_by_one(
    spacing: tuple[float, ...], size: tuple[float, ...], mode: str, axis: int
) -> None:
    target = _target(_facts(spacing=spacing, size=size))
    assert (target.mode, target.slice_axis) == (mode, axis)


def test_slices_are_cut_where_they_are_fewest_and_farthest_apart() -> None:
    tall = _facts(spacing=(1, 0.7, 0.7), size=(600, 358.4, 358.4))  # more axial slices than rows
    assert _target(tall, mode="slices").slice_axis == 0
    assert _target(tall, mode="slices", slice_axis=1).slice_axis == 1


def test_slices_keep_their_distance() -> None:
    target = _target(mode="slices", slice_axis=1)
    assert (target.spacing, target.extent) == ((2, 1), (100, 300))


@pytest.mark.parametrize(("mode", "axes"), [("2d", (0, 1)), ("3d", (0, 1, 2)), ("slices", (0, 2))])
def test_axes_of_the_network(mode: Any, axes: tuple[int, ...]) -> None:
    assert network_axes(mode, 1) == axes


@pytest.mark.parametrize(("facts", "mode"), [(FACTS, "2d"), (FLAT, "3d")])
def test_mode_of_other_images_is_refused(facts: Fingerprint, mode: str) -> None:
    with pytest.raises(ConfigError, match=r"^plan\.mode: found " + mode):
        _target(facts, mode=mode)


def test_spacing_of_images_that_have_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^plan\.spacing: found images whose spacing is unknown"):
        _target(_facts(spacing=None), spacing=(1.0, 1.0, 1.0))


def test_spacing_beside_a_fixed_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"plan\.resize beside plan\.spacing"):
        _target(spacing=(1.0, 1.0, 1.0), resize=(9, 9, 9))


def test_wrong_number_of_axes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"plan\.resize: found 2 entries; expected 3: \(z, y, x\).*=slices"):
        _target(resize=(9, 9))
    with pytest.raises(ConfigError, match=r"found 3 entries; expected 2: \(y, x\)"):
        require_axes("plan.patch_size", (8, 8, 8), 2)
    require_axes("plan.patch_size", None, 2)


def test_flat_images_are_slices_already() -> None:
    assert _target(FLAT, mode="slices") == _target(FLAT)
