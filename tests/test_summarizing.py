"""Networks of recipes and of models, without data."""

from pathlib import Path

import pytest

from seglet.core.errors import ConfigError
from seglet.core.image import LabelClass, Labels
from seglet.model import ModelCard, save_model, untrained
from seglet.networks.unet2015 import UNet2015Config
from seglet.preprocessing.plan import Plan
from seglet.recipe import recipe_names
from seglet.summarizing import summarize

SMALL = "plan.channels=[4, 8]"


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_can_be_summarized(name: str) -> None:
    found = summarize(name)
    assert found.parameters == sum(layer.parameters for layer in found.layers)
    assert found.macs > 0
    assert found.layers[-1].name == "head"


@pytest.mark.parametrize(
    ("n_channels", "n_classes", "inside", "outside"),
    [(None, None, 1, 1), (1, 2, 1, 1), (3, 3, 3, 3), (5, 9, 5, 9)],
)
def test_channels_and_classes_are_as_said(
    n_channels: int | None, n_classes: int | None, inside: int, outside: int
) -> None:
    found = summarize("auto", [SMALL], (16, 24), n_channels, n_classes)
    assert (found.input, found.output) == ((inside, 16, 24), (outside, 16, 24))


def test_targets_and_head_decide_the_outputs() -> None:
    assert summarize("auto", [SMALL, "network.head=softmax"]).output[0] == 2
    assert summarize("auto", [SMALL, "targets.kind=borders"]).output[0] == 3
    assert summarize("auto", [SMALL, "targets.kind=distance"]).output[0] == 2


def test_size_is_the_patch_where_it_is_not_said() -> None:
    assert summarize("auto", [SMALL, "plan.patch_size=[20, 32]"]).input == (1, 20, 32)
    assert summarize("auto", [SMALL, "plan.resize=[40, 44]"]).input == (1, 40, 44)


@pytest.mark.parametrize("size", [(37, 41), (1, 1), (300, 16)])
def test_padded_networks_take_any_size(size: tuple[int, int]) -> None:
    assert summarize("auto", size=size).output == (1, *size)


def test_volumes_by_mode_by_size_or_by_kernels() -> None:
    kernels = ["plan.kernels=[[1, 3, 3], [3, 3, 3]]", "plan.strides=[[1, 2, 2]]"]
    assert len(summarize("auto", [SMALL, "plan.mode=3d"]).input) == 4
    assert summarize("auto", [SMALL], (20, 24, 28)).input == (1, 20, 24, 28)
    assert summarize("auto", [SMALL, *kernels]).step == (1, 2, 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_of_volumes_are_images(axis: int) -> None:
    found = summarize("auto", [SMALL, "plan.mode=slices", f"plan.slice_axis={axis}"], (40, 48))
    assert found.input == (1, 40, 48)


def test_unpadded_network_gets_a_legal_patch() -> None:
    found = summarize("auto", ["network={kind: unet2015}", "plan.channels=[4, 8, 8]"])
    assert found.input[1:] == tuple(n + 40 for n in found.output[1:])


@pytest.mark.parametrize(
    ("settings", "size", "n_channels", "option"),
    [
        (["plan.color=gray"], None, 3, "--channels"),
        (["plan.patch_size=[16, 16]", "plan.mode=2d"], (8, 8, 8), None, "plan"),
    ],
)
def test_what_contradicts_the_recipe_is_refused(
    settings: list[str], size: tuple[int, ...] | None, n_channels: int | None, option: str
) -> None:
    with pytest.raises(ConfigError, match=option):
        summarize("auto", [SMALL, *settings], size, n_channels)


def _save(folder: Path) -> Path:
    classes = tuple(LabelClass(name=name, value=n) for n, name in enumerate("abc"))
    plan = Plan(
        color="rgb",
        normalization="standardize",
        resize=None,
        patch_size=(18, 22),
        batch_size=1,
        channels=(4, 8),
        strides=((2, 2),),
        kernels=((3, 3), (3, 3)),
        n_channels=3,
        n_classes=3,
        training_memory=1,
        is_valid=True,
    )
    card = ModelCard(recipe="mine", network=UNet2015Config(), plan=plan, labels=Labels(classes=classes))
    save_model(untrained(card), folder / "model")
    return folder


def test_model_and_run_folder_say_what_they_are(tmp_path: Path) -> None:
    run = _save(tmp_path)
    found = summarize(run)
    assert (found.kind, found.input, found.output) == ("unet2015", (3, 18, 22), (3, 2, 6))
    assert summarize(run / "model", size=(18, 18)).output == (3, 2, 2)


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ({"settings": ["network.dropout=0"]}, "--set"),
        ({"n_channels": 1}, "--channels"),
        ({"n_classes": 2}, "--classes"),
        ({"size": (18, 18, 18)}, "--input"),
    ],
)
def test_a_trained_model_is_what_it_is(tmp_path: Path, said: dict[str, object], option: str) -> None:
    with pytest.raises(ConfigError, match=f"^{option}"):
        summarize(_save(tmp_path), **said)  # type: ignore[arg-type]
