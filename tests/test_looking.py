"""What a trained network says of images whose truth is known; where annotations stand beside it."""

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from seglet.core.events import Event, quiet
from seglet.core.image import Sample
from seglet.data.crops import Piece
from seglet.looking import Looked, look_at
from seglet.model import Model, load_model
from seglet.planning import Planned, make_planned
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.tiled import predict_image
from seglet.recipe import read_recipe
from seglet.scoring import predict_sample

MOST = 10**7


@pytest.fixture(scope="module")
def planned(cells: Path, tiny: tuple[str, ...]) -> Planned:
    return make_planned(cells, read_recipe("auto", tiny), quiet)


@pytest.fixture
def model(run_folder: Path) -> Model:
    loaded = load_model(run_folder)
    card = loaded.card.predicting(align=True).model_copy(update={"offset": None, "temperature": 1.0})
    return Model(loaded.network, card)


def drawn_beside(sample: Sample, model: Model, by: tuple[float, float]) -> Sample:
    """The sample, annotated as the network sees it, but so many pixels beside."""
    said = predict_image(sample.image, model, TorchEngine(model))[0]
    moved = ndimage.shift(said, by, order=1, mode="nearest")
    return replace(sample, labels=(moved > np.median(moved)).astype(np.uint8))


def looked_at(pieces: list[Piece], model: Model, unseen: int = 9) -> tuple[Model, list[Looked]]:
    return look_at(pieces, {piece.id for piece in pieces[:unseen]}, model, quiet, inf, MOST)


def test_annotations_that_stand_beside_what_is_seen_are_noticed_and_predictions_moved(
    planned: Planned, model: Model
) -> None:
    by = (-0.6, 0.4)
    samples = [piece for piece in planned.part("train") if isinstance(piece, Sample)]
    pieces: list[Piece] = [drawn_beside(sample, model, by) for sample in samples]
    heard: list[Event] = []
    told, looked = look_at(pieces, {piece.id for piece in pieces}, model, heard.append, inf, MOST)
    np.testing.assert_allclose(told.card.offset or (), by, atol=0.2)
    assert any(event.stage == "offset" and "above" in event.message for event in heard)
    there = predict_image(samples[0].image, told, TorchEngine(told))
    np.testing.assert_allclose(looked[0].planes, there.reshape(1, -1), atol=1e-5)
    wrong = [
        float((predict_sample(one, each, TorchEngine(each)).labels != one.labels).mean())
        for one in pieces[:1]
        if isinstance(one, Sample)
        for each in (
            Model(told.network, told.card.model_copy(update={"threshold": 0.5})),
            Model(model.network, model.card.model_copy(update={"threshold": 0.5})),
        )
    ]
    assert wrong[0] != wrong[1]


def test_images_that_validate_alone_say_the_offset_where_there_are_two(
    planned: Planned, model: Model
) -> None:
    samples = [piece for piece in planned.part("train") if isinstance(piece, Sample)][:4]
    beside: list[Piece] = [drawn_beside(sample, model, (0.0, 0.8)) for sample in samples[:2]]
    other: list[Piece] = [drawn_beside(sample, model, (0.0, -0.8)) for sample in samples[2:]]
    offset = looked_at([*beside, *other], model, unseen=2)[0].card.offset
    assert offset is not None
    assert 0.5 < offset[1] < 1.1


def test_a_recipe_that_says_so_has_nothing_measured(planned: Planned, model: Model) -> None:
    samples = [piece for piece in planned.part("train") if isinstance(piece, Sample)]
    beside: list[Piece] = [drawn_beside(sample, model, (0.8, 0.0)) for sample in samples]
    without = Model(model.network, model.card.predicting(align=False))
    told, looked = looked_at(beside, without)
    assert told is without
    assert len(looked) == len(beside)


def test_few_planes_are_held_at_once_and_all_are_looked_at(planned: Planned, model: Model) -> None:
    """Of two images with as many pixels as may be kept the offset is known from one: that is none."""
    samples = [piece for piece in planned.part("train") if isinstance(piece, Sample)]
    beside: list[Piece] = [drawn_beside(sample, model, (0.8, 0.0)) for sample in samples]
    names = {piece.id for piece in beside}
    told, looked = look_at(beside, names, model, quiet, inf, samples[0].image.pixels[0].size)
    assert told.card.offset is None
    assert len(looked) == len(beside)
    assert sum(one.truth.size for one in looked) < 1.5 * samples[0].image.pixels[0].size
