"""What all tests share: where the real images are, a small dataset and a model trained on it."""

import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: threads that wait for each other cost tiny
os.environ.setdefault("MKL_NUM_THREADS", "1")  # networks ten times their own time on a busy machine
os.environ["SEGLET_CACHE"] = tempfile.mkdtemp(prefix="seglet-cache-")  # engines are measured anew

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from seglet.data.synthetic import make_dataset

settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real annotated images, or a skip that says so."""
    folder = Path(os.environ.get("SEGLET_DATA", DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set SEGLET_DATA")
    return folder


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Settings of a run that takes a second; every one that a test relies on is said."""
    return (
        "plan.channels=[4,8]",
        "plan.patch_size=[32,32]",
        "plan.batch_size=2",
        "fit.steps=4",
        "fit.rounds=2",
        "fit.precision=fp32",
        "predict.precision=fp32",
        "fit.validation_windows=4",
        "split.test=last 1",
        "split.validation=first 1",
    )


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five small images of cells with 0/255 masks; must not be changed."""
    return make_dataset(tmp_path_factory.mktemp("cells") / "data", n_images=5, shape=(64, 64))


@pytest.fixture(scope="session")
def run_folder(cells: Path, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on `cells`; must not be changed."""
    from seglet import pipeline  # late: most tests need no torch

    return pipeline.train(cells, tmp_path_factory.mktemp("runs") / "run", settings=tiny).run.folder
