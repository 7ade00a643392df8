"""From any layout to another and back: the same arrays, grids, names, groups and splits."""

import itertools
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from same_data import assert_same_data, understood
from seglet import pipeline
from seglet.data.convert import TARGETS
from seglet.data.samples import read_sample
from seglet.data.synthetic import make_dataset
from seglet.io.files import write_mask

LOSSES = {  # what a layout has no place for
    "nnunet": ("objects", "fov", "second"),
    "ctc": ("fov", "second"),
}
FOLDERS = [to for to in TARGETS if to != "hdf5"]
ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))


def there_and_back(data: Path, tmp_path: Path, way: tuple[str, ...], *settings: str) -> None:
    """Convert along a way; compare at every station with the start."""
    place = data
    without: tuple[str, ...] = ()
    start, labels = understood(data)
    for number, to in enumerate(way):
        out = tmp_path / f"{number}_{to}{'.h5' if to == 'hdf5' else ''}"
        written = pipeline.convert(place, out, to, settings=settings if number == 0 else ())
        start = written if number == 0 else start
        place, without = out, (*without, *LOSSES.get(to, ()))
        assert_same_data((start, labels), understood(place), without)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("layout", ["kaggle-zip", "instances", "ctc"])
def test_objects(layout: str, to: str, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", layout, n_images=6, shape=(64, 64))
    back = ("ctc",) if layout != "ctc" else ()  # but for markers, the challenge leaves no pixel unlabelled
    there_and_back(data, tmp_path, (to, "pairs", "hdf5", *back) if to != "nnunet" else (to,))


@pytest.mark.parametrize("layout", ["pairs", "suffix", "palette", "rgb-colors", "isbi-stacks"])
def test_classes(layout: str, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", layout, n_images=6, shape=(40, 48))
    there_and_back(data, tmp_path, ("nnunet", "ome-zarr", "pairs", "hdf5", "nnunet"))


@pytest.mark.parametrize("layout", ["drive", "chasedb1", "stare"])
def test_retinas_with_field_of_view_and_second_observer(layout: str, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "vessels", layout, n_images=8, shape=(40, 48))
    there_and_back(data, tmp_path, ("pairs", "hdf5", "ome-zarr"))


@pytest.mark.parametrize("layout", ["lits", "decathlon", "nnunet", "brats", "bids"])
def test_volumes(layout: str, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "volumes", layout, n_images=5, shape=(6, 20, 24))
    rules = ("split.test=last 1", "split.validation=first 1")
    there_and_back(data, tmp_path, ("nnunet", "pairs", "hdf5", "ome-zarr", "nnunet"), *rules)


@pytest.mark.parametrize("to", ["nnunet", "pairs", "hdf5", "ome-zarr"])
def test_volumes_that_lie_in_any_way(to: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = []
    for number, (order, signs) in enumerate(ORIENTATIONS[::5]):
        affine = np.zeros((4, 4))
        affine[list(order), range(3)] = np.array(signs) * (0.75, 1.25, 3.5)
        affine[:, 3] = (-10.5, 20.25, 7.0, 1.0)
        pixels = rng.integers(-1000, 2000, (7, 6, 5)).astype(np.int16)
        mask = np.zeros((7, 6, 5), np.uint8)
        mask[2:5, 1 : 2 + number % 4, 1:3] = 1 + number % 2
        for folder, values in (("imagesTr", pixels), ("labelsTr", mask)):
            path = tmp_path / "d" / folder / f"v{number:02}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values, affine), path)
        names.append(f"v{number:02}")
    out = tmp_path / ("x.h5" if to == "hdf5" else "x")
    written = pipeline.convert(tmp_path / "d", out, to)
    assert [case.id for case in written.cases] == names
    assert_same_data(understood(tmp_path / "d"), understood(out))
    if to == "nnunet":
        for name in names:
            expected = nibabel.load(tmp_path / "d" / "imagesTr" / f"{name}.nii.gz").affine
            for place in (f"imagesTr/{name}_0000", f"labelsTr/{name}"):
                assert np.array_equal(nibabel.load(out / f"{place}.nii.gz").affine, expected)


@pytest.mark.parametrize("to", TARGETS)
def test_groups_and_unlabelled_images(to: str, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "instances", n_images=8, shape=(64, 64))
    for folder in ("images", "masks"):
        for number in range(8):
            path = data / folder / f"{number:03}.tif"
            path.rename(path.with_name(f"mouse{number // 2}_{number % 2}.tif"))
    (data / "masks" / "mouse3_0.tif").unlink()
    assert {case.group for case in understood(data)[0].cases} == {"0", "1", "2", "3"}
    there_and_back(data, tmp_path, (to,), "split.test=mouse1*")


def test_every_command_takes_a_pack(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path / "d", "vessels", "chasedb1", n_images=6, shape=(64, 64))
    rules = ("split.test=['Image_03*']", "split.validation=['Image_01*']")
    packed = tmp_path / "data.h5"
    pipeline.pack(data, packed, settings=rules)
    settings = [one for one in tiny if not one.startswith("split.")]
    assert pipeline.check(packed).labels == pipeline.check(data).labels
    by_rules = (*settings, *rules)
    assert pipeline.plan(packed, settings=settings).plan == pipeline.plan(data, settings=by_rules).plan
    trained = pipeline.train(packed, tmp_path / "run", settings=settings)
    plain = pipeline.train(data, tmp_path / "plain", settings=by_rules)
    assert [image.id for image in trained.scores.images] == ["Image_03L", "Image_03R"]
    assert trained.scores.protocol == "chasedb1"
    assert trained.scores.mean_dice == plain.scores.mean_dice
    assert pipeline.evaluate(trained.run.folder, packed).mean_dice == trained.scores.mean_dice
    masks = pipeline.predict(trained.run.folder, [packed], tmp_path / "masks")
    assert [path.name for path in masks] == [f"Image_{n:02}{eye}.tif" for n in (1, 2, 3) for eye in "LR"]
    of_all = pipeline.evaluate(tmp_path / "masks", packed)
    assert of_all.mean_dice.mean == pytest.approx(pipeline.evaluate(tmp_path / "masks", data).mean_dice.mean)
    assert pipeline.report(trained.run.folder).is_file()


def test_a_pack_of_objects_is_scored_by_masks_of_any_kind(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "kaggle-zip", n_images=2, shape=(64, 64))
    pipeline.pack(data, tmp_path / "data.h5")
    dataset, labels = understood(data)
    for case in dataset.cases:
        inside = np.asarray(read_sample(case, labels).labels)
        write_mask(tmp_path / "masks" / f"{case.id}.png", inside * np.uint8(255))
    assert pipeline.evaluate(tmp_path / "masks", tmp_path / "data.h5").mean_dice.mean == 1.0


REAL = {
    "hippocampus": ["imagesTr/hippocampus_00*", "labelsTr/hippocampus_00*"],
    "chasedb1": ["*/*_01?*", "*/*_02?*"],
    "msles": ["**/*.nii*"],
    "lgg_mr": ["*/*_2[0-4]*.tif"],
    "bbbc039": ["*/IXMtest_A0*"],
    "ct/spleen_bids": ["**/*.nii.gz"],
}


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_data(name: str, data_folder: Path, tmp_path: Path) -> None:
    source = data_folder / name
    for pattern in REAL[name]:
        for path in source.glob(pattern):
            target = tmp_path / "d" / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    data = tmp_path / "d"
    assert understood(data)[0].cases
    there_and_back(data, tmp_path, ("hdf5", "nnunet") if name != "chasedb1" else ("hdf5", "ome-zarr"))
