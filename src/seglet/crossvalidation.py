"""Cross-validation: one model a fold, each fold predicted by the model that has not seen it; all are kept."""

import time
from collections.abc import Sequence
from dataclasses import replace

from seglet.core.errors import ConfigError
from seglet.core.events import Event, Tell
from seglet.core.storage import write_text
from seglet.data.crops import Piece, images_of
from seglet.data.splits import Split, split_to_text
from seglet.ensembling import ensemble_of
from seglet.metrics.evaluate import Scores, evaluate
from seglet.metrics.scores import write_scores
from seglet.model import Model, ModelCard, load_model, save_model
from seglet.networks.hardware import own_threads
from seglet.planning import Planned
from seglet.reserving import AFTER_S, busyness
from seglet.run import Run, start_run
from seglet.running import finish, fit_planned, score_run, write_run_facts
from seglet.scoring import Pairs, predict_all
from seglet.settling import choose_protocol

HELD_OUT = "test_scores"  # of the ensemble, on the test part that stayed out of all folds


def train_folds(
    planned: Planned, run: Run, began: float, ends: float, resume: bool, tell: Tell
) -> tuple[Model, Scores]:
    """Train one model a fold, score each on its own fold, and keep their ensemble as the run's model.

    Every fold gets the same share of the time, and leaves of it what its part of the scoring takes. A fold
    whose model is finished is not trained again.

    Parameters
    ----------
    planned : Planned
        With folds.
    run : Run
        The whole run; each fold is a run of its own in ``folds/1`` and so on.
    began, ends : float
        Since when the time counts and when everything is to be over, by `time.monotonic`.
    resume : bool
        Whether to go on with an interrupted run.
    tell : callable
        Hears of progress.

    Returns
    -------
    (Model, Scores)
        The ensemble, which averages the probabilities of all folds' models; the cross-validated scores.
    """
    started = time.monotonic()
    models: list[Model] = []
    held_out, n_folds = planned.part("test"), len(planned.folds)
    for number, fold in enumerate(planned.folds, start=1):
        tell(Event("fold", f"{number} of {n_folds}, tested on {_named(fold)}"))
        scored = [*planned.pieces(fold.test), *held_out]  # each member of the ensemble sees what is held out
        trained_by = ends - AFTER_S * busyness()  # the page is drawn once, after the last fold
        share = share_of_fold(trained_by - started, trained_by - time.monotonic(), number, n_folds)
        with own_threads():  # the next may find free cores again
            models.append(_train_fold(planned.of_fold(fold), run.fold(number), share, scored, resume, tell))
    ensemble = ensemble_of(models)
    save_model(ensemble, run.model)
    scores = score_run(fold_pairs(planned, models, tell), planned, run, None)
    if held_out:
        protocol = choose_protocol(planned.recipe.protocol, planned.dataset)
        pairs = predict_all(ensemble, held_out, tell)
        names, threshold = planned.labels.names, ensemble.card.threshold
        images, most = images_of(held_out), planned.allowance.n_ranked
        found = evaluate(pairs, names, protocol, threshold, images=images, most_pixels=most)
        write_scores(found, run.folder, HELD_OUT)
    return finish(run, planned, ensemble, scores, None, time.monotonic() - began), scores


def share_of_fold(all_s: float, left_s: float, number: int, n_folds: int) -> float:
    """Time of a fold in seconds: an equal share, or of what is left where those before it took longer.

    Whatever these left of their shares is not given away: their images are scored after the last fold.

    Parameters
    ----------
    all_s, left_s : float
        Time of all folds, and what is left of it.
    number, n_folds : int
        Which fold, counted from 1, and of how many.
    """
    return max(min(all_s / n_folds, left_s / (n_folds - number + 1)), 1.0)


def fold_pairs(planned: Planned, models: Sequence[Model], tell: Tell) -> Pairs:
    """Each fold's cases, predicted by the model that has not seen them."""
    for fold, model in zip(planned.folds, models, strict=True):
        yield from predict_all(model, planned.pieces(fold.test), tell)


def _train_fold(
    planned: Planned, run: Run, share_s: float, scored: Sequence[Piece], resume: bool, tell: Tell
) -> Model:
    if resume and run.facts.is_file():
        return _finished(run, planned.card())
    if not run.folder.exists():
        start_run(run.folder)
    write_text(run.split, split_to_text(planned.split))
    started = time.monotonic()
    ends = started + share_s + AFTER_S * busyness()  # what this leaves for a page, a fold needs not
    model, outcome = fit_planned(planned, run, ends, scored, resume, tell)
    write_run_facts(run, planned, outcome, time.monotonic() - started)
    return model


def _finished(run: Run, card: ModelCard) -> Model:
    """The model of a fold that was trained before; it predicts as those to come."""
    model = load_model(run.folder)
    now, then = card.predict, model.card.predict
    if (now.threshold, now.align) != (then.threshold, then.align):
        raise ConfigError(
            run.folder,
            found="a finished fold that was chosen by another predict.threshold or predict.align",
            expected="the same for all folds",
            remedy="Leave these settings as they were, or train anew into another folder.",
        )
    return replace(model, card=model.card.model_copy(update={"predict": now}))


def _named(fold: Split) -> str:
    ids = [case.id for case in fold.test]
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
