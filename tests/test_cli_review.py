import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seglet.cli import app
from seglet.cli_review import _print
from seglet.data.synthetic import make_dataset
from seglet.model import Model, load_model, save_model
from seglet.postprocessing.settings import DecodingConfig
from seglet.reviewing import Review, Reviewed


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


def test_scores_of_objects_are_shown(run_folder: Path, tmp_path: Path) -> None:
    model = load_model(run_folder)
    objects = DecodingConfig(method="components", threshold=model.card.threshold)
    apart = Model(model.network, model.card.model_copy(update={"decoding": objects}))
    save_model(apart, tmp_path / "model")
    data = make_dataset(tmp_path / "data", layout="instances", n_images=4, shape=(64, 64))
    said = ["review", str(tmp_path / "model"), str(data), "-o", str(tmp_path / "review.csv")]
    result = CliRunner().invoke(app, said)
    assert result.exit_code == 0, result.output
    assert "predicted" in result.output
    assert "real scores of objects of 4 images" in " ".join(result.output.split())
    assert "Nothing was found" not in result.output


def test_blank_images_are_named_apart(capsys: pytest.CaptureFixture[str]) -> None:
    blank, found = (
        Reviewed(id=name, file=name, predicted_dice=figure, agreement=figure, entropy=figure)
        for name, figure in (("blank", float("nan")), ("found", 0.5))
    )
    _print(Review(images=(blank, found)), Path("review.csv"))
    told = capsys.readouterr().out
    assert "Nothing was found in 1 images: blank" in told
    assert "To annotate next: found" in told
