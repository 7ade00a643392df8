import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image as Picture

import seglet
from seglet import pipeline, reading, running
from seglet.core.errors import ConfigError, DatasetError, ModelError, TrainingError
from seglet.core.events import Event
from seglet.core.image import Sample
from seglet.data.synthetic import make_dataset
from seglet.metrics.scores import headline, read_scores
from seglet.model import load_model
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.transform import Prepared, preprocess
from seglet.recipe import read_recipe
from seglet.run import Run, read_facts


def masks_in(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: np.asarray(Picture.open(path)) for path in sorted(folder.iterdir())}


def test_the_package_offers_the_use_cases() -> None:
    for name in ("check", "evaluate", "load", "plan", "predict", "train"):
        assert getattr(seglet, name) is getattr(pipeline, name)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        seglet.trian  # noqa: B018


def test_check_says_what_the_data_are(cells: Path) -> None:
    found = pipeline.check(cells)
    assert len(found.dataset.cases) == 5
    assert not [f for f in found.findings if f.severity == "error"]


def test_check_reads_masks_as_the_recipe_says(cells: Path) -> None:
    found = pipeline.check(cells, settings=["masks.classes={background: 0, cell: 255}"])
    assert found.labels is not None
    assert found.labels.names == ("background", "cell")


def test_plan_decides_and_writes_nothing(cells: Path, tiny: tuple[str, ...]) -> None:
    before = sorted(cells.rglob("*"))
    planned = pipeline.plan(cells, settings=tiny)
    assert planned.plan.channels == (4, 8)
    assert sorted(cells.rglob("*")) == before


def test_a_run_leaves_everything_in_its_folder(run_folder: Path, cells: Path) -> None:
    run = Run(run_folder)
    assert {p.name for p in run_folder.iterdir()} == {
        *("recipe.yaml", "split.yaml", "run.yaml", "history.csv", "checkpoints", "model", "predictions"),
        *("scores.json", "scores.csv", "report.html"),
    }
    assert {p.name for p in run.model.iterdir()} == {"model.yaml", "weights.safetensors"}
    assert yaml.safe_load(run.split.read_text()) == {
        "train": ["001", "002", "003"],
        "validation": ["000"],
        "test": ["004"],
    }
    facts = read_facts(run)
    assert (Path(facts["data"]), facts["scored_on"], facts["steps"]) == (cells.resolve(), "test", 4)
    assert [p.name for p in run.predictions.iterdir()] == ["004.png"]
    assert "<html" in run.report.read_text(encoding="utf-8")


def test_the_model_carries_the_headline_of_its_scores(run_folder: Path) -> None:
    scores = read_scores(Run(run_folder).scores)
    card = load_model(run_folder).card
    assert card.scores["mean_dice"] == pytest.approx(scores.mean_dice.mean)
    assert card.scores["pooled_roc_auc"] == pytest.approx(scores.pooled["foreground"]["roc_auc"])
    assert card.threshold == scores.threshold


def test_the_resolved_recipe_trains_the_very_same_model(
    run_folder: Path, cells: Path, tmp_path: Path
) -> None:
    again = pipeline.train(cells, tmp_path / "again", Run(run_folder).recipe)
    first = load_model(run_folder).network.state_dict()
    for name, value in again.model.network.state_dict().items():
        assert np.array_equal(first[name].numpy(), value.numpy()), name
    assert again.scores.mean_dice.mean == read_scores(Run(run_folder).scores).mean_dice.mean


def test_a_budget_may_be_given_beside_the_recipe(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    settings = [*tiny, "fit.steps=null", "split.test=none", "split.validation=none"]
    trained = pipeline.train(cells, tmp_path / "run", settings=settings, budget="2s")
    assert read_recipe(trained.run.recipe).fit.budget_s == 2
    assert trained.scored_on == "train"
    assert read_facts(trained.run)["steps"] >= 1


def test_preparing_images_counts_against_the_budget(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(sample: Sample, plan: Plan) -> tuple[Prepared, ...]:
        time.sleep(0.1)
        return preprocess(sample, plan)

    def fit(*args: Any, **kwargs: object) -> None:
        assert args[3].fit.budget_s + time.monotonic() - began < 60.1
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "preprocess", slow)
    monkeypatch.setattr(running, "fit", fit)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(cells, tmp_path / "run", settings=[*tiny, "fit.steps=null"], budget=60)


def test_unsound_data_leave_no_run_behind(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", n_images=3, shape=(48, 48))
    good = (data / "images/001.png").read_bytes()
    (data / "images/001.png").write_bytes(good[:100])
    out = tmp_path / "run"
    with pytest.raises(DatasetError):
        pipeline.train(data, out, settings=tiny)
    assert list(out.iterdir()) == []
    (data / "images/001.png").write_bytes(good)
    assert pipeline.train(data, out, settings=tiny).run.model.is_dir(), "the same command works once repaired"


def test_a_run_is_not_begun_upon_another(run_folder: Path, cells: Path) -> None:
    with pytest.raises(TrainingError, match="found a run already"):
        pipeline.train(cells, run_folder)


def test_a_wrong_setting_makes_no_folder(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        pipeline.train(cells, tmp_path / "run", settings=["fit.stepz=1"])
    with pytest.raises(ConfigError):
        pipeline.train(cells, tmp_path / "run", budget="soon")
    assert not (tmp_path / "run").exists()


def test_masks_of_a_run_are_those_that_were_scored(run_folder: Path, cells: Path) -> None:
    (name, predicted), *_ = masks_in(Run(run_folder).predictions).items()
    truth = np.asarray(Picture.open(cells / "masks" / f"{name}.png")) > 0
    found = predicted > 0
    dice = 2 * (truth & found).sum() / (truth.sum() + found.sum())
    assert dice == pytest.approx(read_scores(Run(run_folder).scores).mean_dice.mean)


def test_masks_keep_name_size_and_values(run_folder: Path, cells: Path, tmp_path: Path) -> None:
    written = pipeline.predict(run_folder, [cells], tmp_path)
    assert [path.name for path in written] == [f"{i:03}.png" for i in range(5)]
    for mask in masks_in(tmp_path).values():
        assert mask.shape == (64, 64)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}


def test_what_is_predicted_is_what_the_function_says(run_folder: Path, cells: Path, tmp_path: Path) -> None:
    pipeline.predict(run_folder, [cells / "images/002.png"], tmp_path, probabilities=True)
    predictor = pipeline.load(run_folder)
    image = np.asarray(Picture.open(cells / "images/002.png"))
    assert np.array_equal(np.asarray(Picture.open(tmp_path / "002.png")) > 0, predictor.predict(image) == 1)
    kept = tifffile.imread(tmp_path / "002_probabilities.tif").squeeze()
    np.testing.assert_allclose(kept, predictor.probabilities(image)[0], atol=0.02)


Write = Callable[[Path, np.ndarray], None]
FORMATS: dict[str, Write] = {
    "gray.png": lambda path, image: Picture.fromarray(image).save(path),
    "color.png": lambda path, image: Picture.fromarray(image).convert("RGB").save(path),
    "alpha.png": lambda path, image: Picture.fromarray(image).convert("RGBA").save(path),
    "sixteen.png": lambda path, image: Picture.fromarray(image.astype(np.uint16) * 257).save(path),
    "sixteen.tif": lambda path, image: tifffile.imwrite(path, image.astype(np.uint16) * 257),
    "real.tif": lambda path, image: tifffile.imwrite(path, image.astype(np.float32) / 255),
    "photo.jpg": lambda path, image: Picture.fromarray(image).save(path, quality=100),
    "old.bmp": lambda path, image: Picture.fromarray(image).save(path),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_one_picture_gives_about_the_same_mask(
    run_folder: Path, cells: Path, tmp_path: Path, name: str
) -> None:
    image = np.asarray(Picture.open(cells / "images/001.png").convert("L"))
    FORMATS[name](tmp_path / name, image)
    (path,) = pipeline.predict(run_folder, [tmp_path / name], tmp_path / "out")
    assert path.suffix == (Path(name).suffix if Path(name).suffix in (".png", ".tif") else ".png")
    mask = tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Picture.open(path))
    expected = pipeline.load(run_folder).predict(image) * 255
    assert mask.shape == image.shape
    assert (mask == expected).mean() > 0.98


def test_images_that_cannot_be_predicted_are_listed_and_the_others_written(
    run_folder: Path, cells: Path, tmp_path: Path
) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    (images / "a.png").write_bytes((cells / "images/000.png").read_bytes())
    (images / "b.png").write_text("no picture")
    tifffile.imwrite(images / "c.tif", np.zeros((2, 20, 20), np.uint8), metadata={"axes": "CYX"})
    undefined = np.ones((20, 20), np.float32)
    undefined[3, 3] = np.nan
    tifffile.imwrite(images / "d.tif", undefined)
    with pytest.raises(DatasetError) as error:
        pipeline.predict(run_folder, [images], out)
    message = str(error.value)
    assert "3 of 4 images" in message
    assert all(str(images / name) in message for name in ("b.png", "c.tif", "d.tif"))
    assert "found 2 channels; expected 1" in message
    assert [path.name for path in out.iterdir()] == ["a.png"]


def test_a_single_large_image_tells_of_its_windows(run_folder: Path, cells: Path, tmp_path: Path) -> None:
    told: list[Event] = []
    image = np.random.default_rng(0).integers(0, 256, (40, 2000), np.uint8)
    Picture.fromarray(image).save(tmp_path / "long.png")
    pipeline.predict(run_folder, [tmp_path / "long.png"], tmp_path / "one", tell=told.append)
    assert [event.done for event in told if event.stage == "windows"][-1] == 4
    told.clear()
    pipeline.predict(run_folder, [cells], tmp_path / "many", tell=told.append)
    assert {event.stage for event in told} == {"predicting"}


def test_layout_and_masks_of_the_truth_can_be_said(run_folder: Path, cells: Path, tmp_path: Path) -> None:
    for name in ("000", "001"):
        for role, end in (("images", "before"), ("masks", "after")):
            pixels = np.array(Picture.open(cells / role / f"{name}.png"))
            if role == "masks":
                pixels = (pixels > 0).astype(np.uint8) + 1
                pixels[:8] = 9
            Picture.fromarray(pixels).save(tmp_path / f"{name}-{end}.png")
    said = ["layout.image={id}-before.png", "layout.labels={id}-after.png", "masks.ignore=9"]
    scores = pipeline.evaluate(run_folder / "model", tmp_path, settings=said)
    assert [image.n_pixels for image in scores.images] == [56 * 64] * 2
    masks = tmp_path / "masks"
    pipeline.predict(run_folder, [cells / f"images/{name}.png" for name in ("000", "001")], masks)
    for path in masks.iterdir():
        path.rename(path.with_name(path.name.replace(".png", "-before.png")))
    by_masks = pipeline.evaluate(masks, tmp_path, settings=said)
    assert [i.mean_dice for i in by_masks.images] == [i.mean_dice for i in scores.images]


@pytest.mark.parametrize("name", ["split.yaml", "history.csv"])
def test_a_page_that_is_gone_from_a_run_is_named(
    run_folder: Path, cells: Path, tmp_path: Path, name: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    (run / name).unlink()
    with pytest.raises(ModelError, match=name):
        pipeline.report(run)
    if name == "split.yaml":
        with pytest.raises(ModelError, match=name):
            pipeline.evaluate(run, cells)


def test_masks_are_scored_against_a_dataset_and_a_folder_of_masks_alike(
    run_folder: Path, cells: Path, tmp_path: Path
) -> None:
    pipeline.predict(run_folder, [cells], tmp_path)
    by_dataset, by_masks = (pipeline.evaluate(tmp_path, truth) for truth in (cells, cells / "masks"))
    by_model = pipeline.evaluate(run_folder / "model", cells)
    assert by_dataset.mean_dice == by_masks.mean_dice
    assert by_dataset.mean_dice.mean == pytest.approx(by_model.mean_dice.mean)
    assert by_dataset.n_images == 5
    assert math.isnan(by_dataset.pooled["foreground"]["roc_auc"]), "masks alone have no curve"


def test_perfect_masks_score_one(cells: Path) -> None:
    scores = pipeline.evaluate(cells / "masks", cells)
    assert headline(scores) == pytest.approx(
        {
            "mean_dice": 1.0,
            "pooled_dice": 1.0,
            "pooled_iou": 1.0,
            "pooled_roc_auc": math.nan,
            "pooled_pr_auc": math.nan,
        },
        nan_ok=True,
    )


def test_the_report_can_be_written_anew(run_folder: Path) -> None:
    page = Run(run_folder).report
    before = page.read_text(encoding="utf-8")
    assert pipeline.report(run_folder) == page
    after = page.read_text(encoding="utf-8")
    assert len(after) == pytest.approx(len(before), rel=0.01)
    assert "004" in after


def test_there_is_no_report_of_an_unfinished_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no finished run"):
        pipeline.report(tmp_path)


def test_images_of_one_name_do_not_overwrite_each_others_masks(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    for patient in ("p1", "p2", "p3"):
        make_dataset(tmp_path / "data" / patient, n_images=1, shape=(48, 48), seed=int(patient[1]))
    settings = [*tiny, "split.test=none", "split.validation=none"]
    trained = pipeline.train(tmp_path / "data", tmp_path / "run", settings=settings)
    assert len(list(trained.run.predictions.iterdir())) == 3
    found = pipeline.evaluate(trained.run.predictions, tmp_path / "data")
    assert found.mean_dice.mean == pytest.approx(trained.scores.mean_dice.mean)
    assert pipeline.report(trained.run.folder).is_file()


def test_the_listener_hears_of_every_stage(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    told: list[Event] = []
    pipeline.train(cells, tmp_path / "run", settings=tiny, tell=told.append)
    stages = list(dict.fromkeys(event.stage for event in told))
    chosen = ["choosing", "temperature", "threshold"]
    assert stages == ["checking", "reading", "data", "split", "plan", "training", *chosen, "predicting"]


def test_probabilities_beside_masks_give_curves(cells: Path, run_folder: Path, tmp_path: Path) -> None:
    pipeline.predict(run_folder, [cells / "images"], tmp_path, probabilities=True)
    by_masks = pipeline.evaluate(tmp_path, cells)
    by_model = pipeline.evaluate(run_folder / "model", cells)
    assert by_masks.pooled["foreground"]["roc_auc"] == pytest.approx(by_model.pooled["foreground"]["roc_auc"])
