"""The use cases; each is a page on which the whole flow can be read."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seglet.core.errors import DatasetError, TrainingError
from seglet.core.events import Event, Tell, quiet
from seglet.core.storage import write_text
from seglet.data.cases import Case, find_cases
from seglet.data.doctor import Examination, examine
from seglet.data.masks import MaskConfig
from seglet.data.samples import read_sample, read_samples
from seglet.data.splits import split_from_text, split_to_text
from seglet.io.files import as_file
from seglet.metrics.evaluate import Prediction, Scores
from seglet.metrics.evaluate import evaluate as score_pairs
from seglet.metrics.scores import read_scores, write_scores
from seglet.model import Model, load_model, save_model, untrained
from seglet.planning import Planned, choose_protocol, make_planned
from seglet.prediction.engines import TorchEngine
from seglet.prediction.predictor import Predictor
from seglet.preprocessing.transform import preprocess
from seglet.recipe import Recipe, read_recipe, to_text
from seglet.report.page import write_report
from seglet.run import Run, environment, read_facts, read_run_recipe, resume_run, start_run, write_facts
from seglet.scoring import N_THRESHOLD_IMAGES, predict_sample, score_samples, seconds_to_score, with_threshold
from seglet.showcase import gather_report
from seglet.training.callbacks import read_history
from seglet.training.fit import Outcome, Settings, fit
from seglet.training.settings import seconds
from seglet.writing import as_truth, mask_name, match_predictions, write_prediction

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
        Time for everything, in seconds or as ``10m``; the recipe's where None.
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
    settings = [*settings, *([] if budget is None else [f"fit.budget_s={seconds(budget)}"])]
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
    """
    loaded = load_model(Path(model))
    engine = TorchEngine(loaded)
    cases = [case for path in images for case in _unlabelled(Path(path))]
    _require_distinct(cases)
    written = []
    for number, case in enumerate(cases):
        tell(Event("predicting", done=number, total=len(cases)))
        predicted = predict_sample(read_sample(case, None), loaded, engine)
        written.append(
            write_prediction(Path(out), case, predicted, loaded.card.labels, probabilities=probabilities)
        )
    tell(Event("predicting", f"{len(written)} masks in {out}", len(cases), len(cases)))
    return written


def evaluate(
    predictions: Path | str, truth: Path | str, protocol: str = "auto", tell: Tell = quiet
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
    """
    source = Path(predictions)
    is_model = any((source / name).is_file() for name in ("model/model.yaml", "model.yaml"))
    if is_model:
        return _evaluate_model(source, Path(truth), protocol, tell)
    dataset = as_truth(find_cases(Path(truth)))
    matched = match_predictions(source, dataset, MaskConfig(), tell)
    return score_pairs(matched, matched.truth.names, choose_protocol(protocol, dataset))


def report(folder: Path | str, tell: Tell = quiet) -> Path:
    """Write the report of a finished run anew; needs the data where they were."""
    run = Run(Path(folder))
    facts = read_facts(run)
    planned = make_planned(Path(facts["data"]), read_run_recipe(run), tell, run.split)
    cases = {case.id: case for case in planned.dataset.cases}
    kept = [
        replace(cases[s.id], labels=(as_file(run.predictions / mask_name(cases[s.id])),))
        for s in planned.part(planned.scored_on)
    ]
    predictions = [Prediction(s.id, np.asarray(s.labels)) for s in read_samples(kept, planned.labels, tell)]
    return _write_report(run, planned, read_scores(run.scores), predictions)


def headline(scores: Scores) -> dict[str, float | None]:
    """The figures that a person asks for first, by name: the first class's pooled ones, and the mean Dice."""
    first = scores.pooled[scores.class_names[1]]
    pooled = {f"pooled_{name}": first[name] for name in ("dice", "iou", "roc_auc", "pr_auc")}
    return {"mean_dice": scores.mean_dice.mean, **pooled}


def _open_run(
    out: Path, recipe: str | Path | Recipe, settings: Sequence[str], resume: bool
) -> tuple[Run, Recipe]:
    if resume:
        run, begun = resume_run(out)
        return run, read_recipe(begun, settings)
    chosen = read_recipe(recipe, settings)
    return start_run(out, chosen), chosen


def _fit(model: Model, planned: Planned, run: Run, started: float, resume: bool, tell: Tell) -> Outcome:
    """Train for what scoring leaves of the budget."""
    train, validation, scored = (planned.part(p) for p in ("train", "validation", planned.scored_on))
    recipe = planned.recipe
    reserve = REPORT_S + SAFETY * seconds_to_score(
        model, [*scored, *[*train, *validation][:N_THRESHOLD_IMAGES]]
    )
    budget = recipe.fit.budget_s
    left = budget - (time.monotonic() - started) - min(reserve, LARGEST_RESERVE * budget)
    outcome = fit(
        model,
        [preprocess(sample, planned.plan) for sample in train],
        [preprocess(sample, planned.plan) for sample in validation],
        Settings(recipe.patches, recipe.loss, recipe.fit),
        run.folder,
        seconds=max(left, 1.0),
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
    cases = {case.id: case for case in planned.dataset.cases}
    for predicted in predictions:
        write_prediction(run.predictions, cases[predicted.id], predicted, planned.labels, probabilities=False)
    write_scores(scores, run.folder)
    _write_report(run, planned, scores, predictions)
    return scores


def _write_report(run: Run, planned: Planned, scores: Scores, predictions: Sequence[Prediction]) -> Path:
    history = read_history(run.history)
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


def _evaluate_model(source: Path, data: Path, protocol: str, tell: Tell) -> Scores:
    model, run = load_model(source), Run(source)
    own = run.facts.is_file() and Path(read_facts(run)["data"]) == data.resolve()
    recipe = read_run_recipe(run) if run.exists else Recipe()
    dataset = find_cases(data, recipe.layout if own else None)
    cases: Sequence[Case] = [case for case in dataset.cases if case.labels]
    if own:
        split = split_from_text(run.split.read_text(encoding="utf-8"), dataset.cases)
        cases = split.test or split.validation or split.train
    tell(Event("evaluating", f"{len(cases)} images"))
    samples = read_samples(cases, model.card.labels, tell)
    return score_samples(model, samples, choose_protocol(protocol, dataset), tell)[0]


def _unlabelled(path: Path) -> list[Case]:
    """The images at a path: those of a dataset, all of a folder, or one file."""
    if path.is_file() and path.suffix.lower() != ".zip":
        file = as_file(path)
        return [Case(id=file.stem, image=file)]
    return [replace(case, labels=(), second=None) for case in find_cases(path).cases]


def _require_distinct(cases: Sequence[Case]) -> None:
    """Refuse two images whose masks would have the same name."""
    names: dict[str, Case] = {}
    for case in cases:
        other = names.setdefault(mask_name(case), case)
        if other is not case:
            raise DatasetError(
                str(case.image),
                found=f"the same name as {other.image}",
                expected="images whose masks can stand in one folder",
                remedy="Predict them into different folders.",
            )
