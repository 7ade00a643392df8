"""What a recipe leaves open follows from data and plan: targets, loss, protocol, how masks are decided."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from seglet.core.errors import ConfigError
from seglet.core.events import quiet
from seglet.data.cases import find_cases
from seglet.data.synthetic import make_dataset
from seglet.patches.targets import BorderWeightConfig
from seglet.planning import make_planned
from seglet.recipe import read_recipe
from seglet.settling import choose_protocol, decisions

ZYX: dict[str, Any] = {"metadata": {"axes": "ZYX"}}


@pytest.mark.parametrize("layout", ["instances", "kaggle"])
def test_objects_that_the_truth_tells_apart_are_drawn_apart(
    tmp_path: Path, tiny: tuple[str, ...], layout: str
) -> None:
    data = make_dataset(tmp_path, layout=layout, n_images=3, shape=(64, 64))
    recipe = make_planned(data, read_recipe("auto", tiny), quiet).recipe
    assert (recipe.targets.separation, recipe.patches.border_weight) == (1, BorderWeightConfig())
    said = [*tiny, "targets.separation=0", "patches.border_weight={peak: 0}"]
    recipe = make_planned(data, read_recipe("auto", said), quiet).recipe
    assert (recipe.targets.separation, recipe.patches.border_weight) == (0, BorderWeightConfig(peak=0))


def test_in_volumes_no_weights_are_made_unasked(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data, rng = tmp_path / "data", np.random.default_rng(0)
    for kind in ("images", "masks"):
        (data / kind).mkdir(parents=True)
    objects = np.kron(np.arange(36).reshape(3, 3, 4), np.ones((8, 12, 12))).astype(np.uint16)
    for name in "abc":
        tifffile.imwrite(data / f"images/{name}.tif", rng.integers(0, 255, objects.shape, np.uint8), **ZYX)
        tifffile.imwrite(data / f"masks/{name}.tif", objects, **ZYX)
    said = [*(one for one in tiny if "patch_size" not in one), "masks.encoding=instances"]
    recipe = make_planned(data, read_recipe("auto", said), quiet).recipe
    assert recipe.plan.mode == "3d"
    assert (recipe.targets.separation, recipe.patches.border_weight) == (1, BorderWeightConfig(peak=0))
    recipe = make_planned(data, read_recipe("auto", [*said, "patches.border_weight={peak: 5}"]), quiet).recipe
    assert recipe.patches.border_weight == BorderWeightConfig(peak=5)


@pytest.mark.parametrize(
    ("recipe", "setting", "align"),
    [
        ("auto", "name=any", True),
        ("auto", "patches.augment.flip=0", False),  # then the network learns where annotations stand
        ("auto", "predict.threshold=0.5", False),
        ("auto", "predict.align=false", False),
        ("nuclei", "name=any", False),
        ("unet2015-em", "name=any", False),
    ],
)
def test_annotations_that_stand_beside_are_measured_where_no_network_learns_it(
    cells: Path, tiny: tuple[str, ...], recipe: str, setting: str, align: bool
) -> None:
    planned = make_planned(cells, read_recipe(recipe, [*(tiny if recipe == "auto" else ()), setting]), quiet)
    assert planned.card().predict.align is align


def test_classes_without_objects_are_left_as_they_are(cells: Path, tiny: tuple[str, ...]) -> None:
    recipe = make_planned(cells, read_recipe("auto", tiny), quiet).recipe
    assert (recipe.targets.separation, recipe.patches.border_weight) == (0, BorderWeightConfig(peak=0))


@pytest.mark.parametrize("weights", ["[1]", "[1, 2, 3]"])
def test_every_class_has_its_weight(cells: Path, tiny: tuple[str, ...], weights: str) -> None:
    with pytest.raises(ConfigError, match=r"loss\.class_weights.*expected 2, one for each of background"):
        make_planned(cells, read_recipe("auto", [*tiny, f"loss.class_weights={weights}"]), quiet)
    make_planned(cells, read_recipe("auto", [*tiny, "loss.class_weights=[1, 2]"]), quiet)


@pytest.mark.parametrize("layout", ["instances", "pairs"])
def test_a_threshold_that_was_said_decides_masks_and_objects(
    tmp_path: Path, tiny: tuple[str, ...], layout: str
) -> None:
    data = make_dataset(tmp_path, layout=layout, n_images=3, shape=(64, 64))
    for said in (None, 0.3):
        settings = [*tiny, *([] if said is None else [f"predict.threshold={said}"])]
        planned = make_planned(data, read_recipe("auto", settings), quiet)
        found = decisions(planned.recipe, planned.labels, planned.plan)
        assert found.get("threshold") == said
        assert ("threshold_from" in found) == (said is not None)
        assert ("decoding" in found) == (layout == "instances")
        if said is not None and layout == "instances":
            assert found["decoding"].threshold == said


@pytest.mark.parametrize(
    ("layout", "protocol"), [("drive", "drive"), ("chasedb1", "chasedb1"), ("pairs", "pixels")]
)
def test_a_known_dataset_brings_its_own_protocol(tmp_path: Path, layout: str, protocol: str) -> None:
    dataset = find_cases(make_dataset(tmp_path, "vessels", layout, n_images=2, shape=(64, 64)))
    assert choose_protocol("auto", dataset).name == protocol
    assert choose_protocol("stare", dataset).name == "stare"


def test_an_unknown_protocol_names_the_nearest(cells: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'drive'"):
        choose_protocol("driv", find_cases(cells))
