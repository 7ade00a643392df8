"""Whatever is wrong with the input: an exit code, a message with file, found, expected, remedy, and nothing
left behind that looks whole."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture
from typer.testing import CliRunner, Result

from seglet import pipeline
from seglet.cli import app
from seglet.core.errors import ConfigError
from seglet.core.events import Event
from seglet.data.synthetic import make_dataset

Spoil = Callable[[Path], object]


def seglet(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(*arguments: object, code: int = 1) -> dict[str, str]:
    """Run a command that must fail, as JSON; the parts of its message."""
    result = seglet(*arguments, "--json")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    error: dict[str, str] = json.loads(result.stdout)
    assert all(error[part] for part in ("error", "where", "found", "expected", "remedy"))
    assert error["remedy"] in result.stderr
    return error


@pytest.fixture
def data(cells: Path, tmp_path: Path) -> Path:
    """A copy that may be spoiled."""
    return Path(shutil.copytree(cells, tmp_path / "data"))


def settings(tiny: tuple[str, ...]) -> list[str]:
    return [part for setting in tiny for part in ("--set", setting)]


def cut(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def resize(path: Path) -> None:
    with Picture.open(path) as picture:
        smaller = picture.resize((50, 40))
    smaller.save(path)


BAD_DATASETS: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "truncated image": (lambda d: cut(d / "images/001.png"), ("images/001.png", "damaged or truncated")),
    "truncated mask": (lambda d: cut(d / "masks/001.png"), ("masks/001.png", "damaged or truncated")),
    "text named png": (lambda d: (d / "images/002.png").write_text("hello"), ("images/002.png", "b'hello'")),
    "empty file": (lambda d: (d / "images/002.png").write_bytes(b""), ("images/002.png", "an empty file")),
    "sizes differ": (lambda d: resize(d / "masks/003.png"), ("masks/003.png", "50x40", "64x64")),
    "several at once": (
        lambda d: [cut(d / "images/000.png"), cut(d / "masks/002.png"), resize(d / "masks/004.png")],
        ("images/000.png", "masks/002.png", "masks/004.png"),
    ),
    "a stack": (
        lambda d: [
            (d / "images/000.png").unlink(),
            tifffile.imwrite(d / "images/000.tif", np.zeros((5, 64, 64), np.uint8), photometric="minisblack"),
        ],
        ("images/000.tif", "64x64x5 voxels"),
    ),
    "undefined values": (
        lambda d: [
            (d / "images/000.png").unlink(),
            tifffile.imwrite(d / "images/000.tif", np.full((64, 64), np.nan, np.float32)),
        ],
        ("images/000.tif", "infinite or undefined"),
    ),
}


@pytest.mark.parametrize("what", BAD_DATASETS)
def test_a_bad_dataset_is_refused_with_every_bad_file_and_nothing_is_trained(
    data: Path, tmp_path: Path, tiny: tuple[str, ...], what: str
) -> None:
    spoil, said = BAD_DATASETS[what]
    spoil(data)
    out = tmp_path / "run"
    error = refused("train", data, "-o", out, *settings(tiny))
    assert all(part in " ".join(error.values()) for part in said), error
    assert list(out.iterdir()) == []
    assert seglet("check", data).exit_code == 1


def test_images_alone_can_be_looked_at_but_not_trained_on(data: Path, tmp_path: Path) -> None:
    shutil.rmtree(data / "masks")
    checked = seglet("check", data)
    assert "All 5 images have no mask" in checked.stdout
    assert refused("train", data, "-o", tmp_path / "run")["found"] == "images without masks"


@pytest.mark.parametrize("command", ["check", "plan", "train"])
@pytest.mark.parametrize("kind", ["missing", "empty", "no pictures", "a text file"])
def test_what_is_no_dataset_is_refused(tmp_path: Path, command: str, kind: str) -> None:
    place = tmp_path / "data"
    if kind == "a text file":
        place.write_text("hello")
    elif kind != "missing":
        place.mkdir()
    if kind == "no pictures":
        (place / "readme.txt").write_text("hello")
    error = refused(command, place, *(("-o", tmp_path / "run") if command == "train" else ()))
    assert str(place) in error["where"]


ODD_DATASETS: dict[str, tuple[Spoil, str]] = {
    "image without mask": (lambda d: (d / "masks/001.png").unlink(), "images have no mask"),
    "mask without image": (lambda d: (d / "images/001.png").unlink(), "masks belong to no image"),
    "mask without object": (
        lambda d: Picture.new("L", (64, 64)).save(d / "masks/001.png"),
        "masks show no object",
    ),
}


@pytest.mark.parametrize("what", ODD_DATASETS)
def test_an_odd_dataset_is_warned_of_and_trained_on(
    data: Path, tmp_path: Path, tiny: tuple[str, ...], what: str
) -> None:
    spoil, said = ODD_DATASETS[what]
    spoil(data)
    checked = seglet("check", data)
    assert checked.exit_code == 0
    assert said in checked.stdout
    assert "001.png" in checked.stdout
    trained = seglet("train", data, "-o", tmp_path / "run", *settings(tiny))
    assert trained.exit_code == 0, trained.output
    assert said in (tmp_path / "run/report.html").read_text(encoding="utf-8")


def test_masks_without_a_single_object_train_to_nothing_and_score_nothing(
    data: Path, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    for path in (data / "masks").iterdir():
        Picture.new("L", (64, 64)).save(path)
    result = seglet("train", data, "-o", tmp_path / "run", "--json", *settings(tiny))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["scores"]["n_images"] == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--set", "fit.learning_rat=1"), "Did you mean fit.learning_rate?"),
        (("--set", "plan.channles=[4]"), "Did you mean plan.channels?"),
        (("--set", "fit.learning_rate=-1"), "greater than 0"),
        (("--set", "fit.steps=lots"), "valid integer"),
        (("--set", "plan.patch_size=[33, 33]"), "can be halved"),
        (("--set", "split.test=[nobody]"), "unknown case 'nobody'"),
        (("--set", "split.test=1.5"), "between 0 and 1"),
        (("--set", "protocol=drvie"), "Did you mean 'drive'"),
        (("--set", "plan.batch_size=100000000"), "smaller plan.batch_size"),
        (("--recipe", "aut"), "Did you mean auto?"),
        (("--recipe", "nowhere.yaml"), "No such file"),
        (("--budget", "soon"), "Write 90s, 10m or 1h30m"),
        (("--budget", "0"), "greater than 0"),
    ],
)
def test_a_wrong_setting_is_misuse(
    cells: Path, tmp_path: Path, tiny: tuple[str, ...], wrong: tuple[str, ...], said: str
) -> None:
    before = settings(tiny) if "--recipe" not in wrong else []
    error = refused("train", cells, "-o", tmp_path / "run", *before, *wrong, code=2)
    assert error["error"] == "ConfigError"
    assert said in " ".join(error.values()), error
    assert not list((tmp_path / "run").glob("*"))


BAD_MODELS: dict[str, tuple[Spoil, str]] = {
    "no model": (lambda m: shutil.rmtree(m), "model.yaml"),
    "no weights": (lambda m: (m / "weights.safetensors").unlink(), "weights.safetensors"),
    "torn weights": (lambda m: cut(m / "weights.safetensors"), "weights.safetensors"),
    "text for weights": (lambda m: (m / "weights.safetensors").write_text("hello"), "weights.safetensors"),
    "no description": (lambda m: (m / "model.yaml").unlink(), "model.yaml"),
    "odd description": (lambda m: (m / "model.yaml").write_text("format_version: [1"), "model.yaml"),
    "newer": (lambda m: (m / "model.yaml").write_text("format_version: 99"), "Install a newer seglet"),
}


@pytest.mark.parametrize("what", BAD_MODELS)
def test_a_bad_model_is_refused(run_folder: Path, cells: Path, tmp_path: Path, what: str) -> None:
    spoil, said = BAD_MODELS[what]
    run = tmp_path / "run"
    shutil.copytree(run_folder / "model", run / "model")
    spoil(run / "model")
    error = refused("predict", run, cells, "-o", tmp_path / "masks")
    assert error["error"] == "ModelError"
    assert said in " ".join(error.values())
    assert not (tmp_path / "masks").exists()


def test_a_model_of_other_channels_says_what_it_wants(run_folder: Path, tmp_path: Path) -> None:
    image = np.zeros((2, 30, 30), np.uint8)
    tifffile.imwrite(tmp_path / "two.tif", image, metadata={"axes": "CYX"}, photometric="minisblack")
    error = refused("predict", run_folder, tmp_path / "two.tif", "-o", tmp_path / "masks")
    assert f"{tmp_path / 'two.tif'}: image: found 2 channels; expected 1 (gray)" in error["found"]
    assert not (tmp_path / "masks").exists()


def test_two_images_of_one_name_are_refused_before_anything_is_written(
    run_folder: Path, cells: Path, tmp_path: Path
) -> None:
    shutil.copytree(cells / "images", tmp_path / "other")
    error = refused("predict", run_folder, cells / "images", tmp_path / "other", "-o", tmp_path / "masks")
    assert "000.png" in error["where"]
    assert "the same name" in error["found"]
    assert not (tmp_path / "masks").exists()


def test_images_are_not_overwritten_by_their_masks(run_folder: Path, data: Path) -> None:
    before = {path: path.read_bytes() for path in (data / "images").iterdir()}
    error = refused("predict", run_folder, data / "images", "-o", data / "images")
    assert "the folder of the images themselves" in error["found"]
    assert {path: path.read_bytes() for path in (data / "images").iterdir()} == before


@pytest.mark.parametrize("place", ["a file", "below a file", "no file system for files"])
@pytest.mark.parametrize("command", ["train", "predict", "plan", "evaluate"])
def test_a_place_that_cannot_be_written_is_said_so(
    run_folder: Path, cells: Path, tmp_path: Path, tiny: tuple[str, ...], command: str, place: str
) -> None:
    (tmp_path / "file").write_text("precious")
    places = {"a file": "file", "below a file": "file/below", "no file system for files": "/proc/seglet"}
    out = tmp_path / places[place]
    if command == "plan":
        out = out / "my.yaml"
    arguments = {
        "train": ("train", cells, "-o", out, *settings(tiny)),
        "predict": ("predict", run_folder, cells, "-o", out),
        "plan": ("plan", cells, "-o", out, *settings(tiny)),
        "evaluate": ("evaluate", cells / "masks", cells, "-o", out),
    }
    error = refused(*arguments[command])
    assert error["error"] in ("StorageError", "TrainingError")
    assert str(out) in error["where"]
    assert (tmp_path / "file").read_text() == "precious"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 kB: room for a recipe and a few masks, but not for a checkpoint."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_while_training_leaves_nothing_that_looks_whole(
    small_disk: Path, cells: Path, tiny: tuple[str, ...]
) -> None:
    out = small_disk / "run"
    error = refused("train", cells, "-o", out, *settings(tiny))
    assert (error["error"], error["found"]) == ("StorageError", "a full disk")
    left = {path.name for path in out.rglob("*") if path.is_file()}
    assert left <= {"recipe.yaml", "split.yaml", "history.csv"}
    assert all(path.stat().st_size for path in out.rglob("*") if path.is_file())


def test_a_disk_that_fills_up_while_predicting_leaves_only_whole_masks(
    small_disk: Path, run_folder: Path, cells: Path
) -> None:
    free = shutil.disk_usage(small_disk).free
    (small_disk / "ballast").write_bytes(b"\0" * (free - 9000))
    error = refused("predict", run_folder, cells, "-o", small_disk / "masks", "--probabilities")
    assert (error["error"], error["found"]) == ("StorageError", "a full disk")
    for path in (small_disk / "masks").iterdir():
        mask = tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Picture.open(path))
        assert mask.squeeze().shape == (64, 64)


@pytest.mark.parametrize("content", ["a run", "files"])
def test_a_run_is_never_written_over(cells: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / ("recipe.yaml" if content == "a run" else "thesis.txt")).write_text("precious")
    error = refused("train", cells, "-o", tmp_path)
    assert error["found"] == f"{content} already"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_nothing_cannot_be_resumed(cells: Path, tmp_path: Path) -> None:
    error = refused("train", cells, "-o", tmp_path / "run", "--resume")
    assert "no run to resume" in error["found"]
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_on_other_data(run_folder: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    other = make_dataset(tmp_path / "other", n_images=2, shape=(64, 64))
    error = refused("train", other, "-o", run, "--resume", code=2)
    assert "unknown case" in error["found"]


def test_masks_that_match_no_image_are_listed(cells: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for path in (cells / "masks").iterdir():
        shutil.copy(path, masks / f"mask-{path.name}")
    error = refused("evaluate", masks, cells)
    assert "mask-000.png" in error["found"]
    assert "000" in error["expected"]


def test_masks_of_another_size_are_named(data: Path, cells: Path) -> None:
    resize(data / "masks/002.png")
    error = refused("evaluate", data / "masks", cells)
    assert error["where"] == str(data / "masks/002.png")
    assert error["found"] == "50x40 pixels"


def test_an_unknown_protocol_is_misuse(cells: Path) -> None:
    error = refused("evaluate", cells / "masks", cells, "--protocol", "drvie", code=2)
    assert "Did you mean 'drive'" in error["remedy"]
    told: list[Event] = []
    with pytest.raises(ConfigError):
        pipeline.evaluate(cells / "masks", cells, "drvie", tell=told.append)
    assert not told, "nothing is read first"


def test_a_report_needs_its_data(run_folder: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    facts = (run / "run.yaml").read_text().splitlines()
    (run / "run.yaml").write_text("\n".join(["data: /moved/away", *facts[1:]]))
    assert refused("report", run)["where"] == "/moved/away"
    (run / "predictions/004.png").unlink()
    (run / "run.yaml").write_text("\n".join(facts))
    assert "004.png" in refused("report", run)["where"]
