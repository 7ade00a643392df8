from pathlib import Path

from seglet import pipeline
from seglet.core.image import StoredImage
from seglet.expecting import expectations, prediction_memory, seconds_per_pixel, seen_shape, training_memory
from seglet.io.pixels import in_memory
from seglet.model import untrained
from seglet.peaks import highest
from seglet.prediction.memory import PROCESS


def test_a_plan_says_what_it_costs(cells: Path, tiny: tuple[str, ...]) -> None:
    planned = pipeline.plan(cells, settings=tiny)
    said = dict(expectations(planned))
    assert "of memory and" in said["training takes"]
    assert said["training takes"].endswith("for 4 steps")
    largest = max((sample.image for sample in planned.samples.values()), key=lambda image: image.shape)
    size = "x".join(map(str, reversed(largest.shape)))
    assert said["predicting takes"].endswith(f"for an image of {size}")


def test_a_budget_is_the_time_of_training(cells: Path, tiny: tuple[str, ...]) -> None:
    settings = [*tiny, "fit.steps=null", "fit.budget_s=600"]
    assert (
        "10 minutes with scoring"
        in dict(expectations(pipeline.plan(cells, settings=settings)))["training takes"]
    )


def test_memory_grows_with_what_is_done(cells: Path, tiny: tuple[str, ...]) -> None:
    planned = pipeline.plan(cells, settings=tiny)
    model = untrained(planned.card())
    image = next(iter(planned.samples.values())).image
    stored = image if isinstance(image, StoredImage) else in_memory(image)
    assert training_memory(planned) == PROCESS + highest(planned).n_bytes
    assert prediction_memory(stored, model) > PROCESS
    assert seen_shape(stored, model) == stored.shape


def test_speed_is_measured(cells: Path, tiny: tuple[str, ...]) -> None:
    model = untrained(pipeline.plan(cells, settings=tiny).card())
    assert 0 < seconds_per_pixel(model) < 1e-3
