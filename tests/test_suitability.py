"""A recipe that does not suit the data is refused by name, with what would suit."""

from pathlib import Path
from typing import Literal

import pytest

from seglet.core.errors import ConfigError, DatasetError, GeometryError
from seglet.core.events import quiet
from seglet.core.image import LabelClass, Labels
from seglet.data.synthetic import make_dataset
from seglet.io.sources import File
from seglet.model import ModelCard
from seglet.patches.targets import TargetConfig
from seglet.pipeline import train
from seglet.planning import make_planned
from seglet.postprocessing.settings import DecodingConfig
from seglet.preprocessing.plan import Plan
from seglet.recipe import Recipe, read_recipe
from seglet.suitability import require_channels, require_network, require_suited


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    """Of gray images of two classes."""
    data = make_dataset(tmp_path_factory.mktemp("cells"), n_images=3, shape=(48, 48))
    settings = ["plan.channels=[4,8]", "split.folds=none"]
    return make_planned(data, read_recipe("auto", settings), quiet).card()


def labels(n_classes: int) -> Labels:
    return Labels(classes=tuple(LabelClass(name=f"class {n}", value=n) for n in range(n_classes)))


def counted(*channels: int) -> list[tuple[File, int]]:
    return [(File(Path(), f"{number}.tif"), n) for number, n in enumerate(channels)]


def test_gray_and_color_go_together(card: ModelCard) -> None:
    require_channels(counted(1, 3, 1), card.plan)


def test_images_that_are_all_alike_may_be_taken_as_they_are(card: ModelCard) -> None:
    with pytest.raises(DatasetError, match=r"found 2 images .*0\.tif \(4 channels\).*plan\.color=as_is"):
        require_channels(counted(4, 4), card.plan)
    as_is = card.plan.model_copy(update={"color": "as_is", "n_channels": 4})
    require_channels(counted(4, 4), as_is)


def test_an_odd_image_out_is_to_be_exported_anew(card: ModelCard) -> None:
    with pytest.raises(DatasetError, match=r"found 1 images .*1\.tif.*Export these"):
        require_channels(counted(1, 4), card.plan)


def suited(plan: Plan, n_classes: int, *settings: str) -> None:
    recipe: Recipe = read_recipe("auto", settings)
    require_suited(recipe, plan, labels(n_classes))


def test_parts_are_not_removed_where_they_are_not_seen_whole(card: ModelCard) -> None:
    on_disk = card.plan.model_copy(update={"reading": "disk"})
    suited(card.plan, 2, "decoding.keep=largest")
    suited(on_disk, 2, "decoding.threshold=0.4")
    with pytest.raises(ConfigError, match=r"read from disk window by window.*plan\.reading=memory"):
        suited(on_disk, 2, "decoding.keep=largest")


def test_a_way_to_objects_that_the_network_does_not_show_is_refused_early(card: ModelCard) -> None:
    def told(kind: Literal["classes", "borders"]) -> ModelCard:
        decoding, targets = DecodingConfig(method="interior"), TargetConfig(kind=kind)
        return card.model_copy(update={"decoding": decoding, "targets": targets})

    require_network(told("borders"))
    with pytest.raises(ConfigError, match=r"decoding\.method: found interior.*targets\.kind borders"):
        require_network(told("classes"))


def test_borders_are_of_one_class_of_objects(card: ModelCard) -> None:
    suited(card.plan, 2, "targets.kind=borders")
    with pytest.raises(ConfigError, match=r"3 classes class 0, class 1, class 2.*targets\.kind=distance"):
        suited(card.plan, 3, "targets.kind=borders")


def test_borders_are_balanced_by_hand(card: ModelCard) -> None:
    suited(card.plan, 2, "targets.kind=borders", "loss.class_weights=[1, 1, 5]")
    with pytest.raises(ConfigError, match=r"loss\.class_balance: found enet.*background, interior, border"):
        suited(card.plan, 2, "targets.kind=borders", "loss.class_balance=enet")
    with pytest.raises(ConfigError, match=r"found 2 weights; expected 3, .*border"):
        suited(card.plan, 2, "targets.kind=borders", "loss.class_weights=[1, 5]")


def test_settings_of_objects_need_images_in_memory(card: ModelCard) -> None:
    on_disk = card.plan.model_copy(update={"reading": "disk"})
    suited(on_disk, 2)
    with pytest.raises(ConfigError, match=r"targets\.kind=distance: found images read from disk"):
        suited(on_disk, 2, "targets.kind=distance")


def test_a_network_is_refused_that_cannot_be_built_or_cut(card: ModelCard) -> None:
    require_network(card)
    dropping = card.network.model_copy(update={"dropout": (0.1, 0.2)})
    with pytest.raises(ConfigError, match=r"network\.dropout: found 2 numbers; expected one, or 3"):
        require_network(card.model_copy(update={"network": dropping}))
    all_margin = card.predict.model_copy(update={"margin": 300})
    with pytest.raises(GeometryError, match="a window of at least 601"):
        require_network(card.model_copy(update={"predict": all_margin}))
    unpadded = card.plan.model_copy(update={"is_valid": True})
    with_margin = card.predict.model_copy(update={"margin": 8})
    with pytest.raises(ConfigError, match=r"predict: found margin for a network of unpadded"):
        require_network(card.model_copy(update={"plan": unpadded, "predict": with_margin}))


def test_nothing_is_written_before_the_network_fits(tmp_path: Path) -> None:
    """Else the corrected command would be refused, as a run stands there already."""
    data, out = make_dataset(tmp_path / "data", n_images=3, shape=(48, 48)), tmp_path / "run"
    settings = ["plan.channels=[4,8]", "network.dropout=[0.1,0.2]", "split.folds=none"]
    with pytest.raises(ConfigError, match=r"network\.dropout"):
        train(data, out, settings=settings)
    assert not any(out.iterdir())


@pytest.mark.parametrize("kind", ["unet", "unet2015", "retina_patch", "residual_unet"])
def test_every_kind_is_built_without_memory_for_its_weights(card: ModelCard, kind: str) -> None:
    network = read_recipe("auto", [f"network={{kind: {kind}}}"]).network
    require_network(card.model_copy(update={"network": network}))
