"""Masks are understood, decoded and written back."""

import io
from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image as Picture
from scipy import ndimage

from seglet.core.errors import ConfigError, DatasetError, FormatError
from seglet.core.image import IGNORE, Image, LabelClass, Labels
from seglet.data import chart
from seglet.data.cases import Case, find_cases
from seglet.data.encodings import describe
from seglet.data.masks import (
    MaskConfig,
    decode,
    decode_objects,
    encode,
    labels_from,
    understand_masks,
    unknown_values,
)
from seglet.data.survey import survey_mask
from seglet.io.files import write_image, write_mask
from seglet.io.listing import as_file

DISC = (np.hypot(*np.mgrid[-20:20, -20:20]) < 12).astype(np.uint8)


def scheme(encoding: str = "values", ignore: object = None, **classes: object) -> Labels:
    listed = tuple(LabelClass(name=name, value=value) for name, value in classes.items())
    return Labels(encoding=encoding, classes=listed, ignore=ignore)


def stored(folder: Path, *masks: np.ndarray, suffix: str = "png") -> list[Case]:
    cases = []
    for k, mask in enumerate(masks):
        path = folder / f"{k}.{suffix}"
        Picture.fromarray(mask).save(path)
        cases.append(Case(str(k), (as_file(path),), (as_file(path),)))
    return cases


def test_two_values_of_any_file_are_understood(tmp_path: Path) -> None:
    labels = understand_masks(stored(tmp_path, DISC * 255, DISC * 0), MaskConfig())
    assert [one.value for one in labels.classes] == [0, 255]
    assert describe(labels) == "2 classes by value: 0 is background, 255 is foreground."


def test_jpeg_masks_are_cut_half_way(tmp_path: Path) -> None:
    for quality in (50, 75, 95):
        stream = io.BytesIO()
        Picture.fromarray(DISC * 255).save(stream, "jpeg", quality=quality)
        (tmp_path / "0.jpg").write_bytes(stream.getvalue())
        file = as_file(tmp_path / "0.jpg")
        labels = understand_masks([Case("0", (file,), (file,))], MaskConfig())
        assert labels.threshold is not None
        mask = np.asarray(Picture.open(stream))
        assert np.count_nonzero(decode(mask, labels) != DISC) <= 2
        assert "above" in describe(labels)


def test_smoothed_masks_are_cut_half_way(tmp_path: Path) -> None:
    soft = ndimage.gaussian_filter(DISC * 255.0, 1.0).round().astype(np.uint8)
    labels = understand_masks(stored(tmp_path, soft), MaskConfig())
    assert labels.threshold is not None
    assert abs(decode(soft, labels).mean() - DISC.mean()) < 0.02


def test_accidental_pixels_do_not_make_classes(tmp_path: Path) -> None:
    mask = DISC * 255
    mask[0, 0] = 130
    labels = understand_masks(stored(tmp_path, mask), MaskConfig())
    assert labels.threshold == 127.5


def test_many_files_per_case_are_objects(tmp_path: Path) -> None:
    first, second = stored(tmp_path, DISC * 255, DISC * 255)
    both = Case("x", (first.image,), (*first.labels, *second.labels))
    labels = understand_masks([both], MaskConfig())
    assert labels.encoding == "objects"
    assert "One mask file per object" in describe(labels)


def test_bad_masks_are_all_listed(tmp_path: Path) -> None:
    cases = stored(tmp_path, DISC, DISC, DISC)
    for name in ("0.png", "2.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError, match=r"2 bad files.*0\.png.*2\.png"):
        understand_masks(cases, MaskConfig())


def test_reading_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    understand_masks(
        stored(tmp_path, DISC, DISC), MaskConfig(), lambda event: told.append((event.done, event.total))
    )
    assert told == [(1, 2), (2, 2)]


def test_the_ignored_value_is_no_class(tmp_path: Path) -> None:
    mask = DISC.copy()
    mask[0, 0] = 255
    labels = understand_masks(stored(tmp_path, mask), MaskConfig(ignore=255))
    assert labels.n_classes == 2
    assert decode(mask, labels)[0, 0] == IGNORE
    assert "255 is not labelled" in describe(labels)


def test_white_is_ignored_in_color_masks_by_its_gray_level(tmp_path: Path) -> None:
    mask = np.stack([DISC * 255, DISC * 0, DISC * 0], axis=-1)
    mask[0] = 255
    labels = understand_masks(stored(tmp_path, mask), MaskConfig(ignore=255))
    indexes = decode(mask, labels)
    assert labels.n_classes == 2
    assert (indexes[0] == IGNORE).all()
    assert not unknown_values(survey_mask(mask), labels)
    np.testing.assert_array_equal(encode(indexes, labels), mask)


def test_an_ignored_color_between_objects_is_written_as_background() -> None:
    labels = scheme("instances", ignore=(255, 0, 0), background=0, object=255)
    assert encode(np.array([[0, 1, IGNORE]]), labels).tolist() == [[0, 255, 0]]


@pytest.mark.parametrize(
    "classes",
    [{"a": 0}, {"a": 0, "b": 0}, {"a": 0, "b": (1, 2, 3)}],
)
def test_impossible_classes_are_refused(classes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"masks\.classes"):
        MaskConfig(classes=classes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_values_decode_to_indexes_and_back(dtype: type) -> None:
    labels = scheme(bg=0, b=200, a=7)
    mask = np.array([[0, 7], [200, 7]], dtype)
    assert decode(mask, labels).tolist() == [[0, 2], [1, 2]]
    assert np.array_equal(encode(decode(mask, labels), labels), mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_unknown_values_are_named(dtype: type) -> None:
    mask = np.array([[0, 37, 255]], dtype)
    with pytest.raises(FormatError, match=r"m\.png: found mask values 37.*0 \(bg\), 255 \(fg\)"):
        decode(mask, scheme(bg=0, fg=255), "m.png")
    assert unknown_values(survey_mask(mask), scheme(bg=0, fg=255)) == [37]


def test_colors_decode_to_indexes_and_back() -> None:
    labels = scheme("colors", bg=(0, 0, 0), red=(255, 0, 0), white=(255, 255, 255))
    mask = np.array([[[0, 0, 0], [255, 0, 0], [255, 255, 255]]], np.uint8)
    assert decode(mask, labels).tolist() == [[0, 1, 2]]
    assert np.array_equal(encode(decode(mask, labels), labels), mask)
    assert decode(mask[..., 1], labels).tolist() == [[0, 0, 2]]  # a gray file among colored ones
    with pytest.raises(FormatError, match="#010203"):
        decode(np.array([[[1, 2, 3]]], np.uint8), labels)


def test_ignored_pixels_survive_the_way_back() -> None:
    labels = scheme(ignore=9, bg=0, fg=1)
    mask = np.array([[0, 1, 9]], np.uint8)
    assert decode(mask, labels).tolist() == [[0, 1, IGNORE]]
    assert np.array_equal(encode(decode(mask, labels), labels), mask)


def test_wide_values_are_written_with_sixteen_bits() -> None:
    assert encode(np.array([[1]], np.uint8), scheme(bg=0, fg=1000)).dtype == np.uint16


def test_a_value_for_unlabelled_pixels_beyond_sixteen_bits_does_not_wrap() -> None:
    labels = scheme("instances", ignore=2**31 - 1, background=0, object=1)
    assert encode(np.array([[0, 1, IGNORE]]), labels).tolist() == [[0, 1, 2**31 - 1]]


def test_objects_are_numbered_from_one() -> None:
    labels = scheme("instances", background=0, object=255)
    objects = decode_objects(np.array([[0, 900, 0, 17, 0, 900]], np.uint16), labels)
    assert objects is not None
    assert objects.tolist() == [[0, 2, 0, 1, 0, 2]]
    assert objects.dtype == np.int32
    assert decode(np.array([[0, 900, 17]], np.uint16), labels).tolist() == [[0, 1, 1]]


def test_values_reused_for_many_objects_are_parted() -> None:
    objects = decode_objects(
        np.array([[1, 0, 1, 2, 0, 1]], np.uint8), scheme("instances", background=0, object=255)
    )
    assert objects is not None
    assert sorted(set(objects.ravel().tolist())) == [0, 1, 2, 3, 4]


def test_numbers_of_objects_are_taken_at_their_word() -> None:
    labels = scheme("instances", ignore=70_000, background=0, object=1)
    mask = np.array([[7, 0, 7, 0, 7, 0, 3, 70_000]], np.int32)
    numbered = labels.model_copy(update={"is_numbered": True})
    assert decode_objects(mask, numbered).tolist() == [[7, 0, 7, 0, 7, 0, 3, 0]]
    assert decode_objects(mask, labels).max() == 4


def test_an_empty_mask_has_no_objects() -> None:
    objects = decode_objects(np.zeros((3, 3), np.uint8), scheme("instances", background=0, object=255))
    assert objects is not None
    assert not objects.any()
    assert decode_objects(np.zeros((3, 3), np.uint8), scheme(bg=0, fg=1)) is None


def test_colored_objects_are_told_apart() -> None:
    mask = np.zeros((1, 3, 3), np.uint8)
    mask[0, 0], mask[0, 2] = (5, 6, 7), (7, 6, 5)
    objects = decode_objects(mask, scheme("instances", background=0, object=255))
    assert objects is not None
    assert objects.tolist() == [[1, 0, 2]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_volumes_decode_to_indexes_and_back(dtype: type) -> None:
    labels = scheme(bg=0, b=100, a=7, ignore=3)
    mask = np.random.default_rng(0).choice(np.array([0, 7, 100, 3], dtype), (5, 6, 7))
    indexes = decode(mask, labels)
    assert indexes.shape == (5, 6, 7)
    np.testing.assert_array_equal(indexes == 1, mask == 100)
    np.testing.assert_array_equal(indexes == IGNORE, mask == 3)
    np.testing.assert_array_equal(encode(indexes, labels), mask)


def test_values_below_zero_are_decoded_and_named_when_strange() -> None:
    mask = np.array([[-1, 0, 2]], np.int16)
    assert decode(mask, scheme(bg=0, fg=2, ignore=-1)).tolist() == [[IGNORE, 0, 1]]
    with pytest.raises(FormatError, match="found mask values -1"):
        decode(mask, scheme(bg=0, fg=2))


def test_objects_of_volumes_keep_their_numbers_apart() -> None:
    mask = np.zeros((4, 5, 6), np.uint16)
    mask[0, 0, 0], mask[0, 1, 1], mask[3] = 9, 9, 500
    objects = decode_objects(mask, scheme("instances", background=0, object=255))
    assert objects is not None
    np.testing.assert_array_equal(objects, np.searchsorted([0, 9, 500], mask))


def test_values_from_one_on_are_decoded(tmp_path: Path) -> None:
    for top in (2, 3):
        mask = np.arange(16, dtype=np.uint8).reshape(4, 4) % top + 1
        labels = understand_masks(stored(tmp_path, mask, mask), MaskConfig())
        assert labels.classes[0].value == 1
        np.testing.assert_array_equal(decode(mask, labels), mask - 1)


def test_interpolated_real_numbers_are_cut_at_half(tmp_path: Path) -> None:
    soft = ndimage.gaussian_filter(np.stack([DISC] * 12).astype(np.float32), 1.0)
    write_image(tmp_path / "soft.nii.gz", Image(soft[None]))
    file = as_file(tmp_path / "soft.nii.gz")
    labels = understand_masks([Case("0", (file,), (file,))], MaskConfig())
    assert labels.threshold == 127.5
    assert [one.value for one in labels.classes] == [0, 255]


def test_a_file_for_each_class_needs_no_look(tmp_path: Path) -> None:
    files = tuple(as_file(tmp_path / f"{name}.png") for name in ("myelin", "axon"))
    cases = [Case("0", files[:1], files, classes=("myelin", "axon")), Case("1", files[:1])]
    labels = understand_masks(cases, MaskConfig())
    assert labels.encoding == "files"
    assert labels.names == ("background", "axon", "myelin")
    assert describe(labels) == "One mask file per class: axon, myelin."
    indexes = np.array([[0, 1, 2]], np.uint8)
    np.testing.assert_array_equal(decode(encode(indexes, labels), labels), indexes)
    with pytest.raises(ConfigError, match=r"masks\.encoding: found colors"):
        understand_masks(cases, MaskConfig(encoding="colors"))


def test_markers_beside_masks_mean_objects(tmp_path: Path) -> None:
    write_mask(tmp_path / "0.png", DISC)
    file = as_file(tmp_path / "0.png")
    assert understand_masks([Case("0", (file,), (file,), tracks=file)], MaskConfig()).encoding == "instances"


def test_what_the_dataset_says_of_its_values_holds_unless_the_user_says_more() -> None:
    said = {"background": 0, "liver": 1, "tumour": 2}
    surveys = [survey_mask(DISC)]
    labels = labels_from(surveys, MaskConfig(), per_object=False, classes=said)
    assert labels.names == ("background", "liver", "tumour")
    assert unknown_values(survey_mask(DISC * 4), labels) == [4]
    told = MaskConfig(classes={"air": 0, "body": 1})
    assert labels_from(surveys, told, per_object=False, classes=said).names == ("air", "body")
    binary = MaskConfig(encoding="binary")
    assert labels_from(surveys, binary, per_object=False, classes=said).n_classes == 2
    assert labels_from(surveys, MaskConfig(), per_object=False, classes={"background": 0}).n_classes == 2


def test_of_a_huge_mask_boxes_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((40, 60, 80), np.int16)
    mask[:, :, 30:50], mask[:, 50:] = 4, 9
    zarr.create_array(tmp_path / "m.zarr", data=mask, chunks=(8, 8, 8))
    file = as_file(tmp_path / "m.zarr")
    whole = understand_masks([Case("0", (file,), (file,))], MaskConfig())
    monkeypatch.setattr(chart, "LARGEST_WHOLE", 1000)
    monkeypatch.setattr(chart, "BOX_PIXELS", 512)
    assert understand_masks([Case("0", (file,), (file,))], MaskConfig()) == whole
    assert [one.value for one in whole.classes] == [0, 4, 9]


def test_pages_of_a_stack_are_masks_of_their_own(tmp_path: Path) -> None:
    write_mask(tmp_path / "labels.tif", np.stack([DISC * 0, DISC * 7]))
    file = as_file(tmp_path / "labels.tif")
    first, both = (
        [Case("0", (file,), (file,), page=0)],
        [Case(str(k), (file,), (file,), page=k) for k in (0, 1)],
    )
    assert [one.value for one in understand_masks(both, MaskConfig()).classes] == [0, 7]
    assert [one.value for one in understand_masks(first, MaskConfig()).classes] == [0, 255]


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "encoding", "values"),
    [
        ("bbbc039", "instances", [0, 255]),
        ("isbi2012", "values", [0, 255]),
        ("vnc_em", "values", [0, 32, 64, 96, 128, 159, 191, 223, 255]),
        ("lgg_mr", "values", [0, 255]),
    ],
)
def test_real_masks_are_understood(data_folder: Path, folder: str, encoding: str, values: list[int]) -> None:
    labels = understand_masks(find_cases(data_folder / folder).cases, MaskConfig())
    assert labels.encoding == encoding
    assert labels.threshold is None
    assert [one.value for one in labels.classes] == values


@pytest.mark.data
def test_slightly_gray_real_masks_are_two_classes(data_folder: Path) -> None:
    folder = data_folder / "formats" / "axon_sem_bids" / "derivatives"
    files = [as_file(path) for path in sorted(folder.rglob("*axon-manual.png"))]
    labels = understand_masks([Case(file.stem, (file,), (file,)) for file in files], MaskConfig())
    assert (labels.n_classes, labels.threshold) == (2, 127.5)


@pytest.mark.data
@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("hippocampus/labelsTr/*.nii.gz", [0, 1, 2]),
        ("ct/totalsegmentator/example_seg.nii.gz", None),
        ("formats/spinal_nifti/t2/t2_seg-manual_labeled.nii.gz", [0, 2, 3, 4, 5]),
        ("formats/nrrd/brain*_label.nrrd", [0, 1]),
        ("ct/dicom_seg/partial_overlaps.dcm", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_real_label_maps_of_volumes_are_classes(
    data_folder: Path, pattern: str, values: list[int] | None
) -> None:
    files = [as_file(path) for path in sorted(data_folder.glob(pattern))]
    labels = understand_masks([Case(file.stem, (file,), (file,)) for file in files], MaskConfig())
    assert labels.encoding == "values"
    assert labels.n_classes == 42 if values is None else [one.value for one in labels.classes] == values


LIVER = scheme(background=0, liver=5).model_copy(update={"others": "background"})


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
@pytest.mark.parametrize("top", [117, 2**20])
def test_values_of_no_class_are_background_if_said(dtype: type, top: int) -> None:
    mask = np.array([[[0, 5, 4, 6, min(top, np.iinfo(dtype).max), 5]]], dtype)
    indexes = decode(mask, LIVER)
    assert indexes.tolist() == [[[0, 1, 0, 0, 0, 1]]]
    assert encode(indexes, LIVER).tolist() == [[[0, 5, 0, 0, 0, 5]]]
    assert unknown_values(survey_mask(mask), LIVER) == []
    assert "5 is liver; all others are background" in describe(LIVER)


def test_unlabelled_values_stay_so_beside_the_others() -> None:
    labels = LIVER.model_copy(update={"ignore": 255})
    assert decode(np.array([[255, 5, 7]], np.uint8), labels).tolist() == [[IGNORE, 1, 0]]


def test_colors_of_no_class_are_background_if_said() -> None:
    labels = scheme("colors", bg=(0, 0, 0), red=(255, 0, 0)).model_copy(update={"others": "background"})
    mask = np.array([[[1, 2, 3], [255, 0, 0], [0, 0, 0]]], np.uint8)
    assert decode(mask, labels).tolist() == [[0, 1, 0]]
    assert encode(decode(mask, labels), labels).tolist() == [[[0, 0, 0], [255, 0, 0], [0, 0, 0]]]


def test_others_are_told_by_the_settings(tmp_path: Path) -> None:
    cases = stored(tmp_path, np.arange(16, dtype=np.uint8).reshape(4, 4))
    config = MaskConfig(classes={"background": 0, "liver": 5}, others="background")
    assert understand_masks(cases, config) == LIVER
    with pytest.raises(ConfigError, match=r"masks\.others: found background; expected masks\.classes"):
        MaskConfig(others="background")


def test_lesions_are_merged_into_their_organ_by_two_classes_of_a_binary_mask() -> None:
    """LiTS: 1 liver, 2 tumor. Unless the classes are said, the cut lies half way to the tumor."""
    mask = np.array([[0, 1, 2]], np.uint8)
    surveys = [survey_mask(mask)]
    told = MaskConfig(encoding="binary", classes={"background": 0, "liver": 1})
    labels = labels_from(surveys, told, per_object=False)
    assert decode(mask, labels).tolist() == [[0, 1, 1]]
    assert encode(decode(mask, labels), labels).tolist() == [[0, 1, 1]]
    half_way = labels_from(surveys, MaskConfig(encoding="binary"), per_object=False)
    assert decode(mask, half_way).tolist() == [[0, 0, 1]]
