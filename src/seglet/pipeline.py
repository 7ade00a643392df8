"""The use cases; each is a page on which the whole flow can be read."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seglet.core.errors import DatasetError, FormatError, GeometryError, TrainingError
from seglet.core.events import Event, Tell, quiet
from seglet.core.storage import write_text
from seglet.data.cases import find_cases
from seglet.data.doctor import Examination, examine
from seglet.data.samples import read_sample, read_samples
from seglet.data.splits import split_to_text
from seglet.evaluation import evaluate_model
from seglet.io.files import as_file
from seglet.metrics.evaluate import Prediction, Scores
from seglet.metrics.evaluate import evaluate as score_pairs
from seglet.metrics.scores import headline, read_scores, write_scores
from seglet.model import Model, load_model, save_model, untrained
from seglet.planning import Planned, choose_protocol, make_planned
from seglet.prediction.engines import TorchEngine
from seglet.prediction.predictor import Predictor
from seglet.preprocessing.transform import preprocess
from seglet.recipe import Recipe, read_recipe, to_text
from seglet.report.page import write_report
from seglet.run import (
    Run,
    environment,
    read_facts,
    read_run_recipe,
    require_page,
    resume_run,
    start_run,
    write_facts,
)
from seglet.scoring import N_THRESHOLD_IMAGES, predict_sample, score_samples, seconds_to_score, with_threshold
from seglet.showcase import gather_report
from seglet.training.callbacks import read_history
from seglet.training.fit import Outcome, Settings, fit
from seglet.training.settings import seconds
from seglet.writing import as_truth, mask_names, mask_places, match_predictions, write_prediction

REPORT_S = 10.0  # curves, statistics and drawing the page
LARGEST_RESERVE = 0.35  # share of the budget that scoring may claim
SAFETY = 1.3  # on the estimated time of scoring


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished run: its folder, model and scores, and the part of the data they were computed on."""

    run: Run
    model: Model
    scores: Scores
    scored_on: str


def check(
    data: Path | str, recipe: str | Path | Recipe = "auto", settings: Iterable[str] = (), tell: Tell = quiet
) -> Examination:
    """Say what the data are and what is wrong with them."""
    chosen = read_recipe(recipe, settings)
    return examine(find_cases(Path(data), chosen.layout), chosen.masks, tell)


def plan(
    data: Path | str, recipe: str | Path | Recipe = "auto", settings: Iterable[str] = (), tell: Tell = quiet
) -> Planned:
    """Decide what would be done, without doing it."""
    return make_planned(Path(data), read_recipe(recipe, settings), tell)


def train(
    data: Path | str,
    out: Path | str,
    recipe: str | Path | Recipe = "auto",
    settings: Iterable[str] = (),
    budget: str | float | None = None,
    resume: bool = False,
    tell: Tell = quiet,
) -> Trained:
    """Train one recipe on one dataset, score it on images it has not seen, and write the report.

    Parameters
    ----------
    data : Path
        Folder or zip archive of images and masks.
    out : Path
        Run folder: new, empty, or with `resume` that of an interrupted run.
    recipe : str, Path or Recipe
        Name of a shipped recipe, a YAML file, or a recipe; an interrupted run goes on with its own.
    settings : iterable of str
        ``key=value`` changes of the recipe.
    budget : str or float or None
        Time for everything, in seconds or as ``10m``, in place of the recipe's time or steps.
    resume : bool
        Whether to go on with the run in `out`.
    tell : callable
        Hears of progress.

    Raises
    ------
    SegletError
        If anything is wrong with the data, the recipe or the run folder; nothing is trained then.
    """
    started = time.monotonic()
    timed = [] if budget is None else [f"fit.budget_s={seconds(budget)}", "fit.steps=null"]
    settings = [*timed, *settings]
    run, chosen = _open_run(Path(out), recipe, settings, resume)
    planned = make_planned(Path(data), chosen, tell, run.split if resume else None)
    write_text(run.recipe, to_text(planned.recipe))
    write_text(run.split, split_to_text(planned.split))
    model = untrained(planned.card(), seed=planned.recipe.fit.seed)
    outcome = _fit(model, planned, run, started, resume, tell)
    model = with_threshold(model, [*planned.part("train"), *planned.part("validation")], tell)
    save_model(model, run.model)
    scores = _score(model, planned, run, tell)
    model = replace(model, card=model.card.model_copy(update={"scores": headline(scores)}))
    save_model(model, run.model)
    write_facts(run, _facts(planned, outcome, time.monotonic() - started))
    return Trained(run, model, scores, planned.scored_on)


def load(folder: Path | str) -> Predictor:
    """Load a model, or the run that made it, as a function on arrays."""
    return Predictor(load_model(Path(folder)))


def predict(
    model: Path | str,
    images: Sequence[Path | str],
    out: Path | str,
    probabilities: bool = False,
    tell: Tell = quiet,
) -> list[Path]:
    """Predict image files and folders; masks keep the images' names and sizes and the training masks' values.

    Parameters
    ----------
    model : Path
        Model or run folder.
    images : sequence of Path
        Files, folders or zip archives.
    out : Path
        Folder for the masks.
    probabilities : bool
        Whether to write ``<name>_probabilities.tif`` too.

    Returns
    -------
    list of Path
        The masks.

    Raises
    ------
    DatasetError
        If there are no images, if two masks would have the same name or a mask that of its own image, or,
        once all others are written, if some images cannot be predicted; lists every one.
    """
    loaded = load_model(Path(model))
    engine = TorchEngine(loaded)
    cases = mask_places(images, Path(out))
    of_windows = tell if len(cases) == 1 else quiet  # of many images, the images are counted
    bad: list[str] = []
    for number, (path, case) in enumerate(cases.items()):
        tell(Event("predicting", done=number, total=len(cases)))
        try:
            predicted = predict_sample(read_sample(case, None), loaded, engine, of_windows)
        except (FormatError, GeometryError) as error:
            bad.append(str(error) if str(case.image) in str(error) else f"{case.image}: {error}")
            continue
        write_prediction(path, predicted, loaded.card.labels, probabilities=probabilities)
    tell(Event("predicting", f"{len(cases) - len(bad)} masks in {out}", len(cases), len(cases)))
    if bad:
        raise DatasetError(
            out,
            found=f"{len(bad)} of {len(cases)} images that cannot be predicted: {'; '.join(bad)}",
            expected="images like those that the model was trained on",
            remedy="Repair these images or leave them out; the masks of all others are written.",
        )
    return list(cases)


def evaluate(
    predictions: Path | str,
    truth: Path | str,
    protocol: str = "auto",
    settings: Iterable[str] = (),
    tell: Tell = quiet,
) -> Scores:
    """Score a folder of masks, or a run, against a dataset's truth.

    Parameters
    ----------
    predictions : Path
        Folder of masks named like the images (from any tool); or a run, which predicts its test images if
        `truth` is what it was trained on, else all; or a model folder, which predicts all.
    truth : Path
        Dataset, or a folder of true masks alone.
    protocol : str
        Name of a protocol; ``auto`` takes the dataset's own where it is known, else ``pixels``.
    settings : iterable of str
        ``layout…=`` and ``masks…=`` of the truth, as in a recipe; a run reads its own data as it was trained.
    """
    source, told = Path(predictions), read_recipe("auto", settings)
    is_model = any((source / name).is_file() for name in ("model/model.yaml", "model.yaml"))
    if is_model:
        return evaluate_model(source, Path(truth), protocol, told, tell)
    dataset = as_truth(find_cases(Path(truth), told.layout))
    matched = match_predictions(source, dataset, told.masks, tell)
    return score_pairs(matched, matched.truth.names, choose_protocol(protocol, dataset))


def report(folder: Path | str, tell: Tell = quiet) -> Path:
    """Write the report of a finished run anew; needs the data where they were."""
    run = Run(Path(folder))
    facts = read_facts(run)
    planned = make_planned(Path(facts["data"]), read_run_recipe(run), tell, require_page(run.split))
    names = mask_names(planned.dataset.cases)
    kept = [
        replace(case, labels=(as_file(run.predictions / names[case.id]),), second=None)
        for case in getattr(planned.split, planned.scored_on)
    ]
    predictions = [Prediction(s.id, np.asarray(s.labels)) for s in read_samples(kept, planned.labels, tell)]
    return _write_report(run, planned, read_scores(run.scores), predictions)


def _open_run(
    out: Path, recipe: str | Path | Recipe, settings: Sequence[str], resume: bool
) -> tuple[Run, Recipe]:
    if resume:
        return resume_run(out, settings)
    chosen = read_recipe(recipe, settings)
    return start_run(out), chosen


def _fit(model: Model, planned: Planned, run: Run, started: float, resume: bool, tell: Tell) -> Outcome:
    """Train for what scoring leaves of the budget."""
    train, validation, scored = (planned.part(p) for p in ("train", "validation", planned.scored_on))
    recipe = planned.recipe
    shown, checked = ([preprocess(sample, planned.plan) for sample in part] for part in (train, validation))
    reserve = REPORT_S + SAFETY * seconds_to_score(
        model, [*scored, *[*train, *validation][:N_THRESHOLD_IMAGES]]
    )
    budget = recipe.fit.budget_s
    left = budget - (time.monotonic() - started) - min(reserve, LARGEST_RESERVE * budget)
    outcome = fit(
        model,
        shown,
        checked,
        Settings(recipe.patches, recipe.loss, recipe.fit.model_copy(update={"budget_s": max(left, 1.0)})),
        run.folder,
        resume=resume,
        tell=tell,
    )
    if outcome.interrupted:
        raise TrainingError(
            run.folder,
            found=f"{outcome.interrupted} before training was done",
            expected="training to go on to its end",
            remedy="Nothing is lost: add --resume to go on.",
        )
    return outcome


def _score(model: Model, planned: Planned, run: Run, tell: Tell) -> Scores:
    """Score, write the masks and the scores, and the report."""
    samples = planned.part(planned.scored_on)
    scores, predictions = score_samples(
        model, samples, choose_protocol(planned.recipe.protocol, planned.dataset), tell
    )
    names = mask_names(planned.dataset.cases)
    for predicted in predictions:
        path = run.predictions / names[predicted.id]
        write_prediction(path, predicted, planned.labels, probabilities=False)
    write_scores(scores, run.folder)
    _write_report(run, planned, scores, predictions)
    return scores


def _write_report(run: Run, planned: Planned, scores: Scores, predictions: Sequence[Prediction]) -> Path:
    history = read_history(require_page(run.history))
    return write_report(gather_report(planned, history, scores, predictions), run.report)


def _facts(planned: Planned, outcome: Outcome, took_s: float) -> dict[str, object]:
    return {
        "data": str(planned.dataset.root.resolve()),
        "scored_on": planned.scored_on,
        "took_s": round(took_s, 1),
        "steps": int(outcome.history[-1]["step"]) if outcome.history else 0,
        "precision": f"{outcome.precision.name} ({outcome.precision.reason})",
        "environment": environment(),
    }
