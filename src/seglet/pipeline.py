"""The use cases; each is a page on which the whole flow can be read."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seglet.comparing import Compared, compare_runs, write_comparison
from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell, quiet
from seglet.core.sizes import n_bytes
from seglet.core.storage import write_text
from seglet.crossvalidation import train_folds
from seglet.data.datasets import open_dataset
from seglet.data.doctor import Examination, examine
from seglet.data.folds import folds_to_text
from seglet.data.splits import split_to_text
from seglet.evaluation import evaluate_model, is_model
from seglet.limiting import fit_within
from seglet.measuring import measure as measure
from seglet.meshing import mesh as mesh
from seglet.metrics.evaluate import Scores
from seglet.metrics.evaluate import evaluate as score_pairs
from seglet.metrics.scores import read_scores
from seglet.model import Model, load_model
from seglet.networks.hardware import own_threads
from seglet.planning import Planned, make_planned
from seglet.predicted import as_truth, match_predictions
from seglet.predicting import predict_cases
from seglet.prediction.engines.choice import AutoEngine, CheckedEngine, engine_for
from seglet.prediction.predictor import Predictor
from seglet.preparing import convert as convert
from seglet.preparing import pack as pack
from seglet.preparing import repair as repair
from seglet.preparing import report_findings as report_findings
from seglet.rationing import Limit, limit_of, plan_within
from seglet.recipe import Recipe, read_recipe, to_text
from seglet.reviewing import Review
from seglet.reviewing import review as review_images
from seglet.run import Run, read_facts, read_run_recipe, require_page, resume_run, start_run
from seglet.running import finish, fit_planned, read_masks, score_run, write_run_report
from seglet.scoring import predict_all
from seglet.seeds import Seeds
from seglet.seeds import train_seeds as repeat
from seglet.settling import choose_protocol
from seglet.store_prediction import prediction_places
from seglet.training.clock import Budget as Budget
from seglet.training.settings import seconds
from seglet.tuning.search import Tuned, search
from seglet.tuning.space import TuneConfig


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
    return examine(open_dataset(Path(data), chosen.layout), chosen.masks, tell)


def plan(
    data: Path | str,
    recipe: str | Path | Recipe = "auto",
    settings: Iterable[str] = (),
    tell: Tell = quiet,
    *,
    max_ram: str | int | None = None,
) -> Planned:
    """Decide what would be done, without doing it; see `train`."""
    return plan_within(limit_of(max_ram), Path(data), read_recipe(recipe, settings), tell)


@own_threads()
def train(
    data: Path | str,
    out: Path | str,
    recipe: str | Path | Recipe = "auto",
    settings: Iterable[str] = (),
    budget: str | float | Budget | None = None,
    resume: bool = False,
    tell: Tell = quiet,
    *,
    max_ram: str | int | Limit | None = None,
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
    budget : str or float or Budget or None
        Time for everything, in seconds or as ``10m``, in place of the recipe's time or steps; a `Budget` is
        counted from an earlier moment than this call.
    resume : bool
        Whether to go on with the run in `out`.
    tell : callable
        Hears of progress.
    max_ram : str or int or Limit or None
        What the whole process may take of the memory, in bytes or as ``2G``; see
        `seglet.rationing.plan_within`. It is not kept with the run: say it again to `resume`.

    Raises
    ------
    SegletError
        If anything is wrong with the data, the recipe or the run folder, or `max_ram` is not enough; nothing
        is trained then.
    """
    time_is = budget if isinstance(budget, Budget) else Budget.from_now(budget)
    settings = [*([] if time_is.seconds is None else time_settings(time_is.seconds)), *settings]
    run, chosen = _open_run(Path(out), recipe, settings, resume)
    written, limit = run.written_split if resume else None, limit_of(max_ram)
    planned = plan_within(limit, Path(data), chosen, tell, written, begun=resume)
    if planned.folds:
        write_text(run.folds, folds_to_text(planned.folds))  # first: with the recipe the run can be resumed
    write_text(run.recipe, to_text(planned.recipe))
    write_text(run.split, split_to_text(planned.split))
    ends = time_is.began + planned.recipe.fit.budget_s
    if planned.folds:
        model, scores = train_folds(planned, run, time_is.began, ends, resume, tell)
        return Trained(run, model, scores, planned.scored_on)
    scored = planned.part(planned.scored_on)
    model, outcome = fit_planned(planned, run, ends, scored, resume, tell)
    scores = score_run(predict_all(model, scored, tell), planned, run, model.threshold)
    model = finish(run, planned, model, scores, outcome, time.monotonic() - time_is.began)
    return Trained(run, model, scores, planned.scored_on)


def time_settings(budget: str | float) -> list[str]:
    """The settings that a time for everything stands for."""
    return [f"fit.budget_s={seconds(budget)}", "fit.steps=null"]


def train_seeds(
    data: Path | str,
    out: Path | str,
    n_seeds: int,
    recipe: str | Path | Recipe = "auto",
    settings: Iterable[str] = (),
    resume: bool = False,
    tell: Tell = quiet,
    *,
    max_ram: str | int | None = None,
) -> Seeds:
    """Train with several seeds, each on the same split, in the time and memory of one; see `seglet.seeds`."""
    limit = limit_of(max_ram)  # the same of all seeds

    def one(folder: Path, by: str | Path | Recipe, said: Sequence[str], goes_on: bool) -> None:
        train(data, folder, by, said, resume=goes_on, tell=tell, max_ram=limit)

    return repeat(one, Path(out), n_seeds, recipe, list(settings), resume, tell)


def tune(
    data: Path | str,
    out: Path | str,
    recipe: str | Path | Recipe = "auto",
    settings: Iterable[str] = (),
    config: TuneConfig | None = None,
    tell: Tell = quiet,
) -> Tuned:
    """Search for the sizes, the learning rate and the loss that suit a dataset.

    Training images teach and validation images judge; test images are not looked at.

    Parameters
    ----------
    data : Path
        Folder or zip archive of images and masks.
    out : Path
        Folder of the search: new, empty, or that of the same search, which goes on then.
    recipe, settings
        What is searched around.
    config : TuneConfig or None
        How long, and how far from the recipe.

    Raises
    ------
    SegletError
        If anything is wrong with the data, the recipe or the folder, or no trial finishes.
    """
    return search(Path(data), Path(out), read_recipe(recipe, settings), config or TuneConfig(), tell)


def load(folder: Path | str) -> Predictor:
    """Load a model, or the run that made it, as a function on arrays."""
    return Predictor(load_model(Path(folder)))


def predict(
    model: Path | str,
    images: Sequence[Path | str],
    out: Path | str,
    probabilities: bool = False,
    tell: Tell = quiet,
    *,
    engine: str | None = None,
    precision: str | None = None,
    flips: bool | None = None,
    max_ram: str | int | None = None,
) -> list[Path]:
    """Predict image files and folders; masks keep the images' names and sizes and the training masks' values.

    Zarr images, and others too large for the memory, become OME-Zarr images ``<name>.ome.zarr`` with the mask
    among their labels.

    Parameters
    ----------
    model : Path
        Model or run folder.
    images : sequence of Path
        Files, folders or zip archives.
    out : Path
        Folder for the masks; or, for a single image, an OME-Zarr store: its own, or a new one.
    probabilities : bool
        Whether to write probabilities beside each mask too, as `write_prediction` does.
    tell : callable
        Hears of progress, and which engine was chosen.
    engine, precision : str or None
        What runs the network, as in `seglet.model.PredictConfig`; the model's own settings where None.
    flips : bool or None
        Whether mirrored versions are averaged; as the model was scored where None.
    max_ram : str or int or None
        What the whole process may take of the memory, in bytes or as ``2G``: images that would take more go
        through the disk as too large ones do, by smaller windows where the network needs it.

    Returns
    -------
    list of Path
        The masks.

    Raises
    ------
    DatasetError
        If there are no images, if two masks would have the same name or a mask that of its own image, or,
        once all others are written, if some images cannot be predicted; lists every one. If `max_ram` does
        not hold an image that cannot be predicted block by block; says what it would take.
    ConfigError, EngineError, MissingExtra
        If the engine does not exist, is refused because its masks differ, or is not installed.
    """
    loaded = load_model(Path(model))
    said = {"engine": engine, "precision": precision, "flips": flips}
    loaded = replace(loaded, card=loaded.card.predicting(**{k: v for k, v in said.items() if v is not None}))
    runner = engine_for(loaded, tell=tell)
    room = None
    if max_ram is not None:
        tries = isinstance(runner, AutoEngine | CheckedEngine)
        loaded, room = fit_within(loaded, n_bytes(max_ram), tries_engines=tries)
    cases = prediction_places(images, Path(out), loaded, probabilities=probabilities, room=room)
    bad = predict_cases(cases, loaded, runner, probabilities=probabilities, tell=tell)
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
    if is_model(source):
        return evaluate_model(source, Path(truth), protocol, told, tell)
    dataset = as_truth(open_dataset(Path(truth), told.layout))
    rule = choose_protocol(protocol, dataset)
    matched = match_predictions(source, dataset, told.masks, tell)
    return score_pairs(matched, matched.truth.names, rule)


def compare(
    a: Path | str, b: Path | str, metric: str | None = None, out: Path | str | None = None
) -> Compared:
    """Say which of two runs is better on the images that both scored; see `seglet.comparing`.

    Where `out` is given, compare.html and compare.json are written into that folder.
    """
    compared = compare_runs(Path(a), Path(b), metric)
    if out is not None:
        write_comparison(compared, Path(out))
    return compared


def review(model: Path | str, images: Sequence[Path | str], tell: Tell = quiet) -> Review:
    """Rank images by how doubtful their predictions are; see `seglet.reviewing.review`."""
    return review_images(Path(model), [Path(path) for path in images], tell)


def report(folder: Path | str, tell: Tell = quiet) -> Path:
    """Write the report of a finished run anew; needs the data where they were."""
    run = Run(Path(folder))
    facts = read_facts(run)
    planned = make_planned(Path(facts["data"]), read_run_recipe(run), tell, require_page(run.written_split))
    predictions = read_masks(run, planned)
    return write_run_report(run, planned, read_scores(run.scores), predictions)


def _open_run(
    out: Path, recipe: str | Path | Recipe, settings: Sequence[str], resume: bool
) -> tuple[Run, Recipe]:
    if resume:
        return resume_run(out, settings)
    chosen = read_recipe(recipe, settings)
    return start_run(out), chosen
