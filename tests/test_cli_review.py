import json
from pathlib import Path

from typer.testing import CliRunner

from seglet.cli import app


def test_review_ranks_and_writes(run_folder: Path, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "review.csv"
    result = CliRunner().invoke(app, ["review", str(run_folder), str(cells), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "To look at first" in result.output
    assert "1 images that were not trained on" in result.output
    assert out.read_text().count("\n") == 6


def test_review_speaks_json(run_folder: Path, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "review.csv"
    result = CliRunner().invoke(
        app, ["review", str(run_folder), str(cells / "images"), "-o", str(out), "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert len(found["images"]) == 5
    assert found["correlation"] is None


def test_a_broken_image_loses_no_other(run_folder: Path, cells: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    out, good = tmp_path / "review.csv", sorted((cells / "images").iterdir())[0]
    said = ["review", str(run_folder), str(tmp_path / "broken.png"), str(good), "-o", str(out)]
    result = CliRunner().invoke(app, said)
    assert result.exit_code == 1
    assert "broken.png" in result.output
    assert out.read_text().count("\n") == 2
