import errno
from pathlib import Path

import pytest
import torch

from seglet.core.errors import StorageError, TrainingError
from seglet.training.checkpoints import BEST, Keeper, WholeFiles, read_checkpoint

CONTENT = {"state_dict": {"w": torch.arange(3.0)}, "global_step": 7}


class Spy:
    """A pickle that tells when it is opened."""

    opened = False

    def __reduce__(self) -> tuple[object, ...]:
        return _open, ()


def _open() -> None:
    Spy.opened = True


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "last.ckpt"
    WholeFiles().save_checkpoint(CONTENT, path)
    found = read_checkpoint(path)
    assert torch.equal(found["state_dict"]["w"], torch.arange(3.0))
    assert found["global_step"] == 7
    assert [p.name for p in path.parent.iterdir()] == ["last.ckpt"]


def test_a_full_disk_leaves_the_checkpoint_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint(CONTENT, path)
    before = path.read_bytes()

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="full disk"):
        WholeFiles().save_checkpoint({"global_step": 8}, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing"])
def test_a_damaged_checkpoint_is_named_with_a_way_out(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint(CONTENT, path)
    whole = path.read_bytes()
    path.write_bytes({"truncated": whole[: len(whole) // 2], "text": b"no checkpoint"}.get(damage, b""))
    if damage == "missing":
        path.unlink()
    with pytest.raises(TrainingError, match=r"last\.ckpt.*--resume"):
        read_checkpoint(path)


def test_reading_runs_no_code_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": Spy()}, path)
    with pytest.raises(TrainingError):
        read_checkpoint(path)
    assert not Spy.opened


def test_the_best_round_is_known_in_a_run_folder_that_was_moved(tmp_path: Path) -> None:
    before, after = (Keeper(tmp_path / name, filename=BEST, monitor="val_loss") for name in ("a", "b"))
    before.best_k_models = {str(tmp_path / "a/best.ckpt"): torch.tensor(0.25)}
    before.best_model_score = torch.tensor(0.25)
    after.load_state_dict(before.state_dict())
    assert after.best_k_models == before.best_k_models
    assert after.best_model_score == 0.25
