import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

from seglet import __version__, pipeline
from seglet.cli import app, print_json
from seglet.core.profile import MEANWHILE
from seglet.recipe import Recipe, read_recipe, recipe_names, recipe_text

COMMANDS = ("check", "plan", "train", "tune", "predict", "evaluate", "report", "recipes", "recipe", "demo")


def seglet(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def settings(tiny: tuple[str, ...]) -> list[str]:
    return [part for setting in tiny for part in ("--set", setting)]


def document(result: Result) -> Any:
    """The one JSON document on standard output; nan and infinity are no JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(result.stdout, parse_constant=refuse)


def test_help_lists_every_command_and_loads_no_torch() -> None:
    program = (
        "import sys, runpy\n"
        "sys.argv = ['seglet', '--help']\n"
        "try: runpy.run_module('seglet', run_name='__main__')\n"
        "except SystemExit as exit: assert not exit.code\n"
        "assert not {'torch', 'lightning', 'skimage', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f" {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    for flag in ("-h", "--help"):
        result = seglet(command, flag)
        assert result.exit_code == 0
        assert "Usage" in result.stdout


def test_version() -> None:
    assert seglet("--version").stdout == f"seglet {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [("trian",), ("train", "data"), ("train", "data", "-o", "run", "--epochs", "3"), ("predict",)],
)
def test_misuse_exits_with_two(arguments: tuple[str, ...]) -> None:
    result = seglet(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_check_names_findings_and_counts(cells: Path) -> None:
    result = seglet("check", cells)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "5 images, 5 with masks; 0 errors."
    assert "note" in result.stdout
    assert "checking  5 of 5" in result.stderr


def test_check_of_a_bad_dataset_exits_with_one_and_names_its_files(tmp_path: Path, cells: Path) -> None:
    for role in ("images", "masks"):
        (tmp_path / role).mkdir()
        for number in range(3):
            name = f"{role}/{number:03}.png"
            (tmp_path / name).write_bytes((cells / name).read_bytes())
    (tmp_path / "masks/001.png").write_text("no picture")
    plain, as_json = seglet("check", tmp_path), seglet("check", tmp_path, "--json")
    assert (plain.exit_code, as_json.exit_code) == (1, 1)
    assert "ERROR" in plain.stdout
    assert "masks/001.png" in plain.stdout
    assert "→" in plain.stdout
    (error,) = [f for f in document(as_json)["findings"] if f["severity"] == "error"]
    assert error["files"] == [str(tmp_path / "masks/001.png")]
    assert error["remedy"]


def test_plan_writes_a_recipe_that_can_be_read(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "my.yaml"
    result = seglet("plan", cells, "-o", out, *settings(tiny))
    assert result.exit_code == 0
    assert "unet of 2 levels (4-8)" in result.stdout
    assert str(out) in result.stdout
    assert read_recipe(out).plan.channels == (4, 8)
    found = document(seglet("plan", cells, "--recipe", out, "--json"))
    assert found["recipe"] == yaml.safe_load(out.read_text())
    assert found["out"] is None
    assert "network" in found["facts"]


@pytest.fixture(scope="module")
def trained(
    cells: Path, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Result]:
    run = tmp_path_factory.mktemp("cli") / "run"
    return run, seglet("train", cells, "-o", run, *settings(tiny))


def test_train_says_scores_and_places_and_keeps_progress_apart(trained: tuple[Path, Result]) -> None:
    run, result = trained
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-3:] == [
        f"Model:  {run / 'model'}",
        f"Masks:  {run / 'predictions'}",
        f"Report: {run / 'report.html'}",
    ]
    assert "Mean Dice" in result.stdout
    assert "interval" not in result.stdout, "one image has none"
    assert "training" not in result.stdout
    assert "step 4:" in result.stderr
    assert "\x1b" not in result.output, "no colors where there is no terminal"


def test_train_as_json(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    result = seglet("train", cells, "-o", tmp_path / "run", "--json", "--budget", "1m", *settings(tiny))
    found = document(result)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert Path(found["model"]).is_dir()
    assert Path(found["report"]).is_file()
    assert 0 <= found["headline"]["mean_dice"] <= 1
    assert found["scores"]["n_images"] == 1


def test_a_second_training_into_the_same_folder_is_refused(trained: tuple[Path, Result], cells: Path) -> None:
    result = seglet("train", cells, "-o", trained[0])
    assert result.exit_code == 1
    assert "--resume" in result.stderr
    assert result.stdout == ""


def test_resuming_a_finished_run_says_the_same_again(trained: tuple[Path, Result], cells: Path) -> None:
    result = seglet("train", cells, "-o", trained[0], "--resume")
    assert result.exit_code == 0
    assert result.stdout == trained[1].stdout


def test_a_resumed_run_takes_no_other_recipe(trained: tuple[Path, Result], cells: Path) -> None:
    result = seglet("train", cells, "-o", trained[0], "--resume", "--recipe", "other", "--json")
    assert result.exit_code == 2
    assert document(result)["error"] == "ConfigError"


def test_predict_evaluate_and_report(trained: tuple[Path, Result], cells: Path, tmp_path: Path) -> None:
    run, _ = trained
    masks = tmp_path / "masks"
    assert seglet("predict", run, cells, "-o", masks).stdout == f"5 masks in {masks}\n"
    found = document(seglet("predict", run, cells / "images/000.png", "-o", tmp_path / "one", "--json"))
    assert found == {"masks": [str(tmp_path / "one/000.png")]}
    result = seglet("evaluate", masks, cells, "-o", tmp_path / "scores")
    assert result.exit_code == 0
    assert "5 images, protocol pixels" in result.stdout
    assert "95 % interval" in result.stdout
    beside = seglet("evaluate", masks, cells, "--protocol", "drive").stdout
    assert "These masks" in beside and "This model" not in beside
    wrong = seglet("evaluate", masks, cells, "--set", "masks.classes={background: 0, cell: 254}")
    assert wrong.exit_code == 1
    assert "255" in wrong.stderr
    assert {p.name for p in (tmp_path / "scores").iterdir()} == {"scores.json", "scores.csv"}
    as_json = document(seglet("evaluate", masks, cells, "--json", "--protocol", "drive"))
    assert as_json["scores"]["protocol"] == "drive"
    assert as_json["headline"]["pooled_roc_auc"] is None
    assert seglet("report", run).stdout == f"Report: {run / 'report.html'}\n"
    assert document(seglet("report", run, "--json")) == {"report": str(run / "report.html")}


def test_probabilities_are_written_on_demand(
    trained: tuple[Path, Result], cells: Path, tmp_path: Path
) -> None:
    seglet("predict", trained[0], cells / "images/000.png", "-o", tmp_path, "--probabilities")
    assert {p.name for p in tmp_path.iterdir()} == {"000.png", "000_probabilities.tif"}


def test_mirrored_versions_are_averaged_unless_it_is_said(
    trained: tuple[Path, Result], cells: Path, tmp_path: Path
) -> None:
    """Then the prediction of a mirror image is the mirror image of the prediction, whatever was learned."""
    image = Image.open(cells / "images/000.png")
    image.save(tmp_path / "as_is.png")
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    differ = {}
    for said in ("--flips", "--no-flips"):
        out = tmp_path / said.strip("-")
        files = [tmp_path / f"{name}.png" for name in ("as_is", "mirrored")]
        result = seglet(
            "predict", trained[0], *files, "-o", out, said, "--probabilities", "--engine", "torch"
        )
        assert result.exit_code == 0, result.stderr
        as_is, mirrored = (tifffile.imread(out / f"{file.stem}_probabilities.tif") for file in files)
        differ[said] = np.abs(as_is.astype(float) - mirrored[..., ::-1]).max()
    assert differ["--flips"] < 1e-3 < differ["--no-flips"]


def test_engines_write_the_same_masks_and_a_profile_says_where_time_went(
    trained: tuple[Path, Result], cells: Path, tmp_path: Path
) -> None:
    image, written = cells / "images/000.png", []
    for engine in ("torch", "openvino", "onnx"):
        out = tmp_path / engine
        result = seglet("predict", trained[0], image, "-o", out, "--engine", engine, "--precision", "fp32")
        assert result.exit_code == 0, result.stderr
        written.append(np.asarray(Image.open(out / "000.png")))
    assert (written[0] == written[1]).mean() > 0.999
    assert (written[0] == written[2]).mean() > 0.999
    result = seglet("predict", trained[0], image, "-o", tmp_path / "again", "--engine", "tensorrt")
    assert result.exit_code == 2
    assert "torch, openvino, onnx" in " ".join(result.stderr.split())
    told = seglet("predict", trained[0], image, "-o", tmp_path / "again", "--profile").stdout
    assert all(part in told for part in ("network", "read", "preprocess", "blend", "write", "other"))
    spent = document(seglet("predict", trained[0], image, "-o", tmp_path / "again", "--profile", "--json"))[
        "profile"
    ]
    assert sum(one["share"] for one in spent if not one["part"].endswith(MEANWHILE)) == pytest.approx(1)


def test_recipes_are_listed_and_printed() -> None:
    listed = seglet("recipes").stdout
    assert all(name in listed for name in recipe_names())
    assert document(seglet("recipes", "--json")) == recipe_names()
    assert seglet("recipe", "auto").stdout == recipe_text("auto")
    assert Recipe(**document(seglet("recipe", "nuclei", "--json"))) == read_recipe("nuclei")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("check", "nowhere"), 1, "DatasetError"),
        (("check", "nowhere", "--recipe", "aut"), 2, "ConfigError"),
        (("plan", "nowhere"), 1, "DatasetError"),
        (("train", "nowhere", "-o", "run"), 1, "DatasetError"),
        (("train", "nowhere", "-o", "run", "--set", "fit.learning_rat=1"), 2, "ConfigError"),
        (("train", "nowhere", "-o", "run", "--budget", "soon"), 2, "ConfigError"),
        (("train", "nowhere", "-o", "run", "--resume"), 1, "TrainingError"),
        (("predict", "nowhere", "image.png", "-o", "masks"), 1, "ModelError"),
        (("evaluate", "nowhere", "truth"), 1, "DatasetError"),
        (("report", "nowhere"), 1, "ModelError"),
    ],
)
def test_errors_are_told_to_people_and_to_programs(
    arguments: tuple[str, ...],
    code: int,
    error: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    plain, as_json = seglet(*arguments), seglet(*arguments, "--json")
    assert (plain.exit_code, as_json.exit_code) == (code, code)
    assert plain.stdout == ""
    assert plain.stderr.startswith("Error ")
    found = document(as_json)
    assert found["error"] == error
    for part in ("where", "found", "expected", "remedy"):
        assert found[part]
        assert found[part] in plain.stderr
    assert "Traceback" not in plain.output + as_json.output


def test_an_unknown_recipe_to_print(tmp_path: Path) -> None:
    result = seglet("recipe", "aut")
    assert result.exit_code == 2
    assert "Did you mean auto?" in result.stderr


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_ctrl_c_exits_with_one(flags: tuple[str, ...], cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "check", interrupted)
    result = seglet("check", cells, *flags)
    assert result.exit_code == 1
    assert "Interrupted" in result.stderr
    if flags:
        assert document(result) == {"error": "Interrupted"}


def test_the_demo_makes_data_trains_predicts_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    train = pipeline.train

    def quickly(data: Path, out: Path, budget: str, tell: Any) -> Any:
        seen["budget"] = budget
        settings = ["plan.channels=[2,4]", "plan.patch_size=[32,32]", "plan.batch_size=1", "fit.steps=1"]
        return train(data, out, settings=[*settings, "fit.precision=fp32"], tell=tell)

    monkeypatch.setattr(pipeline, "train", quickly)
    result = seglet("demo", "-o", tmp_path, "--budget", "30s")
    assert result.exit_code == 0, result.output
    assert seen["budget"] == "30s"
    assert len(list((tmp_path / "data/images").iterdir())) == len(list((tmp_path / "masks").iterdir())) == 20
    assert f"Report: {(tmp_path / 'run/report.html').resolve()}" in result.stdout
    again = seglet("demo", "-o", tmp_path)
    assert again.exit_code == 1
    assert "a demo already" in again.stderr
    assert "Choose another -o." in again.stderr
    assert "--resume" not in again.stderr


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), 1.5], "b": {"c": (float("nan"), "é")}, "d": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "b": {"c": [None, "é"]}, "d": None}
