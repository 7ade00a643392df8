import csv
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


def test_predicted_dice_is_that_of_the_image_and_its_mirror_images(run_folder: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1, 40, 64)).astype(np.uint8)
    write_image(tmp_path / "a.png", Image(pixels))
    (one,) = review(run_folder, [tmp_path / "a.png"], quiet).images
    model = load_model(run_folder)
    engine = TorchEngine(model)
    planes = [predict_image(Image(pixels), model, engine)[0]]
    planes.append(predict_image(Image(pixels[..., ::-1].copy()), model, engine)[0, :, ::-1])
    planes.append(predict_image(Image(pixels[:, ::-1].copy()), model, engine)[0, ::-1])
    masks = [plane > model.card.threshold for plane in planes]
    assert one.agreement == pytest.approx(agreement(masks))
    assert one.predicted_dice == pytest.approx(expected_dice(planes[0], masks[0], least=LEAST))
    assert one.dice is None
    assert one.predicted_dsb is None
    assert one.quality == one.predicted_dice


def test_where_objects_are_told_apart_their_agreement_counts(run_folder: Path, tmp_path: Path) -> None:
    """Both figures against the versions predicted one by one; the order is that of objects."""
    data = make_dataset(tmp_path / "data", layout="instances", n_images=4, shape=(64, 64))
    model = load_model(run_folder)
    decoding = DecodingConfig(method="depth", threshold=model.card.threshold, seed_threshold=2.0)
    card = model.card.model_copy(update={"decoding": decoding})
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
