"""The model's folder: a round trip to the bit, and refusals that name the file."""

import errno
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from seglet import model as model_module
from seglet.core.errors import ModelError, StorageError
from seglet.core.image import LabelClass, Labels
from seglet.model import (
    CARD,
    FORMAT_VERSION,
    WEIGHTS,
    Model,
    ModelCard,
    PredictConfig,
    load_model,
    n_outputs,
    save_model,
    untrained,
)
from seglet.networks.unet import UNetConfig
from seglet.patches.targets import TargetConfig
from seglet.preprocessing.plan import Plan

LABELS = Labels(
    encoding="colors",
    classes=(LabelClass(name="Hintergrund", value=(0, 0, 0)), LabelClass(name="Gefäß", value=(255, 0, 0))),
    ignore=(1, 1, 1),
)


def _plan(**changed: Any) -> Plan:
    plan = Plan(
        color="gray",
        normalization="standardize",
        resize=(24, 16),
        patch_size=(8, 8),
        batch_size=2,
        channels=(4, 8),
        strides=((2, 2),),
        kernels=((3, 3), (3, 3)),
        n_channels=1,
        n_classes=2,
        training_memory=1,
    )
    return plan.model_copy(update=changed)


def _card(**changed: Any) -> ModelCard:
    card = ModelCard(
        recipe="auto",
        network=UNetConfig(),
        plan=_plan(),
        labels=LABELS,
        predict=PredictConfig(window=64, margin=8, flips=True),
        threshold=0.37,
        threshold_from="largest Dice on the validation images",
        scores={"dice": 0.81, "iou": None},
    )
    return card.model_copy(update=changed)


def _trained(seed: int = 3) -> Model:
    """A model whose running statistics have moved, too."""
    model = untrained(_card(), seed=seed)
    model.network.train()
    with torch.no_grad():
        model.network(torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(seed)))
    return model


def _change_card(folder: Path, **changed: Any) -> None:
    content = yaml.safe_load((folder / CARD).read_text(encoding="utf-8"))
    (folder / CARD).write_text(yaml.safe_dump(content | changed), encoding="utf-8")


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights, copied: the file itself is only mapped into memory, and is written over next."""
    return {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_model(_trained(), tmp_path / "run" / "model")


def _assert_same(first: Model, second: Model) -> None:
    a, b = first.network.state_dict(), second.network.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a)
    assert first.card == second.card


def test_saved_model_comes_back_to_the_bit(saved: Path) -> None:
    model, again = _trained(), load_model(saved)
    _assert_same(model, again)
    image = torch.randn(1, 1, 11, 13)
    with torch.no_grad():
        assert torch.equal(model.network.eval()(image), again.network(image))


def test_loaded_network_is_ready_for_prediction(saved: Path) -> None:
    assert not any(module.training for module in load_model(saved).network.modules())


def test_weights_in_another_memory_order_come_back_too(tmp_path: Path) -> None:
    model = _trained()
    model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    _assert_same(model, load_model(save_model(model, tmp_path / "model")))


def test_run_folder_stands_for_its_model(saved: Path) -> None:
    _assert_same(load_model(saved), load_model(saved.parent))


def test_folder_holds_no_pickle(saved: Path) -> None:
    assert sorted(p.name for p in saved.iterdir()) == [CARD, WEIGHTS]
    assert {p.suffix for p in saved.iterdir()} == {".yaml", ".safetensors"}
    header = int.from_bytes((saved / WEIGHTS).read_bytes()[:8], "little")
    assert (saved / WEIGHTS).read_bytes()[8 : 8 + header].lstrip().startswith(b"{")


def test_card_can_be_read_by_a_person(saved: Path) -> None:
    text = (saved / CARD).read_text(encoding="utf-8")
    assert text.startswith(f"format_version: {FORMAT_VERSION}\n")
    assert "Gefäß" in text
    assert "!!python" not in text


def test_same_seed_gives_the_same_untrained_model() -> None:
    _assert_same(untrained(_card(), seed=5), untrained(_card(), seed=5))


@pytest.mark.parametrize(
    ("n_classes", "head", "targets", "expected"),
    [
        (2, "sigmoid", "classes", 1),
        (2, "softmax", "classes", 2),
        (3, "sigmoid", "classes", 3),
        (7, "softmax", "classes", 7),
        (2, "sigmoid", "borders", 3),
        (2, "sigmoid", "distance", 2),
        (2, "softmax", "distance", 3),
        (3, "sigmoid", "distance", 4),
    ],
)
def test_outputs_are_those_that_head_and_targets_ask_for(
    n_classes: int, head: str, targets: str, expected: int
) -> None:
    card = _card(
        plan=_plan(n_classes=n_classes),
        network=UNetConfig(head=head),  # type: ignore[arg-type]
        targets=TargetConfig(kind=targets),  # type: ignore[arg-type]
    )
    assert n_outputs(card) == expected
    assert untrained(card).network(torch.zeros(1, 1, 8, 8)).shape[1] == expected


@pytest.mark.parametrize("missing", ["folder", CARD, WEIGHTS])
def test_missing_part_is_named(saved: Path, missing: str) -> None:
    target = saved.with_name("absent") if missing == "folder" else saved
    (saved / missing).unlink(missing_ok=True)
    with pytest.raises(ModelError, match="model") as caught:
        load_model(target)
    assert str(target) in caught.value.where
    if missing == WEIGHTS:
        assert caught.value.where.endswith(WEIGHTS)


def test_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.png").write_bytes(b"x")
    with pytest.raises(ModelError, match="no readable"):
        load_model(tmp_path / "model.png")


@pytest.mark.parametrize("damage", ["empty", "half", "text", "pickle"])
def test_damaged_weights_are_refused(saved: Path, damage: str) -> None:
    whole = (saved / WEIGHTS).read_bytes()
    if damage == "pickle":
        torch.save(_weights(saved), saved / WEIGHTS)
    else:
        content = {"empty": b"", "half": whole[: len(whole) // 2], "text": b"not weights at all"}
        (saved / WEIGHTS).write_bytes(content[damage])
    with pytest.raises(ModelError, match="cannot be read") as caught:
        load_model(saved)
    assert caught.value.where == str(saved / WEIGHTS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["other shape", "missing tensor", "further tensor"])
def test_weights_of_another_network_are_refused(saved: Path, change: str) -> None:
    weights = _weights(saved)
    match change:
        case "other shape":
            weights["head.weight"] = torch.zeros(2, 4, 1, 1)
        case "missing tensor":
            del weights["head.bias"]
        case _:
            weights["extra"] = torch.zeros(1)
    save_file(weights, saved / WEIGHTS)
    with pytest.raises(ModelError, match=WEIGHTS):
        load_model(saved)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just text",
        "- a\n- list",
        "format_version: 1",
        "format_version: one",
        "format_version:",
        "a: [unclosed",
        "format_version: 1\n1: 2",
        "!!python/object/apply:os.getcwd []",
    ],
)
def test_damaged_card_is_refused(saved: Path, text: str) -> None:
    (saved / CARD).write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be understood") as caught:
        load_model(saved)
    assert caught.value.where == str(saved / CARD)


def test_card_that_is_no_text_is_refused(saved: Path) -> None:
    (saved / CARD).write_bytes(b"\xff\xfe\x00\x9f")
    with pytest.raises(ModelError, match=CARD):
        load_model(saved)


@pytest.mark.parametrize(
    "changed", [{"threshold": "high"}, {"surprise": 1}, {"plan": {}}, {"network": {"kind": "vnet"}}]
)
def test_card_with_an_impossible_entry_is_refused(saved: Path, changed: dict[str, Any]) -> None:
    _change_card(saved, **changed)
    with pytest.raises(ModelError, match="cannot be understood"):
        load_model(saved)


def test_card_that_describes_no_network_is_refused(saved: Path) -> None:
    plan = _card().plan.model_dump(mode="json")
    for impossible in ({"channels": []}, {"n_channels": -1}):
        _change_card(saved, plan=plan | impossible)
        with pytest.raises(ModelError, match=CARD):
            load_model(saved)


def test_newer_format_asks_for_a_newer_seglet(saved: Path) -> None:
    _change_card(saved, format_version=FORMAT_VERSION + 1, a_new_key=1)
    with pytest.raises(ModelError, match=f"model format {FORMAT_VERSION + 1}") as caught:
        load_model(saved)
    assert caught.value.where == str(saved)
    assert "newer seglet" in caught.value.remedy


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_interrupted_save_leaves_the_old_model_whole(
    saved: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def interrupt(weights: dict[str, torch.Tensor]) -> bytes:
        raise error

    monkeypatch.setattr(model_module, "save", interrupt)
    with pytest.raises(type(error)):
        save_model(_trained(seed=9), saved)
    _assert_same(load_model(saved), _trained())
    assert list(saved.parent.iterdir()) == [saved]


def test_save_interrupted_after_the_weights_leaves_the_old_model_whole(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(model_module.yaml, "safe_dump", interrupt)
    with pytest.raises(StorageError, match="full disk"):
        save_model(_trained(seed=9), saved)
    _assert_same(load_model(saved), _trained())
    assert list(saved.parent.iterdir()) == [saved]


def test_disk_that_fills_up_under_the_weights_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own error, as /dev/full gives it, must not be hidden by the writer of the weights."""
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("no /dev/full here")
    write_bytes = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda self, data: write_bytes(full, data))
    with pytest.raises(StorageError, match="full disk"):
        save_model(_trained(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_new_model_replaces_the_old_one(saved: Path) -> None:
    save_model(_trained(seed=9), saved)
    _assert_same(load_model(saved), _trained(seed=9))
    assert list(saved.parent.iterdir()) == [saved]


def test_members_start_from_different_weights() -> None:
    first, second = untrained(_card(members=2)).network.members  # type: ignore[misc]
    assert not torch.equal(first.head.weight, second.head.weight)


@pytest.mark.parametrize(
    "setting", [{"window": 0}, {"margin": -1}, {"window": 64, "margin": 32}, {"window": 48, "stride": 49}]
)
def test_impossible_window_is_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        PredictConfig(**setting)  # type: ignore[arg-type]
