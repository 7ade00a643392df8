"""Volumes of every format through the whole flow: trained on, predicted, written as they came, scored."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
import tifffile
from numpy.typing import NDArray

import seglet
from dicom_series import AXIAL, write_series
from seglet import pipeline
from seglet.core.errors import DatasetError
from seglet.core.image import Image
from seglet.data.fitting import frame_of, read_fitting
from seglet.data.synthetic import make_dataset
from seglet.io.files import read_image, read_mask, read_probabilities, write_image, write_mask
from seglet.io.listing import as_file

SHAPE = (12, 40, 48)
SPACING = (3.0, 1.5, 1.5)
AIR, FLESH, ORGAN = -1000, 20, 400  # HU
UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
TILTED = (0.96, 0.28, 0.0, -0.28, 0.96, 0.0)  # rows and columns of slices that lie aslant in the patient
CLOSE = 0.8  # Dice of a volume as easy as these; turned or shifted, it would be less than half of that

Volume = NDArray[np.int16]
Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Scan:
    """A CT of one bright organ, to the left and front of the middle and in the lower half."""

    hu: Volume
    organ: Mask


def scan(number: int, shape: tuple[int, ...] = SHAPE) -> Scan:
    rng = np.random.default_rng(number)
    axes = np.meshgrid(*((np.arange(n) + 0.5) / n for n in shape), indexing="ij")
    middle = np.array([0.4, 0.35, 0.65]) + rng.uniform(-0.05, 0.05, 3)
    radii = (0.25, 0.15, 0.2)
    reach = sum(((axis - at) / r) ** 2 for axis, at, r in zip(axes, middle, radii, strict=True))
    organ = np.asarray(reach < 1)
    body = np.hypot(axes[1] - 0.5, axes[2] - 0.5) < 0.47
    hu = np.where(organ, ORGAN, np.where(body, FLESH, AIR)) + rng.normal(0, 20, shape)
    return Scan(np.maximum(hu, -1024).astype(np.int16), organ.astype(np.uint8))


def dice(found: NDArray[np.integer], truth: NDArray[np.integer]) -> float:
    both = np.count_nonzero((found > 0) & (truth > 0))
    return 2 * both / (np.count_nonzero(found) + np.count_nonzero(truth))


def save(path: Path, values: NDArray[np.generic], spacing: tuple[float, ...] = SPACING) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, Image(values[None], spacing, "mm", (5.0, -7.0, 11.0), UPRIGHT))
    return path


def write_pairs(folder: Path, suffix: str, n_images: int = 4) -> Path:
    """Write ``images/scan_0.nii.gz`` and ``labels/scan_0.nii.gz``, or of another format."""
    for number in range(n_images):
        made = scan(number)
        save(folder / "images" / f"scan_{number}{suffix}", made.hu)
        save(folder / "labels" / f"scan_{number}{suffix}", made.organ)
    return folder


@pytest.fixture(scope="module")
def learn(tiny: tuple[str, ...]) -> Callable[..., pipeline.Trained]:
    """Train for a few seconds, which is enough to find what is bright."""
    own = [s for s in tiny if not s.startswith(("plan.patch_size", "fit.steps", "split."))]

    def train(data: Path, out: Path, *settings: str, steps: int = 60) -> pipeline.Trained:
        split = ["split.test=last 1", "split.validation=first 1"]
        return pipeline.train(
            data,
            out,
            settings=[*own, *split, "fit.learning_rate=0.01", "fit.ema=0.9", f"fit.steps={steps}", *settings],
        )

    return train


@pytest.fixture(scope="module", params=["3d", "slices"])
def run(
    request: pytest.FixtureRequest,
    learn: Callable[..., pipeline.Trained],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A run on CT volumes as NIfTI, by a 3D network and by a 2D network slice by slice."""
    folder = tmp_path_factory.mktemp(request.param)
    data = write_pairs(folder / "data", ".nii.gz")
    patch = "[8,32,32]" if request.param == "3d" else "[32,32]"
    chosen = (f"plan.mode={request.param}", f"plan.patch_size={patch}")
    trained = learn(data, folder / "run", *chosen)
    assert trained.model.card.plan.normalization == "ct"
    assert trained.scores.mean_dice.mean > CLOSE
    return trained.run.folder


@pytest.mark.parametrize("orientation", [AXIAL, TILTED], ids=["axial", "tilted"])
def test_a_dicom_series_is_predicted_as_dicom_seg(
    run: Path, tmp_path: Path, orientation: tuple[float, ...]
) -> None:
    made = scan(9)
    source = write_series(tmp_path / "patient7", made.hu, spacing=SPACING, orientation=orientation)
    (written,) = pipeline.predict(run, [tmp_path / "patient7"], tmp_path / "out", probabilities=True)
    assert written == tmp_path / "out" / "patient7.dcm"
    assert dice(read_fitting_of(written, tmp_path / "patient7"), made.organ) > CLOSE
    refer_to(written, source)
    (beside,) = (tmp_path / "out").glob("*_probabilities.nii.gz")
    given, image = read_image(as_file(beside)), read_image(as_file(tmp_path / "patient7"))
    np.testing.assert_allclose(given.direction, image.direction, atol=1e-5)
    np.testing.assert_allclose(given.origin, image.origin, atol=1e-3)


def read_fitting_of(mask: Path, image: Path) -> NDArray[np.integer]:
    return read_fitting(as_file(mask), frame_of(read_image(as_file(image)), as_file(image)))


def refer_to(written: Path, source: list[Path]) -> None:
    """Check with pydicom and highdicom alone that a segmentation lies on its series."""
    slices = {header.SOPInstanceUID: header for header in map(pydicom.dcmread, source)}
    found = pydicom.dcmread(written)
    first = next(iter(slices.values()))
    assert found.SOPClassUID == pydicom.uid.SegmentationStorage
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"):
        assert found[keyword].value == first[keyword].value
    shared = found.SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == first.PixelSpacing
    turned = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    np.testing.assert_allclose(turned, first.ImageOrientationPatient, atol=1e-6)
    for frame in found.PerFrameFunctionalGroupsSequence:
        (reference,) = frame.DerivationImageSequence[0].SourceImageSequence
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == slices[reference.ReferencedSOPInstanceUID].ImagePositionPatient
    opened = highdicom.seg.segread(written)
    assert [opened.get_segment_description(n).segment_label for n in opened.segment_numbers] == ["foreground"]
    by_source = opened.get_pixels_by_source_instance(
        source_sop_instance_uids=list(slices),
        combine_segments=True,
        ignore_spatial_locations=False,
        assert_missing_frames_are_empty=True,
    )
    folder = source[0].parent
    np.testing.assert_array_equal(by_source, read_fitting_of(written, folder))


ORIENTATIONS = {
    "as trained": ("LPS", np.eye(3)),
    "to the right, front and head": ("RAS", np.eye(3)),
    "sagittal": ("ASL", np.eye(3)),
    "coronal, mirrored": ("LIA", np.eye(3)),
    "oblique": ("RAS", np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_nifti_comes_back_with_its_own_affines(run: Path, tmp_path: Path, name: str) -> None:
    codes, rotation = ORIENTATIONS[name]
    made = scan(8)
    image, truth = (oriented(values, codes, rotation) for values in (made.hu, made.organ))
    nibabel.save(image, tmp_path / "scan.nii.gz")
    (written,) = pipeline.predict(run, [tmp_path / "scan.nii.gz"], tmp_path / "out", probabilities=True)
    assert written == tmp_path / "out" / "scan.nii.gz"
    beside = tmp_path / "out" / "scan_probabilities.nii.gz"
    for found in map(nibabel.load, (written, beside)):
        for method in ("get_sform", "get_qform"):
            given, code = getattr(image, method)(coded=True)
            kept, kept_code = getattr(found, method)(coded=True)
            np.testing.assert_array_equal(kept, given)
            assert kept_code == code
        assert found.header.get_xyzt_units() == image.header.get_xyzt_units()
    assert dice(np.asarray(nibabel.load(written).dataobj), np.asarray(truth.dataobj)) > CLOSE
    assert read_probabilities(as_file(beside)).shape == (1, *image.shape[::-1])


def oriented(values: NDArray[np.generic], codes: str, rotation: NDArray[np.float64]) -> nibabel.Nifti1Image:
    """The same patient, with array axes along other directions; both affines are set, with unlike codes."""
    affine = np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0])  # LPS, as (z, y, x) reversed
    affine[:3, 3] = (31.5, 20.25, -17.125)
    image = nibabel.Nifti1Image(values.transpose(2, 1, 0), affine)
    ends = nibabel.orientations.axcodes2ornt(codes)
    change = nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), ends)
    turned = image.as_reoriented(change)
    rotated = turned.affine.copy()
    rotated[:3, :3] = rotation @ rotated[:3, :3]
    result = nibabel.Nifti1Image(np.asarray(turned.dataobj), rotated)
    result.set_sform(rotated, code=2)
    result.set_qform(rotated, code=1)
    result.header.set_xyzt_units("mm", "sec")
    return result


def test_masks_in_another_orientation_are_scored_alike(run: Path, tmp_path: Path) -> None:
    data = run.parent / "data"
    masks = pipeline.predict(run, [data], tmp_path / "masks")
    assert [path.name for path in masks] == [f"scan_{number}.nii.gz" for number in range(4)]
    expected = pipeline.evaluate(tmp_path / "masks", data)
    assert expected.mean_dice.mean > CLOSE
    for path in masks:
        turned = nibabel.load(path).as_reoriented(np.array([[1, -1], [2, 1], [0, -1]]))
        nibabel.save(turned, path)
    assert read_mask(as_file(masks[0])).shape != SHAPE
    scores = pipeline.evaluate(tmp_path / "masks", data)
    assert scores.mean_dice.mean == pytest.approx(expected.mean_dice.mean, abs=1e-12)


def test_truth_in_another_orientation_than_its_image_is_learned_and_scored(
    learn: Callable[..., pipeline.Trained], tmp_path: Path
) -> None:
    data = write_pairs(tmp_path / "data", ".nii.gz", n_images=3)
    for path in (data / "labels").iterdir():
        nibabel.save(nibabel.load(path).as_reoriented(np.array([[2, 1], [0, -1], [1, -1]])), path)
    trained = learn(data, tmp_path / "run", "plan.mode=3d", "plan.patch_size=[8,32,32]")
    assert trained.scores.mean_dice.mean > CLOSE
    written = pipeline.predict(trained.run.folder, [data / "images"], tmp_path / "masks")
    assert {read_mask(as_file(path)).shape for path in written} == {SHAPE}
    assert pipeline.evaluate(tmp_path / "masks", data).mean_dice.mean > CLOSE


def test_classes_of_any_values_are_numbered_in_dicom_seg_and_read_back(
    learn: Callable[..., pipeline.Trained], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for number in range(3):
        made = scan(number)
        dense = made.organ * (np.arange(SHAPE[-1]) > 0.65 * SHAPE[-1])
        write_series(data / "images" / f"p{number}", made.hu + 500 * dense.astype(np.int16), spacing=SPACING)
        series = as_file(data / "images" / f"p{number}")
        (data / "labels").mkdir(exist_ok=True)
        values = (made.organ * 100 + dense * 50).astype(np.uint8)
        write_mask(data / "labels" / f"p{number}.nii.gz", values, like=series)
    trained = learn(
        data, tmp_path / "run", "plan.mode=slices", "plan.patch_size=[32,32]",
        "masks.classes={other: 0, organ: 100, dense: 150}", steps=120,
    )  # fmt: skip
    own = trained.scores.mean_dice.mean
    (kept,) = trained.run.predictions.iterdir()
    assert kept.name == "p2.dcm"
    assert pipeline.evaluate(trained.run.predictions, data).mean_dice.mean == pytest.approx(own, abs=1e-12)
    opened = highdicom.seg.segread(kept)
    labels = [opened.get_segment_description(number).segment_label for number in opened.segment_numbers]
    assert labels == ["organ", "dense"]
    found, truth = (
        read_fitting_of(kept, data / "images" / "p2"),
        read_mask(as_file(data / "labels/p2.nii.gz")),
    )
    assert dice(found == 2, truth == 150) > 0.5
    assert dice(found == 1, truth == 100) > 0.5
    assert "<html" in pipeline.report(trained.run.folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three volumes of two channels in nnU-Net's layout, and one of them again as ``imagesTs``."""
    data = make_dataset(
        tmp_path_factory.mktemp("channels") / "data", "volumes", "nnunet", n_images=3, shape=(8, 32, 32)
    )
    (data / "imagesTs").mkdir()
    for number in range(2):
        source = data / "imagesTr" / f"volume_001_000{number}.nii.gz"
        (data / "imagesTs" / f"new_009_000{number}.nii.gz").write_bytes(source.read_bytes())
    return data


def test_one_file_for_each_channel(
    learn: Callable[..., pipeline.Trained], channels: Path, tmp_path: Path
) -> None:
    trained = learn(channels, tmp_path / "run", "plan.mode=3d", "plan.patch_size=[8,32,32]", steps=4)
    assert trained.model.card.plan.n_channels == 2
    written = pipeline.predict(trained.run.folder, [channels / "imagesTs"], tmp_path / "out")
    assert [path.name for path in written] == ["new_009.nii.gz"]
    whole = pipeline.predict(trained.run.folder, [channels], tmp_path / "all")
    assert [path.name for path in whole] == [
        *("new_009.nii.gz", "volume_000.nii.gz", "volume_001.nii.gz", "volume_002.nii.gz")
    ]
    np.testing.assert_array_equal(read_mask(as_file(whole[0])), read_mask(as_file(whole[2])))
    whole[0].unlink()
    assert pipeline.evaluate(tmp_path / "all", channels).n_images == 3


def test_a_missing_channel_is_refused_unless_it_is_allowed(
    learn: Callable[..., pipeline.Trained], channels: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for source in channels.rglob("*.*"):
        if source.name != "volume_001_0001.nii.gz":
            copy = data / source.relative_to(channels)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
    with pytest.raises(DatasetError, match=r"volume_001 lacks T1ce.*layout\.missing"):
        learn(data, tmp_path / "refused")
    layout = "{image: 'images{split}/{id}_{channel}.*', labels: 'labels{split}/{id}.*', missing: allow}"
    trained = learn(
        data, tmp_path / "run", f"layout={layout}", "plan.mode=3d", "plan.patch_size=[8,32,32]", steps=4
    )
    assert trained.model.card.plan.n_channels == 2
    assert trained.scores.n_images == 1


def test_pages_of_a_stack_are_cases(learn: Callable[..., pipeline.Trained], tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", "cells", "isbi-stacks", n_images=5, shape=(64, 64))
    trained = learn(data, tmp_path / "run", "plan.patch_size=[32,32]", steps=4)
    assert trained.scores.n_images == 1
    written = pipeline.predict(trained.run.folder, [data], tmp_path / "all")
    assert [path.name for path in written] == [
        *("test-volume.tif", "train-volume_000.tif", "train-volume_001.tif", "train-volume_002.tif"),
        "train-volume_003.tif",
    ]  # the test stack has a single page
    assert {read_mask(as_file(path)).shape for path in written} == {(64, 64)}
    masks = {path.name: read_mask(as_file(path)) for path in written if path.name.startswith("train")}
    written[0].unlink()
    by_page = pipeline.evaluate(tmp_path / "all", data)
    assert by_page.n_images == 4
    (tmp_path / "stacks").mkdir()
    stack = np.stack([masks[name] for name in sorted(masks)])
    tifffile.imwrite(tmp_path / "stacks" / "train-volume.tif", stack, photometric="minisblack")
    assert pipeline.evaluate(tmp_path / "stacks", data).mean_dice.mean == by_page.mean_dice.mean
    tifffile.imwrite(tmp_path / "stacks" / "train-volume.tif", stack[0])
    with pytest.raises(DatasetError, match=r"train-volume\.tif: found one mask.*train-volume_000"):
        pipeline.evaluate(tmp_path / "stacks", data)


def test_stacks_of_imagej_are_volumes_with_their_spacing(
    learn: Callable[..., pipeline.Trained], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for number in range(3):
        made = scan(number)
        for role, values in (("images", made.hu.clip(0).astype(np.uint16)), ("masks", made.organ * 255)):
            (data / role).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(
                data / role / f"{number}.tif", values, imagej=True, resolution=(1 / 0.5, 1 / 0.5),
                metadata={"axes": "ZYX", "spacing": 1.5, "unit": "um"},
            )  # fmt: skip
    trained = learn(data, tmp_path / "run", "plan.mode=3d", "plan.patch_size=[8,32,32]", steps=120)
    plan = trained.model.card.plan
    assert (plan.unit, plan.spacing) == ("um", pytest.approx((1.5, 0.5, 0.5)))
    written = pipeline.predict(trained.run.folder, [data], tmp_path / "masks", probabilities=True)
    mask = read_image(as_file(written[0]))
    assert (mask.unit, mask.spacing) == ("um", pytest.approx((1.5, 0.5, 0.5)))
    assert sorted(path.name for path in (tmp_path / "masks").iterdir())[:2] == [
        "0.tif",
        "0_probabilities.tif",
    ]
    scores = pipeline.evaluate(tmp_path / "masks", data)
    assert scores.mean_dice.mean > CLOSE
    assert scores.curves is not None


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_metaimage_and_nrrd_come_back_on_their_grid(
    learn: Callable[..., pipeline.Trained], tmp_path: Path, suffix: str
) -> None:
    data = write_pairs(tmp_path / "data", suffix, n_images=3)
    trained = learn(data, tmp_path / "run", "plan.mode=3d", "plan.patch_size=[8,32,32]")
    written = pipeline.predict(trained.run.folder, [data / "images"], tmp_path / "out", probabilities=True)
    assert [path.name for path in written] == [f"scan_{number}{suffix}" for number in range(3)]
    for path in (written[0], written[0].with_name(f"scan_0_probabilities{suffix}")):
        found, given = (SimpleITK.ReadImage(one) for one in (path, data / "images" / written[0].name))
        for grid in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(found, grid)() == pytest.approx(getattr(given, grid)())
    scores = pipeline.evaluate(tmp_path / "out", data)
    assert scores.mean_dice.mean > CLOSE
    assert scores.curves is not None


def test_arrays_are_predicted_as_the_files_are(run: Path, tmp_path: Path) -> None:
    made = scan(9)
    (written,) = pipeline.predict(run, [save(tmp_path / "scan.nii.gz", made.hu)], tmp_path / "out")
    predictor = seglet.load(run)
    image = Image(made.hu[None], SPACING, "mm", direction=UPRIGHT)
    np.testing.assert_array_equal(predictor.predict(image), read_mask(as_file(written)))
    assert dice(predictor.predict(image), made.organ) > CLOSE
