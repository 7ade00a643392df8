"""Training keeps to the memory that was said: by ways that cost little first, or by an early word."""

import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from processes import peak
from seglet import pipeline, rationing
from seglet.core.errors import ConfigError
from seglet.core.events import Event, quiet
from seglet.limiting import SPARE
from seglet.model import untrained
from seglet.peaks import highest, peaks
from seglet.planning import Planned, make_planned
from seglet.rationing import Limit, limit_of, plan_within
from seglet.recipe import read_recipe
from seglet.run import Run, read_run_recipe

MIB = 1 << 20


@pytest.fixture(scope="module")
def wide(tiny: tuple[str, ...]) -> tuple[str, ...]:
    """Settings whose steps take far more than anything else."""
    return (*tiny, "plan.channels=[64,128,256]", "plan.batch_size=32", "plan.patch_size=[64,64]")


@pytest.fixture(scope="module")
def planned(cells: Path, wide: tuple[str, ...]) -> Planned:
    return make_planned(cells, read_recipe("auto", wide), quiet)


def within(left: int, data: Path, settings: tuple[str, ...], begun: bool = False) -> Planned:
    recipe = read_recipe("auto", settings)
    return plan_within(Limit(left + 500 * MIB, 500 * MIB), data, recipe, quiet, begun=begun)


def test_a_limit_counts_what_is_taken_already(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        def memory_info(self) -> "Process":
            return self

        rss = 300 * MIB

    monkeypatch.setattr(psutil, "Process", Process)
    assert limit_of("1G") == Limit(1 << 30, 300 * MIB + SPARE)
    assert limit_of("1G").left == (1 << 30) - 300 * MIB - SPARE  # type: ignore[union-attr]
    assert limit_of(Limit(5, 3)) == Limit(5, 3)
    assert limit_of(None) is None
    with pytest.raises(ConfigError, match="an amount of memory"):
        limit_of("much")


def test_where_there_is_room_nothing_changes(cells: Path, planned: Planned, wide: tuple[str, ...]) -> None:
    found = within(highest(planned).n_bytes, cells, wide)
    assert (found.plan, found.recipe, found.allowance) == (planned.plan, planned.recipe, planned.allowance)
    assert plan_within(None, cells, read_recipe("auto", wide), quiet).recipe == planned.recipe


def test_patches_give_way_first_and_a_step_sees_as_many(
    cells: Path, planned: Planned, wide: tuple[str, ...]
) -> None:
    found = within(highest(planned).n_bytes - 1, cells, wide)
    assert found.plan.batch_size == found.recipe.plan.batch_size == 16
    assert found.recipe.fit.accumulate == 2
    assert found.plan.training_memory == planned.plan.training_memory // 2
    assert not found.recipe.fit.checkpointing
    assert highest(found).n_bytes < highest(planned).n_bytes


def test_then_blocks_are_computed_twice(cells: Path, planned: Planned, wide: tuple[str, ...]) -> None:
    network = untrained(planned.card()).network
    two = rationing._with_patches(planned, 2, False)
    found = within(peaks(two, network)[0].n_bytes - 1, cells, wide)
    assert found.recipe.fit.checkpointing
    assert found.plan.batch_size * found.recipe.fit.accumulate == 32
    assert found.plan.batch_size >= 2


def test_a_run_that_has_begun_keeps_its_batches(cells: Path, planned: Planned, wide: tuple[str, ...]) -> None:
    found = within(highest(planned).n_bytes - 1, cells, wide, begun=True)
    assert found.plan.batch_size == 32
    assert found.recipe.fit.accumulate == 1
    assert found.recipe.fit.checkpointing


def test_what_is_looked_at_gives_way_where_that_takes_most(
    cells: Path, tiny: tuple[str, ...], planned: Planned
) -> None:
    network = untrained(planned.card()).network
    ways = list(rationing._ways_to_look(planned))
    assert ways[0] == planned
    assert ways[1].allowance.n_ranked == planned.allowance.n_ranked // 4
    windows = [way.card().predict.window for way in ways]
    assert windows[0] is None
    assert [w for w in dict.fromkeys(windows) if w] == sorted({w for w in windows if w}, reverse=True)
    taken = [sum(peak.n_bytes for peak in peaks(way, network)) for way in ways]
    assert taken[-1] <= taken[0]


def test_one_word_says_what_gave_way(cells: Path, planned: Planned, wide: tuple[str, ...]) -> None:
    heard: list[Event] = []
    limit = Limit(highest(planned).n_bytes - 1 + 500 * MIB, 500 * MIB)
    plan_within(limit, cells, read_recipe("auto", wide), heard.append)
    (told,) = [event.message for event in heard if event.stage == "memory"]
    assert told.startswith("at most about 0.")
    assert told.endswith("16 of the 32 patches of a step at once")


def test_what_cannot_be_is_refused_before_training(
    cells: Path, wide: tuple[str, ...], tmp_path: Path
) -> None:
    message = (
        r"max-ram: found .*; expected at least .*: .* takes .* beside 0\.5 GiB for the program itself\. Allow"
    )
    with pytest.raises(ConfigError, match=message):
        within(8 * MIB, cells, (*wide, "plan.reading=memory"))
    with pytest.raises(ConfigError, match="max-ram: found 1 MiB; expected more than the"):
        pipeline.train(cells, tmp_path / "run", settings=wide, max_ram="1M")
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def slides(folder: Path, n: int, side: int) -> Path:
    """Images that can be read in part: noise, brighter where the mask is."""
    rng = np.random.default_rng(0)
    for place in ("images", "masks"):
        (folder / place).mkdir(parents=True)
    for number in range(n):
        mask = np.kron(
            rng.integers(0, 2, (side // 100, side // 100), np.uint8), np.ones((100, 100), np.uint8)
        )
        pixels = rng.integers(0, 100, mask.shape, np.uint8) + 100 * mask
        tifffile.imwrite(folder / f"images/{number}.tif", pixels, tile=(256, 256))
        tifffile.imwrite(folder / f"masks/{number}.tif", 255 * mask, tile=(256, 256))
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="bytes are counted otherwise elsewhere")
def test_a_training_keeps_to_its_limit_by_fewer_patches(tiny: tuple[str, ...], tmp_path: Path) -> None:
    data, run = slides(tmp_path / "data", 4, 200), Run(tmp_path / "run")
    settings = [f"--set={each}" for each in (*tiny, "plan.channels=[32,64]", "plan.patch_size=[128,128]")]
    command = ("train", data, *settings, "--set=plan.batch_size=16", "--set=fit.steps=2")
    whole = peak(*command, "-o", tmp_path / "whole")
    assert peak(*command, "-o", run.folder, "--max-ram", "800M") <= 800 * MIB < whole
    recipe = read_run_recipe(run)
    assert recipe.plan.batch_size is not None
    assert recipe.plan.batch_size < 16
    assert recipe.plan.batch_size * recipe.fit.accumulate == 16


@pytest.mark.skipif(sys.platform != "linux", reason="bytes are counted otherwise elsewhere")
def test_a_training_keeps_to_its_limit_by_images_on_disk(tiny: tuple[str, ...], tmp_path: Path) -> None:
    data, run = slides(tmp_path / "data", 4, 3000), Run(tmp_path / "run")
    command = ("train", data, *(f"--set={each}" for each in tiny), "-o", run.folder, "--max-ram", "800M")
    assert peak(*command) <= 800 * MIB
    assert read_run_recipe(run).plan.reading == "disk"
    assert run.report.is_file()


def test_seeds_are_planned_by_one_limit(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Limit | None] = []

    def planned(limit: Limit | None, data: Path, *rest: object, begun: bool) -> Planned:
        seen.append(limit)
        return plan_within(limit, data, *rest, begun=begun)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "plan_within", planned)
    pipeline.train_seeds(cells, tmp_path / "out", 2, settings=tiny, max_ram="16G")
    assert len(seen) == 2
    assert seen[0] is not None
    assert seen[0] == seen[1]
