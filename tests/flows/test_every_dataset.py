"""Each folder of real data is found by itself, or by one line of a recipe, and its middle case is read."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from seglet.data.cases import find_cases
from seglet.data.layouts import Layout
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_sample
from seglet.recipe import read_recipe


@dataclass(frozen=True)
class Expected:
    """What a folder holds; `line` is the line of a recipe that it needs."""

    folder: str
    n_cases: int
    n_labelled: int
    shape: tuple[int, ...]
    name: str = ""
    line: str = ""
    n_groups: int = 0
    channels: tuple[str, ...] = ()
    class_files: tuple[str, ...] = ()
    n_orphans: int = 0


EVERY = [
    Expected("dsb2018", 332, 332, (256, 256), "Kaggle nuclei (one mask per object)"),
    Expected("dsb2018/stage1_train.zip", 332, 332, (256, 256), "Kaggle nuclei (one mask per object)"),
    Expected("bbbc039", 20, 20, (520, 696), "folders images and masks"),
    Expected("chasedb1", 28, 28, (960, 999), "CHASE_DB1", n_groups=14),
    Expected("hrf", 4, 4, (2336, 3504), "HRF"),
    Expected("isbi2012", 25, 25, (512, 512), "folders image and label"),
    Expected("vnc_em", 10, 10, (1024, 1024), "folders raw and labels"),
    Expected(
        "vnc_em",
        10,
        10,
        (1024, 1024),
        "custom",
        "layout={image: 'raw/{id}.tif', labels: '{class}/{id}.png'}",
        class_files=("membranes", "mitochondria"),
    ),
    Expected("hippocampus", 90, 90, (41, 47, 32), "folders images and labels"),
    Expected("lgg_mr", 141, 141, (256, 256), "{id} beside {id}_mask", n_groups=4),
    Expected("msles", 1, 1, (182, 218, 182), channels=("FLAIR", "T1", "T1POST", "T2")),
    Expected("ct/spleen_bids", 1, 1, (26, 166, 164), "BIDS, derivatives _seg-manual", n_groups=1),
    Expected(
        "ct/totalsegmentator",
        1,
        1,
        (30, 101, 122),
        "custom",
        "layout={image: '{id}_ct_sm.nii.gz', labels: '{id}_seg.nii.gz'}",
    ),
    Expected(
        "ct/dicom_seg",
        1,
        1,
        (3, 512, 512),
        "custom",
        "layout={image: ct-3slice.dcm, labels: liver.dcm}",
    ),
    Expected(
        "ct/dicom_seg",
        2,
        2,
        (3, 38, 24),
        "custom",
        "layout={image: '{id}/image.dcm', labels: '{id}/seg/label.dcm'}",
    ),
    Expected(
        "formats/axon_sem_bids",
        5,
        5,
        (758, 737),
        "BIDS, derivatives _seg-axon-manual, _seg-myelin-manual",
        n_groups=2,
        class_files=("axon", "myelin"),
    ),
    Expected("formats/png_tif", 14, 0, (256, 256), "BIDS without derivatives", n_groups=2),
    Expected("formats/nrrd", 3, 3, (23, 256, 256), "{id}_image beside {id}_label", n_orphans=2),
    Expected(
        "formats/spinal_nifti",
        1,
        1,
        (52, 55, 60),
        "custom",
        "layout={image: t2/t2.nii.gz, labels: t2/t2_seg-manual.nii.gz}",
    ),
]


def layout_of(line: str) -> Layout | None:
    return read_recipe("auto", [line]).layout if line else None


@pytest.mark.data
@pytest.mark.parametrize("expected", EVERY, ids=lambda one: f"{one.folder}{'-line' * bool(one.line)}")
def test_folder_is_found_and_read(data_folder: Path, expected: Expected) -> None:
    found = find_cases(data_folder / expected.folder, layout_of(expected.line))
    labelled = [case for case in found.cases if case.labels]
    assert (len(found.cases), len(labelled)) == (expected.n_cases, expected.n_labelled)
    assert found.layout.name == (expected.name or found.layout.name)
    assert len({case.group for case in found.cases} - {None}) == expected.n_groups
    assert (found.channels, found.class_files) == (expected.channels, expected.class_files)
    assert len(found.orphans) == expected.n_orphans
    cases = labelled or list(found.cases)
    middle = cases[len(cases) // 2]
    labels = understand_masks([middle], MaskConfig(), classes=found.classes) if labelled else None
    sample = read_sample(middle, labels)
    assert sample.image.shape == expected.shape
    assert sample.image.n_channels == max(len(expected.channels), sample.image.n_channels)
    if labels is not None:
        assert sample.labels is not None
        assert sample.labels.shape == expected.shape
        assert (sample.labels > 0).any()
