"""Worked cases of the ISBI 2012 scores with the values of the challenge's own implementation."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

DATA = Path(os.environ.get("SEGLET_DATA", Path(__file__).parents[2] / "shared" / "data"))
FOLDERS = sorted(path.parent for path in (DATA.parent / "oracles" / "isbi2012").glob("*/expected.json"))

each_case = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@dataclass(frozen=True)
class WorkedCase:
    """One case; all arrays are (z, y, x): interior of the truth, probability, and both results at 0.5."""

    truth: np.ndarray
    proposal: np.ndarray
    warped: np.ndarray
    basins: np.ndarray
    expected: dict[str, float]
    detail: dict[str, Any]
    is_degenerate: bool


def read_case(folder: Path) -> WorkedCase:
    """Read the images of a case and what is expected of them."""
    case = json.loads((folder / "expected.json").read_text())
    shape, files = case["shape_slices_h_w"], case["files"]
    keys = ("label", "proposal", "warped_label_t05", "thinned_t05")
    truth, proposal, warped, basins = (_read(folder / files[key]).reshape(shape) for key in keys)
    if proposal.dtype == np.uint8:
        proposal = (proposal * (1 / 255)).astype(np.float32)
    return WorkedCase(
        truth=truth > 0,
        proposal=proposal,
        warped=warped > 0,
        basins=basins,
        expected=case["expected"],
        detail=case["detail"],
        is_degenerate=case["degenerate"] is not None,
    )


def _read(path: Path) -> np.ndarray:
    if path.suffix == ".tif":
        return tifffile.imread(path)
    with Picture.open(path) as picture:
        return np.asarray(picture)
