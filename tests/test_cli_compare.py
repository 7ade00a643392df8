import json
from pathlib import Path

from typer.testing import CliRunner, Result

from seglet.cli import app
from seglet.metrics.scores import read_scores, write_scores


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def test_a_run_and_itself(run_folder: Path, tmp_path: Path) -> None:
    result = compare(run_folder, run_folder / "scores.json", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "dice (higher is better)" in result.stdout
    assert "p = 1" in result.stdout
    assert "are equal on 1 image." in result.stdout
    assert f"Page: {tmp_path / 'out' / 'compare.html'}" in result.stdout
    assert "<svg" in (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")


def test_json_is_one_document(run_folder: Path, tmp_path: Path) -> None:
    found = json.loads(compare(run_folder, run_folder, "--metric", "iou", "--json").stdout)
    assert found["metric"] == "iou"
    assert [pair["id"] for pair in found["pairs"]] == ["004"]
    assert found["paired"]["difference"]["low"] is None  # of a single image
    assert found["verdict"].endswith("equal on 1 image.")


def test_images_that_only_one_has_are_named(run_folder: Path, tmp_path: Path) -> None:
    scores = read_scores(run_folder / "scores.json")
    more = (*scores.images, scores.images[0].model_copy(update={"id": "005"}))
    write_scores(scores.model_copy(update={"images": more}), tmp_path / "more")
    result = compare(tmp_path / "more", run_folder)
    assert "Left out, scored by more but not by" in result.stdout
    assert "005" in result.stdout


def test_misuse_exits_with_two_and_failure_with_one(run_folder: Path, tmp_path: Path) -> None:
    unknown = compare(run_folder, run_folder, "--metric", "dise")
    assert unknown.exit_code == 2
    assert "Did you mean dice" in unknown.stderr
    assert compare(run_folder, tmp_path / "nowhere").exit_code == 1
