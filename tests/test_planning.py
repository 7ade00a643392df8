from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image as Picture

from seglet.core.errors import DatasetError
from seglet.core.events import Event, quiet
from seglet.data.splits import split_to_text
from seglet.data.synthetic import make_dataset
from seglet.planning import make_planned
from seglet.recipe import read_recipe, to_text

PARTS = ("train", "validation", "test")


def test_everything_is_decided_and_said(cells: Path, tiny: tuple[str, ...]) -> None:
    planned = make_planned(cells, read_recipe("auto", tiny), quiet)
    assert planned.labels.names == ("background", "foreground")
    assert {name: len(planned.part(name)) for name in PARTS} == {"train": 3, "validation": 1, "test": 1}
    assert planned.fingerprint.n_cases == 3, "only training images are looked at"
    recipe = planned.recipe
    assert recipe.plan == planned.plan.settings
    assert None not in (recipe.plan.color, recipe.plan.normalization, recipe.plan.channels)
    assert recipe.layout == planned.dataset.layout
    assert recipe.protocol == "pixels"


@pytest.mark.parametrize("said", [(), ("network.kind=unet2015", "loss.class_balance=inverse_frequency")])
def test_the_resolved_recipe_decides_the_same_again(
    cells: Path, tiny: tuple[str, ...], said: tuple[str, ...]
) -> None:
    first = make_planned(cells, read_recipe("auto", [*tiny, *said]), quiet)
    again = make_planned(cells, first.recipe, quiet)
    assert again.recipe == first.recipe
    assert again.plan == first.plan
    assert again.split == first.split


def test_a_balance_of_classes_becomes_the_weights_of_the_training_pixels(
    cells: Path, tiny: tuple[str, ...]
) -> None:
    planned = make_planned(cells, read_recipe("auto", [*tiny, "loss.class_balance=inverse_frequency"]), quiet)
    labels = np.stack([planned.samples[case.id].labels for case in planned.split.train])
    share = (labels == 1).mean()
    loss = yaml.safe_load(to_text(planned.recipe))["loss"]
    assert loss["class_balance"] == "none"
    assert loss["class_weights"] == pytest.approx([1 / (2 * (1 - share)), 1 / (2 * share)])


def test_the_card_tells_the_plan_and_the_labels(cells: Path, tiny: tuple[str, ...]) -> None:
    planned = make_planned(cells, read_recipe("auto", [*tiny, "predict.margin=8"]), quiet)
    card = planned.card()
    assert (card.plan, card.labels, card.network) == (planned.plan, planned.labels, planned.recipe.network)
    assert card.predict.margin == 8


@pytest.mark.parametrize(
    ("recipe", "setting", "flips"),
    [
        ("auto", "name=any", True),
        ("auto", "patches.augment.flip=0", False),
        ("auto", "predict.flips=false", False),
        ("nuclei", "name=any", False),
    ],
)
def test_what_is_mirrored_in_training_is_mirrored_in_prediction(
    cells: Path, tiny: tuple[str, ...], recipe: str, setting: str, flips: bool
) -> None:
    planned = make_planned(cells, read_recipe(recipe, [*(tiny if recipe == "auto" else ()), setting]), quiet)
    assert planned.card().predict.flips is flips


@pytest.mark.parametrize(
    ("split", "scored_on"),
    [
        (("split.test=last 1", "split.validation=first 1"), "test"),
        (("split.test=none", "split.validation=first 1"), "validation"),
        (("split.test=none", "split.validation=none"), "train"),
    ],
)
def test_what_is_scored_is_the_best_part_there_is(
    cells: Path, tiny: tuple[str, ...], split: tuple[str, ...], scored_on: str
) -> None:
    assert make_planned(cells, read_recipe("auto", [*tiny, *split]), quiet).scored_on == scored_on


def test_a_written_split_is_taken_again(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    first = make_planned(cells, read_recipe("auto", tiny), quiet)
    (tmp_path / "split.yaml").write_text(split_to_text(first.split))
    other = read_recipe("auto", [*tiny, "split.test=first 2", "split.validation=none"])
    assert make_planned(cells, other, quiet, tmp_path / "split.yaml").split == first.split
    assert make_planned(cells, other, quiet, tmp_path / "missing.yaml").split != first.split


def test_all_bad_files_are_listed_at_once(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path, n_images=4, shape=(48, 48))
    (data / "images/001.png").write_text("no picture")
    whole = (data / "masks/002.png").read_bytes()
    (data / "masks/002.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError) as error:
        make_planned(data, read_recipe("auto", tiny), quiet)
    assert "images/001.png" in str(error.value)
    assert "masks/002.png" in str(error.value)
    assert error.value.remedy


@pytest.mark.parametrize("odd", ["000", "002", "004"])  # of validation, training and test
@pytest.mark.parametrize("n_channels", [2, 4])
def test_an_image_of_other_channels_is_named(
    tmp_path: Path, tiny: tuple[str, ...], odd: str, n_channels: int
) -> None:
    data = make_dataset(tmp_path, n_images=5, shape=(48, 48))
    (data / f"images/{odd}.png").unlink()
    pixels = np.random.default_rng(0).integers(0, 256, (n_channels, 48, 48), np.uint8)
    tifffile.imwrite(data / f"images/{odd}.tif", pixels, photometric="minisblack", metadata={"axes": "CYX"})
    with pytest.raises(DatasetError) as error:
        make_planned(data, read_recipe("auto", tiny), quiet)
    assert f"{odd}.tif" in error.value.found
    assert f"1 of {n_channels}" in error.value.found


def test_gray_and_color_images_go_together(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path, n_images=5, shape=(48, 48))
    color = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    Picture.fromarray(color).save(data / "images/002.png")
    assert make_planned(data, read_recipe("auto", tiny), quiet).plan.n_channels == 3


def test_images_without_masks_cannot_be_planned(tmp_path: Path) -> None:
    for number in range(3):
        Picture.new("L", (20, 20), 40 * number).save(tmp_path / f"{number}.png")
    with pytest.raises(DatasetError, match="mask"):
        make_planned(tmp_path, read_recipe("auto"), quiet)


def test_progress_is_told(cells: Path, tiny: tuple[str, ...]) -> None:
    told: list[Event] = []
    make_planned(cells, read_recipe("auto", tiny), told.append)
    assert {event.stage for event in told} >= {"checking", "reading"}
    assert all(event.done <= event.total for event in told if event.total)
