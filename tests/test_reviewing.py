import csv
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from seglet import pipeline
from seglet.core.errors import DatasetError
from seglet.core.events import quiet
from seglet.core.image import Image
from seglet.data.synthetic import make_dataset
from seglet.io.files import read_image, write_image
from seglet.io.listing import as_file
from seglet.metrics.confidence import agreement, expected_dice
from seglet.metrics.instances import dsb_score, overlaps
from seglet.model import Model, load_model, save_model
from seglet.postprocessing.decode import decode
from seglet.postprocessing.settings import DecodingConfig
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.tiled import predict_image, predict_raw
from seglet.reviewing import LEAST, Review, Reviewed, review, write_review


def test_images_come_in_the_order_of_their_predicted_dice(
    run_folder: Path, cells: Path, tmp_path: Path
) -> None:
    found = review(run_folder, [cells], quiet)
    assert len(found.images) == 5
    predicted = [one.predicted_dice for one in found.images]
    assert predicted == sorted(predicted)
    assert sum(one.is_trained_on for one in found.images) == 4, "three train, one validates"
    assert found.correlation is not None
    assert found.correlation.n == 1, "only the test image was not learned from"
    rows = list(csv.DictReader(write_review(found, tmp_path / "review.csv").read_text().splitlines()))
    assert [int(row["review"]) for row in rows] == [1, 2, 3, 4, 5]
    assert sorted(int(row["annotate"]) for row in rows) == [1, 2, 3, 4, 5]
    assert [row["image"] for row in rows] == [one.file for one in found.images]
    assert all(0 <= float(row["dice"]) <= 1 for row in rows)


@pytest.mark.parametrize("flips", [True, False])
def test_predicted_dice_is_that_of_the_answer_and_versions_agree_one_by_one(
    run_folder: Path, tmp_path: Path, flips: bool
) -> None:
    """An answer that is the mean of mirrored versions is its own mirror image: it would always agree."""
    pixels = np.random.default_rng(0).integers(0, 255, (1, 40, 64)).astype(np.uint8)
    write_image(tmp_path / "a.png", Image(pixels))
    trained = load_model(run_folder)
    card = trained.card.model_copy(update={"temperature": 1.0})
    save_model(replace(trained, card=card.predicting(flips=flips)), tmp_path / "model")
    (one,) = review(tmp_path / "model", [tmp_path / "a.png"], quiet).images
    model = replace(trained, card=card.predicting(flips=False))
    engine = TorchEngine(model)
    axes = [(), (-1,), (-2,), (-2, -1)][: 4 if flips else 3]
    mirrored = [Image(np.flip(pixels, each).copy()) for each in axes]
    said = [predict_image(each, model, engine)[0] for each in mirrored]
    planes = [np.flip(plane, each) for plane, each in zip(said, axes, strict=True)]
    masks = [plane > model.card.threshold for plane in planes]
    assert one.agreement == pytest.approx(agreement(masks))
    answered = np.mean(planes, axis=0) if flips else planes[0]
    expected = expected_dice(answered, answered > model.card.threshold, least=LEAST)
    assert one.predicted_dice == pytest.approx(expected, rel=1e-5)
    assert one.dice is None
    assert one.predicted_dsb is None
    assert one.quality == one.predicted_dice


def test_where_objects_are_told_apart_their_agreement_counts(run_folder: Path, tmp_path: Path) -> None:
    """Both figures against the versions predicted one by one; the order is that of objects."""
    data = make_dataset(tmp_path / "data", layout="instances", n_images=4, shape=(64, 64))
    model = load_model(run_folder)
    decoding = DecodingConfig(method="depth", threshold=model.card.threshold, seed_threshold=2.0)
    card = model.card.model_copy(update={"decoding": decoding}).predicting(flips=False)
    model = Model(model.network, card)
    save_model(model, tmp_path / "model")
    found = review(tmp_path / "model", [data], quiet)
    assert found.correlation_dsb is not None
    assert found.correlation_dsb.n == 4
    qualities = [one.quality for one in found.images]
    assert qualities == sorted(qualities)
    engine = TorchEngine(model)
    for one in found.images:
        pixels = read_image(as_file(Path(one.file))).pixels
        planes = [predict_raw(Image(pixels), model, engine)]
        for axis in (-1, -2):
            mirrored = predict_raw(Image(np.flip(pixels, axis).copy()), model, engine)
            planes.append(np.flip(mirrored, axis).copy())
        versions = [decode(plane, decoding) for plane in planes]
        scores = [dsb_score(overlaps(a, b)) for a, b in combinations(versions, 2)]
        assert one.n_objects == versions[0].max()
        assert one.predicted_dsb == pytest.approx(one.predicted_dice * np.mean(scores))
        assert one.dsb is not None
        assert 0 <= one.dsb <= 1


def test_what_says_nothing_of_itself_is_looked_at_first() -> None:
    def reviewed(name: str, dice: float) -> Reviewed:
        return Reviewed(id=name, file=name, predicted_dice=dice, agreement=dice, entropy=0)

    found = Review(images=(reviewed("good", 0.9), reviewed("nothing", float("nan")), reviewed("bad", 0.2)))
    assert [one.id for one in found.to_annotate] == ["nothing", "bad", "good"]


def test_images_that_cannot_be_predicted_are_named(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"broken\.png"):
        pipeline.review(run_folder, [tmp_path / "broken.png"])
