"""What all tests share: where the real images are."""

import os
from pathlib import Path

import pytest

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real annotated images, or a skip that says so."""
    folder = Path(os.environ.get("SEGLET_DATA", DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set SEGLET_DATA")
    return folder
