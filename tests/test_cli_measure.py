import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seglet.cli import app


def measure(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["measure", *map(str, arguments)])


def test_tables_are_written_and_figures_printed(cells: Path, tmp_path: Path) -> None:
    result = measure(cells, "-o", tmp_path, "--spacing", "0.65um", "--geojson")
    assert result.exit_code == 0, result.output
    assert "median" in result.stdout
    assert f"Written: {tmp_path / 'objects.csv'}" in result.stdout
    assert "objects in all" in result.stdout
    assert len(list((tmp_path / "geojson").iterdir())) == 5


def test_images_are_a_second_argument(cells: Path, tmp_path: Path) -> None:
    result = measure(cells / "masks", cells / "images", "-o", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["what"] == "objects"
    assert document["n_rows"] == sum(row["n_objects"] for row in document["images"])
    assert "intensity_mean" in (tmp_path / "objects.csv").read_text().splitlines()[0]


@pytest.mark.parametrize("wrong", [("--what", "cells"), ("--spacing", "0.65")])
def test_misuse_exits_with_two(cells: Path, tmp_path: Path, wrong: tuple[str, ...]) -> None:
    result = measure(cells, "-o", tmp_path / "out", *wrong)
    assert result.exit_code == 2
    assert f"Error {wrong[0]}" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_wrong_path_exits_with_one(tmp_path: Path) -> None:
    result = measure(tmp_path / "nothing", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "found nothing" in result.stderr
