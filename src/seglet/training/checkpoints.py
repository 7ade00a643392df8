"""Checkpoints on disk: written whole or not at all, read without running any code from them."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from seglet.core.errors import TrainingError
from seglet.core.storage import whole_file

CHECKPOINTS = "checkpoints"
LAST, BEST = "last", "best"


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it.

    Lightning's own way goes through the folder for temporary files, which may be on another disk: a run
    killed while its checkpoint is copied over could not be resumed.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint."""
        content = io.BytesIO()  # torch.save itself does not tell of a full disk in the usual way
        torch.save(checkpoint, content)
        with whole_file(Path(path)) as aside:
            aside.write_bytes(content.getbuffer())


class Keeper(ModelCheckpoint):
    """Keeps a checkpoint, and goes on where it was also in a run folder that was moved.

    Lightning's own forgets there which round was the best: the next one would take its place.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was saved."""
        super().load_state_dict(state_dict | {"dirpath": self.dirpath})


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises
    ------
    TrainingError
        If it cannot be read.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for damaged files
        raise TrainingError(
            path,
            found="a checkpoint that cannot be read",
            expected="the file as training wrote it",
            remedy="Delete the folder checkpoints and add --resume to start from the first step.",
        ) from error
    return content
