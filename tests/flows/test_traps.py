"""The traps that real data hold, each on the real files, or on ones like them where no such file is at hand.

Others are tested where they belong: JPEG noise in masks and values used again for touching objects in
`tests/data/test_masks.py`, damaged files in `tests/flows/test_bad_input.py`, gaps between DICOM slices in
`tests/io/test_dicom.py`.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy import ndimage

from seglet import pipeline
from seglet.core.image import Image
from seglet.data.cases import Dataset, find_cases
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_sample
from seglet.data.synthetic import make_dataset
from seglet.io.files import read_image, read_mask, write_image
from seglet.io.listing import as_file

Mask = NDArray[np.uint8]


def labels_of(dataset: Dataset) -> list[Mask]:
    """The classes of every labelled image, as a run would read them."""
    cases = [case for case in dataset.cases if case.labels]
    labels = understand_masks(cases, MaskConfig(), classes=dataset.classes)
    return [np.asarray(read_sample(case, labels).labels) for case in cases]


def mode_of(path: Path) -> str:
    with Picture.open(path) as picture:
        return picture.mode


def as_palette(mask: Mask) -> Picture.Image:
    """Index 1 is shown dark, index 0 light: what is seen is the opposite of what is meant."""
    picture = Picture.fromarray(mask)
    picture.putpalette([250, 240, 230, 10, 20, 30])
    return picture


def softened(mask: Mask) -> Picture.Image:
    """As after resizing with interpolation: grays along the edges."""
    large = ndimage.zoom(mask * 255.0, 2, order=1)
    return Picture.fromarray(ndimage.uniform_filter(large, 2)[::2, ::2].round().astype(np.uint8))


WAYS: dict[str, Callable[[Mask], Picture.Image]] = {
    "0 and 1": Picture.fromarray,
    "0 and 255": lambda mask: Picture.fromarray(mask * 255),
    "1 bit": lambda mask: Picture.fromarray(mask > 0),
    "palette": as_palette,
    "RGB, gray": lambda mask: Picture.fromarray(mask * 255).convert("RGB"),
    "RGB, red": lambda mask: Picture.fromarray(np.stack([mask * 255, mask * 0, mask * 0], -1)),
    "RGB, a color": lambda mask: Picture.fromarray(np.stack([mask * 20, mask * 200, mask * 90], -1)),
    "RGBA": lambda mask: Picture.fromarray(mask * 255).convert("RGBA"),
    "16 bits": lambda mask: Picture.fromarray(mask.astype(np.uint16) * 65535),
    "interpolated": softened,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_label_png_of_any_kind_says_the_same_and_comes_back_as_it_was(
    tmp_path: Path, tiny: tuple[str, ...], way: str
) -> None:
    data = make_dataset(tmp_path / "data", n_images=5, shape=(64, 64), seed=2)
    truths = [read_mask(as_file(path)) // 255 for path in sorted((data / "masks").iterdir())]
    for path, truth in zip(sorted((data / "masks").iterdir()), truths, strict=True):
        WAYS[way](truth.astype(np.uint8)).save(path)
    found = pipeline.check(data)
    assert [one.message for one in found.findings if one.severity == "error"] == []
    assert any(one.code == "soft-mask" for one in found.findings) == (way == "interpolated")
    for truth, read in zip(truths, labels_of(find_cases(data)), strict=True):
        share = np.mean(read == truth)
        assert share == 1 if way != "interpolated" else share > 0.95  # the edge may move by half a pixel
    trained = pipeline.train(data, tmp_path / "run", settings=tiny)
    masks = pipeline.predict(trained.run.folder, [data / "images"], tmp_path / "masks")
    values = {tuple(np.atleast_1d(one.value).tolist()) for one in trained.model.card.labels.classes}
    keep_colors = trained.model.card.labels.encoding == "colors"
    for path in masks:
        mask = read_mask(as_file(path), keep_colors=keep_colors)
        assert set(map(tuple, mask.reshape(64 * 64, -1).tolist())) <= values
    assert pipeline.evaluate(tmp_path / "masks", data).n_images == 5


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "mode", "encoding", "share"),
    [
        ("isbi2012", "L", "values", 0.78),
        ("chasedb1", "1", "values", 0.07),
        ("bbbc039", "RGBA", "instances", 0.18),
    ],
    ids=["0 and 255", "1 bit", "RGBA"],
)
def test_real_label_pngs_are_read_whatever_their_mode(
    data_folder: Path, folder: str, mode: str, encoding: str, share: float
) -> None:
    dataset = find_cases(data_folder / folder)
    files = [case.labels[0] for case in dataset.cases]
    assert {mode_of(file.root / file.name) for file in files} == {mode}
    labels = understand_masks(dataset.cases, MaskConfig())
    assert (labels.encoding, labels.n_classes) == (encoding, 2)
    found = [np.asarray(read_sample(case, labels).labels) for case in dataset.cases[:4]]
    assert np.mean(found) == pytest.approx(share, abs=0.02)


@pytest.mark.data
def test_masks_with_interpolated_grays_are_two_classes(data_folder: Path) -> None:
    dataset = find_cases(data_folder / "formats" / "axon_sem_bids")
    levels = [len(np.unique(read_mask(file))) for case in dataset.cases for file in case.labels]
    assert max(levels) > 2
    for classes in labels_of(dataset):
        assert set(np.unique(classes)) == {0, 1, 2}  # axon and myelin, a file each


@pytest.mark.data
def test_masks_without_an_image_are_told(data_folder: Path) -> None:
    found = pipeline.check(data_folder / "formats" / "nrrd")
    (lost,) = [one for one in found.findings if one.code == "no-image"]
    assert [Path(file).name for file in lost.files] == ["lung1_label.nrrd", "lung2_label.nrrd"]
    assert len(found.dataset.cases) == 3


def test_images_without_a_mask_are_told_and_left_out(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path / "data", n_images=6, shape=(64, 64))
    (data / "masks" / "002.png").unlink()
    (data / "images" / "004.png").rename(tmp_path / "004.png")
    found = pipeline.check(data)
    told = {one.code: [Path(file).name for file in one.files] for one in found.findings}
    assert told["no-mask"] == ["002.png"]
    assert told["no-image"] == ["004.png"]
    trained = pipeline.train(data, tmp_path / "run", settings=tiny)
    split = trained.run.split.read_text(encoding="utf-8")
    assert "003" in split
    assert "002" not in split


@pytest.mark.data
def test_suffixes_in_capitals_beside_small_ones_are_one_dataset(data_folder: Path) -> None:
    folder = data_folder / "hrf"
    assert {path.suffix for path in (folder / "images").iterdir()} == {".JPG", ".jpg"}
    dataset = find_cases(folder)
    assert [case.id for case in dataset.cases] == ["01_dr", "01_g", "01_h", "02_h"]
    assert all(case.labels and case.fov for case in dataset.cases)


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "thickness", "distance"),
    [("totalsegmentator/example_ct_dicom", 3.0, 2.0), ("dicom_seg/ct-3slice", 1.25, 1.0)],
)
def test_slices_are_as_far_apart_as_their_positions_say(
    data_folder: Path, folder: str, thickness: float, distance: float
) -> None:
    path = data_folder / "ct" / folder
    headers = [pydicom.dcmread(one, stop_before_pixels=True) for one in path.iterdir()]
    assert {float(one.SliceThickness) for one in headers} == {thickness}
    assert read_image(as_file(path)).spacing[0] == pytest.approx(distance, abs=1e-6)


@pytest.mark.data
def test_images_without_an_object_are_told_and_read_as_background(data_folder: Path) -> None:
    found = pipeline.check(data_folder / "lgg_mr")
    (empty,) = [one for one in found.findings if one.code == "empty-mask"]
    assert empty.severity == "warning"
    assert len(empty.files) == 80
    by_mask = {str(case.labels[0]): case for case in found.dataset.cases}
    assert found.labels is not None
    assert not np.any(read_sample(by_mask[empty.files[0]], found.labels).labels)


def test_images_without_an_object_are_trained_on_and_scored(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data = make_dataset(tmp_path / "data", n_images=5, shape=(64, 64))
    for name in ("000.png", "003.png", "004.png"):  # of validation, training and test
        Picture.new("L", (64, 64)).save(data / "masks" / name)
    trained = pipeline.train(data, tmp_path / "run", settings=tiny)
    assert trained.scores.n_images == 1
    assert "<html" in trained.run.report.read_text(encoding="utf-8")


@pytest.mark.data
def test_rgb_and_rgba_in_one_folder_have_three_channels(data_folder: Path) -> None:
    channels: dict[str, set[int]] = {}
    for case in find_cases(data_folder / "formats" / "png_tif").cases:
        if case.image.suffix == ".png" and "-8" in case.id:
            mode = mode_of(case.image.root / case.image.name)
            channels.setdefault(mode, set()).add(read_image(case.image).n_channels)
    assert channels == {"L": {1}, "LA": {1}, "RGB": {3}, "RGBA": {3}}


def test_rgb_rgba_and_gray_in_one_folder_are_trained_on_together(
    tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    data = make_dataset(tmp_path / "data", n_images=5, shape=(64, 64))
    for path, mode in zip(
        sorted((data / "images").iterdir()), ("RGB", "RGBA", "L", "LA", "RGB"), strict=True
    ):
        Picture.open(path).convert(mode).save(path)
    errors = [one for one in pipeline.check(data).findings if one.severity == "error"]
    assert errors == []
    trained = pipeline.train(data, tmp_path / "run", settings=tiny)
    written = pipeline.predict(trained.run.folder, [data], tmp_path / "masks")
    assert len(written) == 5


def test_a_mask_thinner_than_its_volume_is_refused_with_both_extents(tmp_path: Path) -> None:
    for role, depth in (("images", 9), ("labels", 5)):
        (tmp_path / role).mkdir()
        write_image(tmp_path / role / "a.nii.gz", Image(np.ones((1, depth, 8, 7), np.uint8)))
    (error,) = [one for one in pipeline.check(tmp_path).findings if one.severity == "error"]
    assert "Found 7x8x5 voxels, expected 7x8x9 voxels" in error.message
    assert "layout" in error.remedy
