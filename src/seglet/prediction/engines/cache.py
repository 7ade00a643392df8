"""What is kept of engines from one command to the next, for each model and machine."""

import hashlib
import json
import os
import platform
import shutil
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from platformdirs import user_cache_path
from pydantic import ValidationError

from seglet.core.errors import StorageError
from seglet.core.storage import write_text
from seglet.model import Model
from seglet.prediction.engines.trial import Trial

FOLDER = "SEGLET_CACHE"  # environment variable; the user's own cache folder where it is not set
TRIALS = "trials.json"
LIBRARIES = ("torch", "openvino", "onnxruntime")
MOST_MODELS = 16  # kept; a graph is as large as the weights


def folder_of(model: Model) -> Path:
    """Where graphs and trials of a model stand; models of the same network and weights share it."""
    own = os.environ.get(FOLDER)
    return (Path(own) if own else user_cache_path("seglet")) / "engines" / _digest(model)


def read_trials(model: Model) -> tuple[Trial, ...]:
    """The trials that were made of a model on this machine; none where nothing can be read."""
    try:
        found = json.loads((folder_of(model) / TRIALS).read_text(encoding="utf-8"))
        return tuple(Trial(**trial) for trial in found[_machine()])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return ()


def write_trials(model: Model, trials: tuple[Trial, ...]) -> None:
    """Keep trials; where the folder cannot be written, they are made again next time."""
    path = folder_of(model) / TRIALS
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known[_machine()] = [trial.model_dump() for trial in trials]
    with suppress(StorageError):
        write_text(path, json.dumps(known, indent=1) + "\n")
    _forget_oldest(path.parent.parent)


def _digest(model: Model) -> str:
    """Of what a network computes: its blocks, as this version makes them, its sizes, its weights."""
    plan = model.card.plan
    sizes = (plan.n_channels, plan.n_classes, plan.channels, plan.strides, plan.kernels, model.card.members)
    described = (_version("seglet"), model.card.network, model.card.targets, sizes)
    digest = hashlib.blake2b(repr(described).encode(), digest_size=16)
    for name, tensor in model.network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _machine() -> str:
    """Processor, threads and the versions of what computes."""
    libraries = (f"{name} {_version(name)}" for name in LIBRARIES)
    return ", ".join((_processor(), f"{torch.get_num_threads()} threads", *libraries))


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def _forget_oldest(folder: Path) -> None:
    with suppress(OSError):
        models = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in models[:-MOST_MODELS]:
            shutil.rmtree(old, ignore_errors=True)
