"""One planned run: fit within its budget, choose a threshold, score, write masks, scores and report."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

from seglet.choosing import choose_outputs, pieces_to_choose_on
from seglet.core.errors import TrainingError
from seglet.core.events import Event, Tell
from seglet.core.image import Sample
from seglet.core.memory import give_back
from seglet.core.profile import timed
from seglet.data.cases import Case
from seglet.data.crops import Crop, Piece, images_of
from seglet.data.fitting import Frame
from seglet.io.listing import as_file
from seglet.io.pixels import in_memory
from seglet.io.sources import File
from seglet.metrics.evaluate import Prediction, Scores, evaluate
from seglet.metrics.scores import headline as headline_figures
from seglet.metrics.scores import write_scores
from seglet.model import Model, read_card, save_model, untrained
from seglet.planning import Planned, prepare_all, training_cases
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.seams import seam_error
from seglet.report.page import write_report
from seglet.reserving import Reserve, rehearse
from seglet.run import Run, environment, require_page, write_facts
from seglet.scoring import Pairs
from seglet.settling import choose_protocol
from seglet.showcase import gather_report, seams_in_words
from seglet.training.callbacks import read_history
from seglet.training.clock import LEAST_S, Pace, nothing
from seglet.training.fit import Outcome, Settings, fit
from seglet.writing import Objects, mask_names, read_prediction, write_prediction


def fit_planned(
    planned: Planned, run: Run, ends: float, scored: Sequence[Piece], resume: bool, tell: Tell
) -> tuple[Model, Outcome]:
    """Train for what scoring leaves of the time, and choose how to answer; the model is saved.

    Parameters
    ----------
    planned : Planned
        Data, split and recipe.
    run : Run
        Where checkpoints, history and model go.
    ends : float
        When everything is to be over, by `time.monotonic`.
    scored : sequence of Sample or Crop
        What will be scored afterwards; the time for it is set aside.
    resume : bool
        Whether to go on from the last checkpoint.
    tell : callable
        Hears of progress.

    Raises
    ------
    TrainingError
        If it is interrupted, or fails.
    """
    model = untrained(planned.card(), seed=planned.recipe.fit.seed)
    shown, checked = training_cases(planned), prepare_all(planned.part("validation"), planned.plan)
    seen, unseen = planned.part("train"), planned.part("validation")
    reserve = None
    if planned.recipe.fit.steps is None:
        work = rehearse(planned, model.card, pieces_to_choose_on(seen, unseen, model.card), scored)
        reserve = Reserve(model, work, ends, tell)
        reserve(Pace())  # chooses the threads before training chooses its arithmetic
    settings = Settings(
        planned.recipe.patches,
        planned.recipe.loss,
        planned.recipe.fit.model_copy(update={"budget_s": max(ends - time.monotonic(), LEAST_S)}),
        reserve or nothing,
    )
    outcome = fit(model, shown, checked, settings, run.folder, resume=resume, tell=tell)
    del shown, checked
    give_back()
    if outcome.interrupted:
        raise TrainingError(
            run.folder,
            found=f"{outcome.interrupted} before training was done",
            expected="training to go on to its end",
            remedy="Nothing is lost: add --resume to go on.",
        )
    headline = choose_protocol(planned.recipe.protocol, planned.dataset).headline
    choose_by = reserve.choose_by if reserve else inf
    most = planned.allowance
    model = choose_outputs(model, seen, unseen, headline, tell, choose_by, most.n_chosen_on)
    give_back()
    model = _with_seams(model, scored, most.n_compared, tell)
    give_back()
    save_model(model, run.model)
    return model, outcome


def _with_seams(model: Model, pieces: Sequence[Piece], most: int, tell: Tell) -> Model:
    """Measure on the first image in memory what cutting it into windows changes."""
    whole = next((piece for piece in pieces if isinstance(piece, Sample)), None)
    seams = None if whole is None else seam_error(whole.image, model, TorchEngine(model, "fp32"), most)
    if seams is None:
        return model
    tell(Event("seams", seams_in_words(seams)))
    return replace(model, card=model.card.model_copy(update={"seams": seams}))


def score_run(pairs: Pairs, planned: Planned, run: Run, threshold: float | None) -> Scores:
    """Score, and write the masks, the scores and the report.

    Parameters
    ----------
    pairs : iterable of (Sample, Prediction)
        What is scored; taken one at a time.
    threshold : float or None
        That made the labels; only noted.
    """
    kept: list[Prediction] = []
    places = _mask_places(run, planned)

    def written() -> Iterator[tuple[Sample, Prediction]]:
        for sample, predicted in pairs:
            path, case = places[predicted.id]
            write_prediction(path, predicted, planned.labels, case, probabilities=False)
            kept.append(replace(predicted, probabilities=None, objects=_flat_objects(predicted)))
            yield sample, predicted

    protocol = choose_protocol(planned.recipe.protocol, planned.dataset)
    names, images = planned.labels.names, images_of(planned.pieces(planned.scored_cases))
    with timed("score"):
        most = planned.allowance.n_ranked
        scores = evaluate(written(), names, protocol, threshold, images=images, most_pixels=most)
    give_back()
    write_scores(scores, run.folder)
    write_run_report(run, planned, scores, kept)
    return scores


def _flat_objects(predicted: Prediction) -> Objects | None:
    """What the report shows of objects: those of flat images; of volumes it shows classes."""
    return predicted.objects if predicted.labels.ndim == 2 else None


@timed("report")
def write_run_report(run: Run, planned: Planned, scores: Scores, predictions: Sequence[Prediction]) -> Path:
    """Write the page of a run whose scores and masks are known."""
    told = run.fold(1) if planned.folds else run  # folds are trained alike: the first stands for all
    history = read_history(require_page(told.history))
    content = gather_report(planned, history, scores, predictions, read_card(run.model))
    return write_report(content, run.report)


def finish(
    run: Run, planned: Planned, model: Model, scores: Scores, outcome: Outcome | None, took_s: float
) -> Model:
    """Write the headline figures into the model, and the facts of the run."""
    model = replace(model, card=model.card.model_copy(update={"scores": headline_figures(scores)}))
    save_model(model, run.model)
    write_run_facts(run, planned, outcome, took_s)
    return model


def write_run_facts(run: Run, planned: Planned, outcome: Outcome | None, took_s: float) -> None:
    """Write run.yaml, which says that the run is finished."""
    facts: dict[str, object] = {
        "data": str(planned.dataset.root.resolve()),
        "scored_on": planned.scored_on,
        "took_s": round(took_s, 1),
    }
    if outcome is not None:
        facts["steps"] = int(outcome.history[-1]["step"]) if outcome.history else 0
        facts["precision"] = f"{outcome.precision.name} ({outcome.precision.reason})"
    write_facts(run, {**facts, "environment": environment()})


def read_masks(run: Run, planned: Planned) -> list[Prediction]:
    """Read the masks of a finished run back."""
    places = _mask_places(run, planned)
    masks = []
    for piece in planned.pieces(planned.scored_cases):
        path, case = places[piece.id]
        file = as_file(require_page(path))
        image = piece.image if isinstance(piece, Crop) else in_memory(piece.image)
        frame = Frame(image, file if case is None else case.image)
        labels, objects = read_prediction(file, planned.labels, frame)
        masks.append(Prediction(piece.id, labels, objects=objects))
    return masks


def _mask_places(run: Run, planned: Planned) -> dict[str, tuple[Path, Case | None]]:
    """Where the mask of each scored piece goes, and the case whose grid it has; that of a window has none."""
    names = mask_names(planned.dataset.cases)
    places: dict[str, tuple[Path, Case | None]] = {}
    for case in planned.scored_cases:
        path = run.predictions / names[case.id]
        for piece in planned.pieces([case]):
            if isinstance(piece, Crop):
                place = piece.id.removeprefix(case.id)
                places[piece.id] = path.with_name(f"{File(path.parent, path.name).stem}{place}.tif"), None
            else:
                places[piece.id] = path, case
    return places
