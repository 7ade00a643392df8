"""Many images predicted: the next is read and the last decided and written while the network runs."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.events import Event, Tell, quiet
from seglet.core.image import Image, Sample
from seglet.core.overlap import ahead, behind
from seglet.data.cases import Case
from seglet.data.samples import read_sample
from seglet.io.raster import extent_ahead
from seglet.io.sources import suffix_of
from seglet.model import Model
from seglet.prediction.engines.choice import AutoEngine
from seglet.prediction.engines.engine import Engine
from seglet.prediction.tiled import first_batch, predict_raw
from seglet.preprocessing.transform import grid_shape
from seglet.scoring import as_prediction
from seglet.store_prediction import STORES, predict_into
from seglet.writing import write_prediction

Unfit = FormatError | GeometryError


def predict_cases(
    places: Mapping[Path, Case],
    model: Model,
    engine: Engine,
    *,
    probabilities: bool = False,
    tell: Tell = quiet,
) -> list[str]:
    """Predict images into files and stores.

    Parameters
    ----------
    places : mapping
        What is predicted into what; see `seglet.store_prediction.prediction_places`.
    model : Model
        What was trained.
    engine : Engine
        What runs it.
    probabilities : bool
        Whether they are written too.
    tell : callable
        Hears of each image, and of the windows of a single one.

    Returns
    -------
    list of str
        What is wrong with those images that cannot be predicted; all others are written.
    """
    bad: dict[int, str] = {}
    of_windows = tell if len(places) == 1 else quiet  # of many images, the images are counted

    def refuse(number: int, case: Case, error: Unfit) -> None:
        bad[number] = str(error) if str(case.image) in str(error) else f"{case.image}: {error}"

    def write(number: int, path: Path, case: Case, sample: Sample, planes: NDArray[np.float32]) -> None:
        try:
            predicted = as_prediction(sample, planes, model)
            write_prediction(path, predicted, model.card.labels, case, probabilities=probabilities)
        except (FormatError, GeometryError) as error:
            refuse(number, case, error)

    _expect_first(places, model, engine)
    with behind() as later:
        for number, (path, case, sample) in enumerate(ahead(_read(places))):
            tell(Event("predicting", done=number, total=len(places)))
            try:
                if sample is None:
                    predict_into(path, case, model, engine, of_windows)
                elif isinstance(sample, Sample):
                    planes = predict_raw(sample.image, model, engine, of_windows)
                    later(partial(write, number, path, case, sample, planes))
                else:
                    refuse(number, case, sample)
            except (FormatError, GeometryError) as error:
                refuse(number, case, error)
    return [bad[number] for number in sorted(bad)]


def _expect_first(places: Mapping[Path, Case], model: Model, engine: Engine) -> None:
    """Let the engine prepare for the first image's windows while it is read, where its header tells them."""
    path, case = next(iter(places.items()))
    is_file = len(case.images) == 1 and case.page is None and suffix_of(path.name) not in STORES
    if not is_file or not isinstance(engine, AutoEngine) or model.card.plan.mode != "2d":
        return
    if (extent := extent_ahead(case.image)) is not None:
        header = Image(np.broadcast_to(np.uint8(0), (1, *extent)))  # takes no memory
        engine.expect(*first_batch(grid_shape(header, model.card.plan), model.card))


def _read(places: Mapping[Path, Case]) -> Iterator[tuple[Path, Case, Sample | Unfit | None]]:
    """Read each image that is predicted in memory, or say why it cannot be."""
    for path, case in places.items():
        sample: Sample | Unfit | None = None
        if suffix_of(path.name) not in STORES:
            try:
                sample = read_sample(case, None)
            except (FormatError, GeometryError) as error:
                sample = error
        yield path, case, sample
