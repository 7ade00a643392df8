"""What is decided from the facts, and what is refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from seglet.core.errors import ConfigError
from seglet.preprocessing.fingerprint import Fingerprint
from seglet.preprocessing.intensity import IntensityScale
from seglet.preprocessing.levels import patch_memory
from seglet.preprocessing.plan import BATCH, MAX_BATCH, Plan, make_plan
from seglet.preprocessing.settings import PlanConfig

PLENTY = 2**40
FACTS = Fingerprint(
    n_cases=4,
    n_classes=3,
    n_axes=2,
    smallest=(90, 90),
    median=(100, 140),
    largest=(200, 200),
    n_pixels=80_000,
    spacing=None,
    unit="px",
    size=(100, 140),
    n_channels=1,
    is_color=False,
    is_ct=False,
    intensity=None,
    dtypes=("uint8",),
    has_fov=False,
    class_fractions=(0.7, 0.2, 0.1),
)
IMAGES = 80_000 * 3 * 4  # bytes: gray, labels and weights as float32
PER_PATCH = patch_memory((32, 32), (4, 8), ((2, 2),))
SAID = PlanConfig(patch_size=(32, 32), batch_size=2, channels=(4, 8))


def _facts(**changed: Any) -> Fingerprint:
    return FACTS.model_copy(update=changed)


def test_what_is_said_is_kept() -> None:
    config = PlanConfig(
        color="rgb",
        normalization="divide",
        resize=(64, 48),
        patch_size=(32, 16),
        batch_size=3,
        channels=(4, 8, 8),
        mode="2d",
        slice_axis=0,
        strides=((1, 2), (2, 2)),
        kernels=((1, 3), (3, 3), (3, 3)),
        reading="memory",
    )
    plan = make_plan(FACTS, config, PLENTY)
    assert plan.settings == config
    assert (plan.n_channels, plan.n_classes) == (3, 3)


def test_plan_as_settings_decides_the_same_again() -> None:
    plan = make_plan(FACTS, PlanConfig(), PLENTY)
    assert make_plan(_facts(is_color=True, median=(9, 9)), plan.settings, PLENTY) == plan
    assert None not in plan.settings.model_dump(exclude={"resize", "window"}).values()


@pytest.mark.parametrize(
    ("facts", "color", "n_channels"),
    [
        ({"n_channels": 1}, "gray", 1),
        ({"n_channels": 3}, "gray", 1),
        ({"n_channels": 3, "is_color": True}, "rgb", 3),
        ({"n_channels": 2}, "as_is", 2),
        ({"n_channels": 5}, "as_is", 5),
        ({"n_channels": 4, "is_color": True}, "as_is", 4),
    ],
)
def test_channels_follow_the_images(facts: dict[str, Any], color: str, n_channels: int) -> None:
    plan = make_plan(_facts(**facts), SAID, PLENTY)
    assert (plan.color, plan.n_channels) == (color, n_channels)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 6))
def test_chosen_patch_can_always_be_halved(y: int, x: int, depth: int) -> None:
    config = PlanConfig(channels=(4,) * depth)
    patch = make_plan(_facts(median=(y, x)), config, PLENTY).patch_size
    assert all(side > 0 and side % 2 ** (depth - 1) == 0 for side in patch)


def test_patch_of_a_small_image_has_its_size() -> None:
    assert make_plan(_facts(median=(24, 41)), PlanConfig(channels=(4, 8)), PLENTY).patch_size == (24, 40)


def test_patch_is_chosen_for_the_resized_image() -> None:
    config = PlanConfig(channels=(4, 8), resize=(16, 20))
    assert make_plan(_facts(median=(900, 900)), config, PLENTY).patch_size == (16, 20)


def test_patch_that_cannot_be_halved_names_the_nearest_that_can() -> None:
    config = PlanConfig(patch_size=(30, 35), channels=(4, 8, 8, 8))
    with pytest.raises(ConfigError, match=r"30x35.*halved 3 times.*multiples of 8") as caught:
        make_plan(FACTS, config, PLENTY)
    assert "32x32" in caught.value.remedy


def test_training_takes_the_memory_of_all_patches() -> None:
    plan = make_plan(FACTS, SAID, PLENTY)
    assert plan.training_memory == 2 * PER_PATCH
    assert plan.image_memory == IMAGES


def test_batch_shrinks_until_it_fits_half_the_memory() -> None:
    config = PlanConfig(patch_size=(32, 32), channels=(4, 8))
    room_for_three = IMAGES + 2 * 3 * PER_PATCH
    assert make_plan(FACTS, config, room_for_three).batch_size == 3


@pytest.mark.parametrize("batch_size", [None, 64])
def test_too_little_memory_is_refused_with_numbers(batch_size: int | None) -> None:
    config = PlanConfig(patch_size=(32, 32), channels=(4, 8), batch_size=batch_size)
    with pytest.raises(ConfigError, match=r"GiB.*expected at most.*GiB") as caught:
        make_plan(FACTS, config, memory=IMAGES + PER_PATCH)
    assert "plan.batch_size" in caught.value.remedy


@pytest.mark.parametrize("batch_size", [None, 1])
def test_images_that_fill_the_memory_are_refused_with_numbers(batch_size: int | None) -> None:
    config = PlanConfig(patch_size=(32, 32), channels=(4, 8), batch_size=batch_size)
    with pytest.raises(ConfigError, match=r"2\.0 GiB for the training images; .* 1\.5 GiB") as caught:
        make_plan(_facts(n_pixels=2**31 // 12), config, memory=3 * 2**29)
    assert "plan.resize" in caught.value.remedy


def test_images_take_the_memory_of_the_size_they_are_resized_to() -> None:
    config = PlanConfig(resize=(32, 32), channels=(4, 8))
    plan = make_plan(_facts(n_pixels=2**60), config, 2**30)
    assert plan.batch_size == MAX_BATCH
    assert plan.image_memory == 4 * 32 * 32 * 3 * 4


def test_images_on_disk_take_no_memory() -> None:
    plan = make_plan(_facts(n_pixels=2**60), SAID, 2**30, is_on_disk=True)
    assert plan.image_memory == 0


@pytest.mark.parametrize(
    "setting",
    [
        {"batch_size": 0},
        {"patch_size": (0, 8)},
        {"resize": (8, -1)},
        {"channels": (4, 0)},
        {"channels": ()},
        {"color": "blue"},
        {"normalization": "none"},
        {"mode": "4d"},
        {"slice_axis": 3},
        {"spacing": (1, 0)},
        {"spacing": (1, float("inf"))},
        {"spacing": "auto"},
        {"strides": ((3, 1),)},
        {"kernels": ((2, 3),)},
        {"window": (40, 40)},
    ],
)
def test_impossible_setting_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        PlanConfig(**setting)


def test_plan_comes_back_from_plain_values() -> None:
    plan = make_plan(FACTS, SAID, PLENTY)
    assert Plan(**plan.model_dump(mode="json")) == plan


SCALE = IntensityScale(low=-50, high=250, zero=100, unit=40)
HIPPOCAMPI = Fingerprint(
    n_cases=72,
    n_classes=3,
    n_axes=3,
    smallest=(27, 42, 33),
    median=(37, 50, 35),
    largest=(43, 55, 47),
    n_pixels=72 * 37 * 50 * 35,
    spacing=(1, 1, 1),
    unit="mm",
    size=(37, 50, 36),
    n_channels=1,
    is_color=False,
    is_ct=False,
    intensity=(SCALE,),
    dtypes=("uint8",),
    has_fov=False,
    class_fractions=(0.9, 0.05, 0.05),
)


def _volumes(**changed: Any) -> Fingerprint:
    return HIPPOCAMPI.model_copy(update=changed)


THICK = _volumes(spacing=(5, 0.8, 0.8), size=(130, 131.2, 132.8), is_ct=True)


def test_small_volumes_are_seen_whole() -> None:
    plan = make_plan(HIPPOCAMPI, PlanConfig(), PLENTY)
    assert (plan.mode, plan.spacing, plan.unit) == ("3d", (1, 1, 1), "mm")
    assert (plan.patch_size, plan.batch_size) == ((40, 56, 40), 2)
    assert plan.strides == ((2, 2, 2),) * 3
    assert plan.kernels == ((3, 3, 3),) * 4
    assert (plan.color, plan.normalization, plan.intensity) == ("gray", "standardize", None)


def test_volumes_of_thick_slices_are_seen_slice_by_slice() -> None:
    plan = make_plan(THICK, PlanConfig(), PLENTY)
    assert (plan.mode, plan.slice_axis, plan.spacing) == ("slices", 0, (0.8, 0.8))
    assert (plan.patch_size, plan.batch_size) == ((128, 128), BATCH)
    assert plan.strides == ((2, 2),) * 3


def test_steps_of_volumes_that_keep_their_own_spacing_are_known() -> None:
    thin = _volumes(spacing=(3, 0.9, 1), size=(111, 45, 35))
    plan = make_plan(thin, PlanConfig(spacing="own"), PLENTY)
    assert (plan.mode, plan.spacing, plan.steps) == ("3d", None, (3, 0.9, 1))
    assert make_plan(HIPPOCAMPI, PlanConfig(resize=(20, 25, 18)), PLENTY).steps == (37 / 20, 2, 2)


@pytest.mark.parametrize("facts", [FACTS, HIPPOCAMPI, THICK, _volumes(spacing=None, unit="px")])
@pytest.mark.parametrize("config", [PlanConfig(), PlanConfig(spacing="own"), PlanConfig(channels=(4, 4))])
def test_settings_of_every_kind_of_plan_decide_the_same_again(facts: Fingerprint, config: PlanConfig) -> None:
    plan = make_plan(facts, config, PLENTY)
    again = PlanConfig(**plan.settings.model_dump(mode="json"))
    assert make_plan(facts, again, PLENTY) == plan


def test_tiny_volumes_get_a_network_of_fewer_levels() -> None:
    facts = _volumes(size=(17, 18, 16))
    plan = make_plan(facts, PlanConfig(), PLENTY)
    assert (plan.channels, plan.patch_size, plan.batch_size) == ((16, 32, 64), (20, 20, 16), MAX_BATCH)
    assert make_plan(facts, PlanConfig(channels=(4, 4, 4, 4)), PLENTY).strides[-1] == (1, 1, 1)


def test_patch_of_a_volume_that_cannot_be_halved_names_the_nearest_that_can() -> None:
    config = PlanConfig(patch_size=(36, 50, 36), strides=((1, 2, 2), (2, 2, 2)), channels=(4, 4, 4))
    with pytest.raises(ConfigError, match=r"36x50x36.*halved 1x2x2 times.*multiples of 2x4x4") as caught:
        make_plan(HIPPOCAMPI, config, PLENTY)
    assert "36x48x36" in caught.value.remedy


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ({"patch_size": (32, 32)}, "plan.patch_size"),
        ({"resize": (32, 32)}, "plan.resize"),
        ({"spacing": (1.0, 1.0)}, "plan.spacing"),
        ({"strides": ((2, 2, 2),)}, "plan.strides"),
        ({"strides": ((2, 2),) * 3}, "plan.strides"),
        ({"kernels": ((3, 3, 3),) * 3}, "plan.kernels"),
        ({"mode": "2d"}, "plan.mode"),
    ],
)
def test_setting_that_does_not_fit_volumes_is_named(setting: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{key}"):
        make_plan(HIPPOCAMPI, PlanConfig(**setting), PLENTY)


def test_resized_volumes_keep_no_spacing() -> None:
    plan = make_plan(HIPPOCAMPI, PlanConfig(resize=(32, 48, 32)), PLENTY)
    assert (plan.spacing, plan.resize, plan.patch_size) == (None, (32, 48, 32), (32, 48, 32))


def test_channels_of_a_volume_are_taken_as_they_are() -> None:
    plan = make_plan(_volumes(n_channels=3), PlanConfig(), PLENTY)
    assert (plan.color, plan.n_channels) == ("as_is", 3)


def test_computed_tomography_gets_the_scale_of_its_foreground() -> None:
    plan = make_plan(THICK, PlanConfig(), PLENTY)
    assert (plan.normalization, plan.intensity) == ("ct", (SCALE,))
    assert Plan(**plan.model_dump(mode="json")) == plan


def test_window_is_computed_tomography_of_that_window() -> None:
    plan = make_plan(HIPPOCAMPI, PlanConfig(window=(-160, 240)), PLENTY)
    assert plan.normalization == "ct"
    assert plan.intensity == (IntensityScale(low=-160, high=240, zero=40, unit=100),)


@pytest.mark.parametrize("changed", [{"intensity": None}, {"n_channels": 2}])
def test_computed_tomography_without_measured_foreground_needs_a_window(changed: dict[str, Any]) -> None:
    facts = THICK.model_copy(update=changed)
    assert make_plan(facts, PlanConfig(), PLENTY).normalization == "standardize"
    with pytest.raises(ConfigError, match=r"plan\.window"):
        make_plan(facts, PlanConfig(normalization="ct"), PLENTY)


def test_window_beside_another_normalization_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"standardize beside plan\.window"):
        make_plan(FACTS, PlanConfig(normalization="standardize", window=(0, 1)), PLENTY)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 600)] * 3),
    st.tuples(*[st.floats(0.2, 8)] * 3),
    st.integers(1, 6),
    st.sampled_from(["3d", "slices", None]),
)
def test_plan_of_any_volumes_is_one_that_a_network_can_follow(
    shape: tuple[int, ...], spacing: tuple[float, ...], depth: int, mode: Any
) -> None:
    size = tuple(n * s for n, s in zip(shape, spacing, strict=True))
    facts = _volumes(spacing=spacing, size=size, median=shape)
    plan = make_plan(facts, PlanConfig(channels=(4,) * depth, mode=mode), PLENTY)
    assert (len(plan.strides), len(plan.kernels)) == (depth - 1, depth)
    for axis, side in enumerate(plan.patch_size):
        total = 1
        for stride in plan.strides:
            total *= stride[axis]
        assert side > 0
        assert side % total == 0


@pytest.mark.parametrize(("normalization", "mode"), [("clahe", "2d"), ("zscore", "slices")])
def test_normalization_of_whole_images_is_refused_for_those_on_disk(normalization: str, mode: str) -> None:
    volumes = {"n_axes": 3, "smallest": (9, 90, 90), "median": (9, 90, 90), "largest": (9, 90, 90)}
    facts = _facts(**volumes, size=(9, 90, 90)) if mode == "slices" else FACTS
    said = SAID.model_copy(update={"normalization": normalization, "mode": mode})
    assert make_plan(facts, said, PLENTY).needs_whole
    with pytest.raises(
        ConfigError, match=rf"plan\.normalization: found {normalization}.*plan\.reading=memory"
    ):
        make_plan(facts, said, PLENTY, is_on_disk=True)


def test_zscore_of_whole_images_may_stay_on_disk() -> None:
    said = SAID.model_copy(update={"normalization": "zscore"})
    assert not make_plan(FACTS, said, PLENTY, is_on_disk=True).needs_whole
