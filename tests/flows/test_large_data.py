"""Images that stay on disk: checked, planned, trained on, scored and predicted by windows and patches."""

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from seglet import pipeline
from seglet.core.errors import DatasetError
from seglet.core.events import Event
from seglet.core.image import Image
from seglet.data.synthetic_cells import make_cells
from seglet.io import hdf5, nifti, ome_zarr
from seglet.io.files import open_image, read_mask
from seglet.io.listing import as_file, list_files
from seglet.metrics.scores import read_scores

MOST_MEMORY = 2 * 2**30
GIANT = (2200, 2176, 2200)  # 20 GB of 16 bits
N_WRITTEN = 6  # blocks of it
SIDE = 128
TINY_VOLUMES = (
    "plan.channels=[4,8]",
    "plan.patch_size=[16,32,32]",
    "plan.batch_size=2",
    "fit.precision=fp32",
    "predict.precision=fp32",
)


@cache
def blobs(seed: int, side: int = SIDE) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Bright balls in noise; must not be changed."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:side, :side, :side]
    mask = np.zeros((side,) * 3, bool)
    for cz, cy, cx in rng.integers(16, side - 16, (10, 3)):
        mask |= (z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < 144
    pixels = rng.normal(300, 30, mask.shape) + 400 * mask
    return pixels.clip(0).astype(np.uint16), mask.astype(np.uint8)


def write_sparse(root: Path, shape: tuple[int, int, int], n_cases: int) -> Path:
    """Stores of that extent, of which a few blocks were ever written."""
    for case in range(n_cases):
        for folder, dtype in (("images", "u2"), ("labels", "u1")):
            zarr.create_array(root / folder / f"{case}.zarr", shape=shape, chunks=(SIDE,) * 3, dtype=dtype)
        image, labels = (zarr.open(root / folder / f"{case}.zarr") for folder in ("images", "labels"))
        for number in range(N_WRITTEN):
            rng = np.random.default_rng([case, number])
            start = [int(rng.integers(n // SIDE)) * SIDE for n in shape]
            box = tuple(slice(a, a + SIDE) for a in start)
            image[box], labels[box] = blobs(number)
    return root


def peak_memory(*command: str) -> int:
    """Run a command of seglet to its end; the most bytes that were resident at once."""
    program = [sys.executable, "-m", "seglet", *command]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return peak


@pytest.mark.slow
def test_twenty_gigabytes_are_trained_on_in_two(tmp_path: Path) -> None:
    data = write_sparse(tmp_path / "data", GIANT, n_cases=2)
    assert np.prod(GIANT) * 2 > 20e9
    settings = [
        *(part for one in (*TINY_VOLUMES, "fit.steps=30", "fit.rounds=2") for part in ("--set", one)),
        *("--set", "split.test=last 1", "--set", "split.validation=none", "--set", "split.folds=none"),
    ]
    assert peak_memory("train", str(data), "-o", str(tmp_path / "run"), *settings) < MOST_MEMORY
    scores = read_scores(tmp_path / "run/scores.json")
    assert scores.windows_of == 1
    assert 8 <= scores.n_images <= 32
    assert scores.pooled["foreground"]["sensitivity"] == scores.pooled["foreground"]["sensitivity"], "no nan"
    page = (tmp_path / "run/report.html").read_text()
    assert "read from disk by patches" in page
    assert f"{scores.n_images} windows of 1 test image" in page
    small = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in small) < 2**25


FLAT = ("plan.reading=disk", "split.test=last 1", "split.validation=first 1", "fit.steps=4")


def write_slide(path: Path, pixels: NDArray[np.uint8]) -> None:
    match path.suffix:
        case ".tif":
            tifffile.imwrite(path, pixels, tile=(256, 256), compression="zlib")
        case ".zarr":
            ome_zarr.write(path, Image(pixels[None]))
        case ".h5":
            hdf5.write(path, Image(pixels[None]))


@cache
def slide(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cells and their mask, a flat image of several windows; must not be changed."""
    pixels, objects = make_cells((1200, 1300), np.random.default_rng(number))
    light = pixels.astype(np.float32)
    light = 255 * (light - light.min()) / np.ptp(light)
    return light.astype(np.uint8), (objects > 0).astype(np.uint8)


def write_slides(root: Path, suffix: str) -> Path:
    """Three flat images of several windows each."""
    (root / "images").mkdir()
    (root / "labels").mkdir()
    for number in range(3):
        for folder, pixels in zip(("images", "labels"), slide(number), strict=True):
            write_slide(root / folder / f"{number}{suffix}", pixels)
    return root


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In Zarr; must not be changed."""
    return write_slides(tmp_path_factory.mktemp("slides"), ".zarr")


@pytest.mark.parametrize("suffix", [".tif", ".zarr", ".h5"])
def test_slides_stay_on_disk_through_the_whole_flow(
    suffix: str, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    (tmp_path / "data").mkdir()
    slides = write_slides(tmp_path / "data", suffix)
    told: list[Event] = []
    trained = pipeline.train(slides, tmp_path / "run", settings=[*tiny, *FLAT], tell=told.append)
    scores, run = trained.scores, trained.run
    assert scores.windows_of == 1
    assert scores.n_images == 9, "all windows of the test image: it has fewer than its share"
    assert sum(image.n_pixels for image in scores.images) == 1200 * 1300
    assert np.isnan(scores.mean_dice.low), "one image says nothing about the next"
    (said,) = [event.message for event in told if event.stage == "memory"]
    assert said.startswith("read from disk by patches: about ")
    assert "windows of validation images" in trained.model.card.threshold_from
    masks = {file.stem: read_mask(file).shape for file in list_files(run.predictions)}
    assert set(masks) == {image.id for image in scores.images}
    assert masks["2@1024-1024"] == (176, 276)
    page = run.report.read_text()
    assert "9 windows of 1 test image" in page
    assert said in page
    assert pipeline.report(run.folder).read_text().count("9 windows of 1 test image") == page.count(
        "9 windows of 1 test image"
    )
    again = pipeline.evaluate(run.folder, slides)
    assert again.windows_of == 1
    assert again.pooled["foreground"]["dice"] == pytest.approx(scores.pooled["foreground"]["dice"], abs=1e-3)


def test_from_disk_or_from_memory_the_model_is_the_same(
    slides: Path, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    """Without chance in the patches' place it would be exactly; the choice of places differs a little."""
    dice = []
    for way in ("disk", "memory"):
        settings = [*tiny, *FLAT, "fit.steps=40", f"plan.reading={way}"]
        trained = pipeline.train(slides, tmp_path / way, settings=settings)
        dice.append(trained.scores.pooled["foreground"]["dice"])
    assert dice[0] == pytest.approx(dice[1], abs=0.15)
    assert min(dice) > 0.5


def lying_volume(path: Path, seed: int) -> None:
    """A volume and its mask in the file's own order of axes, which is not upright."""
    pixels, mask = blobs(seed, side=64)
    lying = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    for folder, values in (("images", pixels[:, :40].astype(np.int16)), ("labels", mask[:, :40])):
        (path / folder).mkdir(parents=True, exist_ok=True)
        nifti.write(
            path / folder / f"{seed}.nii", Image(values[None], (1.0, 1.0, 1.0), "mm", (), lying), None
        )


@pytest.mark.parametrize("mode", ["3d", "slices"])
def test_volumes_on_their_side_stay_on_disk(tmp_path: Path, mode: str) -> None:
    for seed in range(3):
        lying_volume(tmp_path / "data", seed)
    patch = "plan.patch_size=[16,16,16]" if mode == "3d" else "plan.patch_size=[32,32]"
    settings = (*TINY_VOLUMES, patch, f"plan.mode={mode}", "plan.normalization=standardize", *FLAT)
    trained = pipeline.train(tmp_path / "data", tmp_path / "run", settings=settings)
    assert trained.scores.windows_of == 1
    assert trained.scores.n_images > 4
    assert trained.run.report.is_file()
    (mask,) = pipeline.predict(trained.run.folder, [tmp_path / "data/images/0.nii"], tmp_path / "out")
    assert open_image(as_file(mask)).shape == (64, 40, 64)


def test_folds_of_images_on_disk(slides: Path, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    settings = [*tiny, "plan.reading=disk", "fit.steps=2", "split.folds=3", "split.test=auto"]
    trained = pipeline.train(slides, tmp_path / "run", settings=[*settings, "split.validation=auto"])
    assert (trained.scores.n_images, trained.scores.windows_of) == (27, 3)
    assert trained.scores.mean_dice.low <= trained.scores.mean_dice.high
    assert "27 windows of 3 images" in trained.run.report.read_text()
    again = pipeline.evaluate(trained.run.folder, slides)
    assert (again.n_images, again.windows_of) == (27, 3)


def test_what_cannot_be_read_in_part_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(2):
        lying_volume(tmp_path / "data", seed)
        for folder in ("images", "labels"):
            file = tmp_path / "data" / folder / f"{seed}.nii"
            image = open_image(as_file(file)).load()
            file.unlink()
            nifti.write(file.with_suffix(".nii.gz"), image, None)
    monkeypatch.setattr("seglet.data.stored.SMALL", 1000)
    with pytest.raises(DatasetError, match=r"images/0\.nii\.gz.*seglet convert"):
        pipeline.plan(tmp_path / "data", settings=["plan.reading=disk"])
    monkeypatch.setattr("seglet.reading.free_memory", lambda: 1 << 20)
    with pytest.raises(DatasetError, match=r"GiB|MiB of memory"):
        pipeline.plan(tmp_path / "data")


def test_what_does_not_fit_the_memory_stays_on_disk(slides: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pipeline.plan(slides).plan.reading == "memory"
    monkeypatch.setattr("seglet.reading.free_memory", lambda: 1 << 26)
    planned = pipeline.plan(slides)
    assert planned.plan.reading == planned.recipe.plan.reading == "disk"
    assert pipeline.plan(slides, settings=["plan.reading=memory"]).plan.reading == "memory"


@pytest.mark.parametrize(("reading", "expected"), [("disk", 1), ("memory", 0)])
def test_that_objects_are_not_told_apart_is_said(slides: Path, reading: str, expected: int) -> None:
    told: list[Event] = []
    settings = [f"plan.reading={reading}", "masks.encoding=instances"]
    planned = pipeline.plan(slides, settings=settings, tell=told.append)
    assert [event.stage for event in told if event.message].count("objects") == expected
    assert ("decoding" in planned.card().model_dump(exclude_none=True)) != bool(expected)
