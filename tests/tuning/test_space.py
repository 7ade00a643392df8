from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from seglet.core.errors import ConfigError
from seglet.core.events import quiet
from seglet.losses.combined import CLASS_TERMS
from seglet.planning import Planned, make_planned
from seglet.recipe import Recipe, read_recipe
from seglet.tuning.space import OWN, Space, TuneConfig, replanned, settings_of, space_around

Plans = Callable[..., tuple[Planned, Recipe]]


@pytest.fixture
def plans(cells: Path, tiny: tuple[str, ...]) -> Plans:
    """Plan `cells` by the tiny recipe and some changes of it."""

    def make(*settings: str) -> tuple[Planned, Recipe]:
        said = read_recipe("auto", [*tiny, *settings])
        return make_planned(cells, said, quiet), said

    return make


def space(plans: Plans, *settings: str, **ranges: object) -> Space:
    return space_around(*plans(*settings), TuneConfig(**ranges))


def test_everything_is_searched_around_the_recipe(plans: Plans) -> None:
    found = space(plans, "fit.learning_rate=0.01")
    assert found.levels == (1, 2, 3)
    assert found.widths == (2, 4, 8)
    assert found.batch_sizes == (1, 2, 4)
    assert found.learning_rate == pytest.approx((0.001, 0.1))
    assert found.losses == ("cross_entropy+dice", "cross_entropy", "dice", "focal+dice", "focal+tversky")
    assert found.first == {
        "levels": 2,
        "width": 4,
        "learning_rate": 0.01,
        "batch_size": 2,
        "loss": "cross_entropy+dice",
    }


def test_no_network_is_so_deep_that_its_last_level_is_mere_padding(plans: Plans) -> None:
    """A patch of 32 is halved to 4 by three steps down, which makes four levels."""
    assert space(plans, levels=5).levels == (1, 2, 3, 4)


def test_a_patch_that_is_said_is_kept_and_bounds_the_depth(plans: Plans) -> None:
    assert space(plans, "plan.patch_size=[36,36]", levels=5).levels == (1, 2, 3)
    planned, said = plans("plan.patch_size=null")
    params = {"learning_rate": 0.01, "batch_size": 2, "loss": "dice", "levels": 5, "width": 4}
    assert replanned(planned, settings_of(params, said)).plan.patch_size == (64, 64)


def test_strides_that_are_said_fix_the_depth_but_not_the_width(plans: Plans) -> None:
    found = space(plans, "plan.strides=[[2,2]]")
    assert found.levels == (2,)
    assert found.widths == (2, 4, 8)


def test_a_network_whose_levels_do_not_double_keeps_its_shape(plans: Plans) -> None:
    planned, said = plans("plan.channels=[4,6]")
    found = space_around(planned, said, TuneConfig())
    assert found.widths == ()
    assert set(found.first) == {"learning_rate", "batch_size", "loss"}
    assert replanned(planned, settings_of(found.first, said)).plan.channels == (4, 6)


def test_a_network_with_a_dropout_for_each_block_keeps_its_depth(plans: Plans) -> None:
    assert space(plans, "network.dropout=[0.1,0.2,0.1]").levels == (2,)


def test_networks_of_unpadded_convolutions_get_patches_that_they_can_take(plans: Plans) -> None:
    planned, said = plans("network={kind: unet2015}", "plan.patch_size=null")
    found = space_around(planned, said, TuneConfig())
    assert len(found.levels) > 1
    for levels in found.levels:
        plan = replanned(planned, settings_of({**found.first, "levels": levels}, said)).plan
        assert plan.is_valid
        assert all(axis.is_legal(side) for axis, side in zip(plan.valid_axes, plan.patch_size, strict=True))


def test_a_loss_that_is_no_plain_sum_is_a_choice_of_its_own(plans: Plans) -> None:
    planned, said = plans("loss.dice=0.5")
    found = space_around(planned, said, TuneConfig())
    assert found.losses[0] == found.first["loss"] == OWN
    assert len(found.losses) == 6
    assert replanned(planned, settings_of(found.first, said)).recipe.loss == planned.recipe.loss


def test_the_settings_of_a_trial_become_its_recipe_and_its_plan(plans: Plans) -> None:
    planned, said = plans()
    params = {"learning_rate": 0.003, "batch_size": 4, "loss": "focal+dice", "levels": 3, "width": 8}
    trial = replanned(planned, settings_of(params, said))
    assert trial.plan.channels == (8, 16, 32)
    assert trial.plan.batch_size == 4
    assert trial.plan.strides == ((2, 2), (2, 2))
    assert trial.plan.patch_size == (32, 32)
    assert trial.recipe.plan == trial.plan.settings
    assert trial.recipe.fit.learning_rate == 0.003
    factors = {term: getattr(trial.recipe.loss, term) for term in CLASS_TERMS}
    assert {term for term, factor in factors.items() if factor} == {"focal", "dice"}
    assert (trial.samples, trial.split) == (planned.samples, planned.split)


def test_the_first_trial_is_the_recipe_as_it_is(plans: Plans) -> None:
    planned, said = plans()
    first = space_around(planned, said, TuneConfig()).first
    again = replanned(planned, settings_of(first, said))
    assert again.plan == planned.plan
    assert again.recipe == planned.recipe


def test_what_does_not_fit_the_memory_is_refused(plans: Plans) -> None:
    planned, said = plans()
    params = {"learning_rate": 0.01, "batch_size": 10_000_000, "loss": "dice", "levels": 2, "width": 4}
    with pytest.raises(ConfigError, match="GiB"):
        replanned(planned, settings_of(params, said))


def test_unknown_terms_of_a_loss_are_refused() -> None:
    with pytest.raises(ValidationError, match="tvresky"):
        TuneConfig(losses=("focal+tvresky",))


def test_a_space_is_read_as_written(plans: Plans) -> None:
    found = space(plans)
    assert Space(**found.model_dump(mode="json")) == found
