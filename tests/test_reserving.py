"""Time for what comes after training: by its amount, by the speed of the network, by how busy cores are."""

import time
from dataclasses import replace

import numpy as np
import pytest

from seglet.core.events import Event, quiet
from seglet.data.crops import Piece
from seglet.data.synthetic import make_dataset
from seglet.model import Model, untrained
from seglet.planning import Planned, make_planned
from seglet.postprocessing.settings import DecodingConfig
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.recipe import read_recipe
from seglet.reserving import AFTER_S, LARGEST, OVERHEAD, SLACK, Reserve, Work, _part, busyness, rehearse
from seglet.training.clock import Pace


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]) -> Planned:
    folder = make_dataset(tmp_path_factory.mktemp("apart"), layout="instances", n_images=5, shape=(96, 96))
    return make_planned(folder, read_recipe("auto", tiny), quiet)


@pytest.fixture
def model(planned: Planned) -> Model:
    return untrained(planned.card())


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seglet.reserving.busyness", lambda: 1.0)


def reserve(model: Model, work: Work, seconds: float, told: list[Event] | None = None) -> Reserve:
    return Reserve(model, work, time.monotonic() + seconds, quiet if told is None else told.append)


def test_a_busy_machine_is_known_by_the_time_that_a_core_waits() -> None:
    assert busyness() >= 1


def test_more_images_take_more_time(planned: Planned) -> None:
    card = planned.card().model_copy(update={"decoding": DecodingConfig()})
    some: list[Piece] = planned.part("train")
    few, many = rehearse(planned, card, some[:1], some[:1]), rehearse(planned, card, some[:1] * 60, some * 60)
    assert few.scored_s > AFTER_S
    assert many.scored_s > few.scored_s + 0.01
    assert many.looked_s > 20 * few.looked_s > 0
    assert (many.n_looked, many.n_scored) == (60 * few.n_looked, 60 * len(some) * few.n_scored)


def test_where_nothing_is_chosen_no_time_is_taken(planned: Planned) -> None:
    work = rehearse(planned, planned.card(), [], planned.part("test"))
    assert (work.n_looked, work.looked_s) == (0, 0.0)


def test_one_threshold_takes_less_than_the_way_to_objects(planned: Planned) -> None:
    some = planned.part("train")
    ways = planned.card().model_copy(update={"decoding": DecodingConfig()})
    plain = planned.card().model_copy(update={"decoding": None})
    threshold, objects = (rehearse(planned, card, some, some).looked_s for card in (plain, ways))
    assert 0 < threshold < objects


def test_only_a_part_of_a_large_image_is_rehearsed(planned: Planned) -> None:
    sample = planned.samples[planned.split.train[0].id]
    part = _part(sample, 2000)  # type: ignore[arg-type]
    assert part.image.shape == (45, 45)
    assert part.labels is not None and part.labels.shape == part.image.shape
    np.testing.assert_array_equal(part.labels, np.asarray(sample.labels)[25:70, 25:70])  # type: ignore[union-attr]


@pytest.mark.usefixtures("idle")
def test_the_network_counts_by_its_pixels_and_the_rest_by_the_clock(model: Model) -> None:
    work = Work(n_looked=10**6, n_scored=3 * 10**6, looked_s=0.0, scored_s=0.0)
    kept = reserve(model, work, 10**6)
    total = kept(Pace())
    assert total == pytest.approx(kept.choosing_s + kept.scoring_s)
    assert kept.scoring_s == pytest.approx(3 * kept.choosing_s)
    more = replace(work, looked_s=2.0, scored_s=3.0)
    kept.work = more
    assert kept(Pace()) == pytest.approx(total + 5.0)


def at_pace(step_s: float, now: float = 0.0) -> Pace:
    pace = Pace()
    for _ in range(100):
        pace.add(now, step_s)
    return pace


def test_the_estimate_follows_the_load(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs come: steps of training tell how long the network takes, one core is measured again."""
    now, busy, slow = [0.0], [1.0], [1.0]
    monkeypatch.setattr("seglet.reserving.busyness", lambda: busy[0])
    monkeypatch.setattr("seglet.reserving.Reserve._seconds_per_pixel", lambda self: slow[0] * 1e-6)
    kept = Reserve(model, Work(0, 8 * 10**5, 0.0, 3.0), time.monotonic() + 1000, quiet)
    monkeypatch.setattr("seglet.reserving.time.monotonic", lambda: now[0])
    assert kept(Pace()) == pytest.approx(0.8 * OVERHEAD + 3.0)
    now[0] += 1
    assert kept(at_pace(0.1)) == pytest.approx(0.8 * OVERHEAD + 3.0)
    busy[0] = 2.0
    kept._next = 1e9
    assert kept(at_pace(2.0)) == pytest.approx(16 * OVERHEAD + 3.0)
    kept._next, slow[0] = 0.0, 20.0
    for _ in range(3):
        now[0] += 1
        kept(at_pace(2.0))
    assert kept(at_pace(2.0)) == pytest.approx(16 * OVERHEAD + 6.0)


def test_one_measurement_that_was_disturbed_does_not_count(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slow = [0.0], [1.0]
    monkeypatch.setattr("seglet.reserving.busyness", lambda: 1.0)
    monkeypatch.setattr("seglet.reserving.Reserve._seconds_per_pixel", lambda self: slow[0] * 1e-6)
    kept = Reserve(model, Work(0, 8 * 10**5, 0.0, 0.0), time.monotonic() + 1000, quiet)
    monkeypatch.setattr("seglet.reserving.time.monotonic", lambda: now[0])
    for slow[0] in (1.0, 1.0, 1.0, 9.0, 9.0, 1.0, 1.0):
        now[0] += 1
        kept(at_pace(0.1))
    assert kept(at_pace(0.1)) == pytest.approx(0.8 * OVERHEAD)


def test_measuring_takes_little_of_the_time(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[float] = []

    def slowly(self: Reserve) -> float:
        time.sleep(0.02)
        measured.append(0.0)
        return 1e-6

    monkeypatch.setattr("seglet.reserving.Reserve._seconds_per_pixel", slowly)
    kept = reserve(model, Work(0, 1, 0.0, 0.0), 100.0)
    for _ in range(50):
        kept(Pace())
    assert len(measured) == 1


def test_the_network_is_left_in_training_with_its_statistics(model: Model) -> None:
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    model.network.train()
    reserve(model, Work(1, 1, 0.0, 0.0), 100.0)(Pace())
    assert model.network.training
    assert all((before[name] == value).all() for name, value in model.network.state_dict().items())


@pytest.mark.usefixtures("idle")
def test_choosing_is_to_be_over_when_scoring_must_begin(model: Model) -> None:
    kept = reserve(model, Work(0, 0, 5.0, 20.0), 100.0)
    kept(Pace())
    assert kept.choose_by == pytest.approx(kept.ends - 20.0 + SLACK * 100, abs=0.1)


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize(
    ("scored_s", "kept_s", "words"),
    [
        (20.0, 20.0, ""),
        (50.0, 50.0, "take about 50 s of the 100 s that are left; training is shortened for them"),
        (200.0, LARGEST * 100, "the run may end 125 s late: give it more --budget, or fewer test images"),
    ],
)
def test_a_large_part_is_told_once_and_training_keeps_its_own(
    model: Model, scored_s: float, kept_s: float, words: str
) -> None:
    told: list[Event] = []
    kept = reserve(model, Work(0, 0, 0.0, scored_s), 100.0, told)
    assert kept(Pace()) == pytest.approx(kept_s, abs=0.1)
    kept(Pace())
    assert len(told) == bool(words)
    assert words in " ".join(event.message for event in told)


def test_the_estimate_is_about_what_prediction_takes(planned: Planned, model: Model) -> None:
    """Of the same windows; a factor of ten at most apart, on whatever machine and load."""
    plan = model.card.plan
    batch = np.zeros((plan.batch_size, plan.n_channels, *plan.patch_size), np.float32)
    kept = reserve(model, Work(0, 50 * batch[:, 0].size, 0.0, 0.0), 1000.0)
    estimated = kept(Pace())
    engine = TorchEngine(model)
    engine.run(batch)
    started = time.perf_counter()
    for _ in range(50):
        engine.run(batch)
    assert 0.1 < estimated / (time.perf_counter() - started) < 10
