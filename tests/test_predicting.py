"""Images predicted with their neighbors read and written meanwhile are the same, and none is lost."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from seglet.core.errors import FormatError, StorageError
from seglet.data.samples import read_sample
from seglet.io.files import read_mask
from seglet.io.listing import as_file
from seglet.model import EngineName, EnginePrecision, Model, load_model
from seglet.predicting import predict_cases
from seglet.prediction.engines.cache import write_trials
from seglet.prediction.engines.choice import AutoEngine, available
from seglet.prediction.engines.openvino import OpenVinoEngine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.engines.trial import Trial
from seglet.prediction.tiled import first_batch
from seglet.scoring import predict_sample
from seglet.store_prediction import prediction_places
from seglet.writing import write_prediction


@pytest.fixture(scope="module")
def model(run_folder: Path) -> Model:
    return load_model(run_folder)


@pytest.fixture
def images(cells: Path, tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for file in sorted((cells / "images").iterdir())[:4]:
        (tmp_path / "images" / file.name).write_bytes(file.read_bytes())
    return tmp_path / "images"


def test_masks_are_those_of_one_after_the_other(model: Model, images: Path, tmp_path: Path) -> None:
    engine = TorchEngine(model, "fp32")
    places = prediction_places([images], tmp_path / "out", model, probabilities=True)
    assert predict_cases(places, model, engine, probabilities=True) == []
    for path, case in places.items():
        alone = write_prediction(
            tmp_path / "alone" / path.name,
            predict_sample(read_sample(case, None), model, engine),
            model.card.labels,
            case,
            probabilities=True,
        )
        assert alone.read_bytes() == path.read_bytes()
        np.testing.assert_array_equal(
            *(read_pixels(one.with_name(f"{one.stem}_probabilities.tif")) for one in (alone, path))
        )


def read_pixels(path: Path) -> np.ndarray:
    return np.asarray(tifffile.imread(path))


def test_what_is_bad_is_told_in_order_and_the_rest_is_written(
    model: Model, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third, fourth = sorted(images.iterdir())
    second.write_bytes(b"no picture")
    Picture.fromarray(np.zeros((3, 5), np.uint8)).save(third)
    places = prediction_places([images], tmp_path / "out", model, probabilities=False)
    real = write_prediction

    def write(path: Path, *given: object, **said: object) -> Path:
        if path.stem == first.stem:
            raise FormatError(path, found="a", expected="b", remedy="c")
        return real(path, *given, **said)  # type: ignore[arg-type]

    monkeypatch.setattr("seglet.predicting.write_prediction", write)
    bad = predict_cases(places, model, TorchEngine(model, "fp32"))
    assert len(bad) == 2
    assert first.name in bad[0]
    assert second.name in bad[1]
    assert {path.stem for path in places if path.exists()} == {third.stem, fourth.stem}
    assert read_mask(as_file(tmp_path / "out" / third.name)).shape == (3, 5)


def test_a_full_disk_ends_the_work(
    model: Model, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, *given: object, **said: object) -> Path:
        raise StorageError(path, found="a full disk", expected="room", remedy="Make some.")

    monkeypatch.setattr("seglet.predicting.write_prediction", write)
    places = prediction_places([images], tmp_path / "out", model, probabilities=False)
    with pytest.raises(StorageError, match="full disk"):
        predict_cases(places, model, TorchEngine(model, "fp32"))


def test_an_interruption_keeps_what_is_done(model: Model, images: Path, tmp_path: Path) -> None:
    class Interrupted(TorchEngine):
        n_run = 0

        def run(self, windows: np.ndarray) -> np.ndarray:
            self.n_run += 1
            if self.n_run == 3:
                raise KeyboardInterrupt
            return super().run(windows)

    places = prediction_places([images], tmp_path / "out", model, probabilities=False)
    with pytest.raises(KeyboardInterrupt):
        predict_cases(places, model, Interrupted(model, "fp32"))
    assert [path.exists() for path in places] == [True, True, False, False]


def test_the_first_images_windows_are_compiled_while_it_is_read(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none other: what was expected is what came."""
    monkeypatch.setenv("SEGLET_CACHE", str(tmp_path / "cache"))
    (tmp_path / "images").mkdir()
    colors = np.random.default_rng(0).integers(0, 255, (700, 900, 3), np.uint8)
    Picture.fromarray(colors).save(tmp_path / "images" / "large.jpg")
    times = {("torch", "fp32"): 9.0, ("openvino", "fp32"): 1.0}
    write_trials(model, tuple(as_tried(*one, times.get(one, 5.0)) for one in available(model)))
    engine = AutoEngine(model)
    places = prediction_places([tmp_path / "images"], tmp_path / "out", model, probabilities=False)
    assert predict_cases(places, model, engine) == []
    assert engine._ahead is not None
    used = engine._engine
    assert used is engine._ahead.result()
    assert isinstance(used, OpenVinoEngine)
    shape, lanes = first_batch((700, 900), model.card)
    assert list(used.abreast(shape, lanes)[0]._compiled) == [shape]


def as_tried(engine: EngineName, precision: EnginePrecision, milliseconds: float) -> Trial:
    return Trial(
        engine=engine,
        precision=precision,
        milliseconds=milliseconds,
        n_pixels=1024,
        largest_logit=0,
        largest_probability=0,
        dice=1.0,
    )


@pytest.mark.parametrize("name", ["x.tif", "x.bmp", "cut.png"])
def test_nothing_is_expected_where_the_header_says_nothing(model: Model, tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    Picture.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "images" / name)
    if name.startswith("cut"):
        (tmp_path / "images" / name).write_bytes((tmp_path / "images" / name).read_bytes()[:20])
    engine = AutoEngine(model)
    places = prediction_places([tmp_path / "images"], tmp_path / "out", model, probabilities=False)
    assert len(predict_cases(places, model, engine)) == name.startswith("cut")
    assert engine._ahead is None
