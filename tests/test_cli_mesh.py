import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from seglet.cli import app
from seglet.core.image import Image
from seglet.io.files import write_image, write_mask


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["mesh", *map(str, arguments)])


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """A volume with a box of 10 x 10 x 10 mm."""
    pixels = np.zeros((1, 12, 20, 20), np.uint8)
    pixels[0, 3:8, 5:15, 5:15] = 1
    write_image(tmp_path / "masks" / "box.nii.gz", Image(pixels, (2.0, 1.0, 1.0), "mm"))
    return tmp_path / "masks"


def test_a_table_says_volume_surface_and_files(mask: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(mask, "-o", out, "--format", "stl,glb", "--smooth", 0)
    assert result.exit_code == 0, result.output
    words = result.stdout.split()
    assert {"box", "foreground", "ml", "cm2", "box_foreground.stl,", "box.glb"} <= set(words)
    assert f"Page: {out / 'index.html'}" in result.stdout
    assert (out / "box.glb").is_file()


def test_json_holds_every_figure(mask: Path, tmp_path: Path) -> None:
    result = run(mask, "-o", tmp_path / "out", "--spacing", "4mm,2mm,2mm", "--json")
    document = json.loads(result.stdout)
    (row,) = document["meshes"]
    assert row["voxel_volume"] == pytest.approx(8.0)
    assert row["volume"] == pytest.approx(8.0, rel=0.02)
    assert row["files"] == ["box_foreground.stl"]
    assert Path(document["page"]).is_file()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--format", "vtk"),
        ("--classes", "kidney"),
        ("--spacing", "thick"),
        ("--reduce", 1),
        ("--smooth", -1),
    ],
)
def test_misuse_exits_with_two_and_writes_nothing(
    mask: Path, tmp_path: Path, wrong: tuple[object, ...]
) -> None:
    result = run(mask, "-o", tmp_path / "out", *wrong)
    assert result.exit_code == 2, result.output
    assert "Error" in result.stderr
    assert not (tmp_path / "out").exists()


def test_flat_masks_that_are_no_stack_exit_with_one(tmp_path: Path) -> None:
    write_mask(tmp_path / "masks" / "nucleus.png", np.eye(9, dtype=np.uint8))
    result = run(tmp_path / "masks", "-o", tmp_path / "out", "--spacing", "1mm")
    assert result.exit_code == 1
    assert "one flat mask, nucleus" in result.stderr
