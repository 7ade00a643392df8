"""What is decided from the facts, and what is refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from seglet.core.errors import ConfigError
from seglet.preprocessing.fingerprint import Fingerprint
from seglet.preprocessing.plan import BATCH, Plan, PlanConfig, image_memory, make_plan, patch_memory

PLENTY = 2**40
FACTS = Fingerprint(
    n_cases=4,
    n_classes=3,
    smallest=(90, 90),
    median=(100, 140),
    largest=(200, 200),
    n_pixels=80_000,
    n_channels=1,
    is_color=False,
    dtypes=("uint8",),
    has_fov=False,
    class_fractions=(0.7, 0.2, 0.1),
)
IMAGES = 80_000 * 3 * 4  # bytes: gray, labels and weights as float32
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
    )
    plan = make_plan(FACTS, config, PLENTY)
    assert plan.settings == config
    assert (plan.n_channels, plan.n_classes) == (3, 3)


def test_plan_as_settings_decides_the_same_again() -> None:
    plan = make_plan(FACTS, PlanConfig(), PLENTY)
    assert make_plan(_facts(is_color=True, median=(9, 9)), plan.settings, PLENTY) == plan
    assert None not in plan.settings.model_dump(exclude={"resize"}).values()


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


def test_memory_of_a_patch_by_hand() -> None:
    per_pixel = 4 * 4 + 4 * 8 / 4  # channels of the four convolutions of each level
    assert patch_memory((10, 10), (4, 8)) == 100 * per_pixel * 3 * 4
    plan = make_plan(FACTS, SAID, PLENTY)
    assert plan.training_memory == 2 * patch_memory((32, 32), (4, 8))


def test_batch_shrinks_until_it_fits_half_the_memory() -> None:
    config = PlanConfig(patch_size=(32, 32), channels=(4, 8))
    room_for_three = IMAGES + 2 * 3 * patch_memory((32, 32), (4, 8))
    assert make_plan(FACTS, config, room_for_three).batch_size == 3


@pytest.mark.parametrize("batch_size", [None, 64])
def test_too_little_memory_is_refused_with_numbers(batch_size: int | None) -> None:
    config = PlanConfig(patch_size=(32, 32), channels=(4, 8), batch_size=batch_size)
    with pytest.raises(ConfigError, match=r"GiB.*expected at most.*GiB") as caught:
        make_plan(FACTS, config, memory=IMAGES + patch_memory((32, 32), (4, 8)))
    assert "plan.batch_size" in caught.value.remedy


@pytest.mark.parametrize("batch_size", [None, 1])
def test_images_that_fill_the_memory_are_refused_with_numbers(batch_size: int | None) -> None:
    config = PlanConfig(patch_size=(32, 32), channels=(4, 8), batch_size=batch_size)
    with pytest.raises(ConfigError, match=r"2\.0 GiB for the training images; .* 1\.5 GiB") as caught:
        make_plan(_facts(n_pixels=2**31 // 12), config, memory=3 * 2**29)
    assert "plan.resize" in caught.value.remedy


def test_images_take_the_memory_of_the_size_they_are_resized_to() -> None:
    assert image_memory(FACTS, None, 1) == IMAGES
    assert image_memory(FACTS, None, 3) == 80_000 * 5 * 4
    assert image_memory(FACTS, (10, 20), 1) == 4 * 200 * 3 * 4
    config = PlanConfig(resize=(32, 32), channels=(4, 8))
    assert make_plan(_facts(n_pixels=2**60), config, 2**30).batch_size == BATCH


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
    ],
)
def test_impossible_setting_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        PlanConfig(**setting)


def test_plan_comes_back_from_plain_values() -> None:
    plan = make_plan(FACTS, SAID, PLENTY)
    assert Plan(**plan.model_dump(mode="json")) == plan
