"""NRRD and MetaImage in and out."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from seglet.core.errors import FormatError, GeometryError, MissingExtra
from seglet.core.image import Image
from seglet.io.nrrd import open_image, write

VALUES = np.random.default_rng(0).integers(-900, 2000, (5, 6, 7), np.int16)
TURNED = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0, -1.0, 0.0, 0.0)


def save(path: Path, values: np.ndarray, **options: object) -> Path:
    volume = sitk.GetImageFromArray(values, **options)
    volume.SetSpacing((0.7, 0.8, 2.5)[: volume.GetDimension()])
    if volume.GetDimension() == 3:
        volume.SetOrigin((3.0, -11.0, 17.0))
        volume.SetDirection(TURNED)
    sitk.WriteImage(volume, str(path))
    return path


def opened(path: Path) -> Image:
    return open_image(path, "", path.name).load()


@pytest.mark.parametrize("suffix", ["nrrd", "mha", "nhdr", "mhd"])
def test_every_voxel_keeps_its_place_in_the_patient(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"x.{suffix}", VALUES)
    image, oracle = opened(path), sitk.ReadImage(str(path))
    assert np.array_equal(image.pixels[0], VALUES)
    assert (image.spacing, image.unit) == (pytest.approx((2.5, 0.8, 0.7)), "mm")
    for place in ((0, 0, 0), (4, 0, 0), (0, 5, 0), (1, 2, 3)):
        at = np.reshape(image.direction, (3, 3)) @ (np.array(place) * image.spacing) + image.origin
        assert tuple(at[::-1]) == pytest.approx(oracle.TransformIndexToPhysicalPoint(place[::-1]))


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
@pytest.mark.parametrize("shape", [(1, 5, 6, 7), (3, 5, 6, 7), (1, 6, 7), (3, 6, 7)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_a_written_image_is_read_back(
    tmp_path: Path, suffix: str, shape: tuple[int, ...], dtype: type
) -> None:
    pixels = np.random.default_rng(1).integers(0, 250, shape).astype(dtype)
    n = len(shape) - 1
    direction = TURNED if n == 3 else (0.0, -1.0, 1.0, 0.0)
    image = Image(pixels, (2.5, 0.8, 0.7)[-n:], "mm", (17.0, -11.0, 3.0)[-n:], direction)
    write(tmp_path / f"x.{suffix}", image)
    again = opened(tmp_path / f"x.{suffix}")
    assert np.array_equal(again.pixels, pixels)
    assert again.pixels.dtype == dtype
    assert again.spacing == pytest.approx(image.spacing)
    assert again.origin == pytest.approx(image.origin)
    assert again.direction == pytest.approx(image.direction)


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_a_box_is_what_slicing_gives(tmp_path: Path, suffix: str) -> None:
    colors = np.random.default_rng(0).integers(0, 255, (5, 6, 7, 3), np.uint8)
    stored = open_image(save(tmp_path / f"x.{suffix}", colors, isVector=True), "", "x")
    box = (slice(1, 3), slice(2, 6), slice(0, 4))
    assert stored.extent == (3, 5, 6, 7)
    assert np.array_equal(stored.read(box), np.moveaxis(colors, -1, 0)[(slice(None), *box)])


def test_a_fourth_axis_is_channels(tmp_path: Path) -> None:
    series = np.random.default_rng(0).integers(0, 255, (4, 5, 6, 7), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(series, isVector=False), str(tmp_path / "x.nrrd"))
    stored = open_image(tmp_path / "x.nrrd", "", "x")
    assert stored.extent == (4, 5, 6, 7)
    assert np.array_equal(stored.load().pixels, series)
    assert np.array_equal(stored.read((slice(2, 3), slice(0, 2), slice(3, 5))), series[:, 2:3, 0:2, 3:5])


def test_only_uncompressed_metaimages_are_read_in_parts(tmp_path: Path) -> None:
    save(tmp_path / "a.mha", VALUES)
    write(tmp_path / "b.mha", Image(VALUES[None]))
    save(tmp_path / "c.nrrd", VALUES)
    found = [open_image(tmp_path / name, "", name).is_random for name in ("a.mha", "b.mha", "c.nrrd")]
    assert found == [True, False, False]


def nrrd(folder: Path, fields: str, values: np.ndarray) -> Path:
    start = f"NRRD0004\ntype: {values.dtype}\nencoding: raw\nendian: little\n{fields}\n\n"
    (folder / "x.nrrd").write_bytes(start.encode() + values.tobytes())
    return folder / "x.nrrd"


def test_a_header_may_say_another_unit_or_no_spacing(tmp_path: Path) -> None:
    sizes = "dimension: 3\nspace dimension: 3\nsizes: 7 6 5"
    directions = 'space directions: (0.5,0,0) (0,0.5,0) (0,0,2)\nspace units: "nm" "nm" "nm"'
    image = opened(nrrd(tmp_path, f"{sizes}\n{directions}", VALUES))
    assert (image.spacing, image.unit) == (pytest.approx((2e-3, 5e-4, 5e-4)), "um")
    image = opened(nrrd(tmp_path, "dimension: 3\nsizes: 7 6 5", VALUES))
    assert (image.spacing, image.unit) == ((), "px")
    assert np.array_equal(image.pixels[0], VALUES)


def test_layers_of_a_slicer_segmentation_become_one_label_map(tmp_path: Path) -> None:
    layers = np.zeros((3, 4, 5, 2), np.uint8)  # z, y, x, layer
    layers[0, :, :, 0] = 1
    layers[1, :, :, 0] = 2
    layers[0, 0, :, 1] = 1  # overlaps the first
    fields = (
        "dimension: 4\nspace: left-posterior-superior\nsizes: 2 5 4 3\nkinds: list domain domain domain\n"
        "space directions: none (0.5,0,0) (0,0.5,0) (0,0,2)\n"
        "Segment0_LabelValue:=1\nSegment0_Layer:=0\nSegment1_LabelValue:=2\nSegment1_Layer:=0\n"
        "Segment2_LabelValue:=1\nSegment2_Layer:=1"
    )
    stored = open_image(nrrd(tmp_path, fields, layers), "", "x.seg.nrrd")
    labels = stored.load().pixels
    assert stored.extent == labels.shape == (1, 3, 4, 5)
    assert labels[0, :, :, 0].tolist() == [[3, 1, 1, 1], [2, 2, 2, 2], [0, 0, 0, 0]]
    assert stored.dtype == labels.dtype == np.uint8
    assert stored.spacing == (2.0, 0.5, 0.5)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_truncated_files_are_named(tmp_path: Path, suffix: str, share: float) -> None:
    path = save(tmp_path / f"x.{suffix}", VALUES)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=rf"x\.{suffix}.*Copy or export"):
        opened(path)


def test_a_header_without_its_data_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "x.mhd", VALUES)
    (tmp_path / "x.raw").unlink()
    with pytest.raises(FormatError, match=r"x\.mhd"):
        opened(path)
    with pytest.raises(FormatError, match=r"Write \.nrrd or \.mha"):
        write(tmp_path / "y.mhd", Image(VALUES[None]))


def test_odd_numbers_of_axes_and_complex_values_are_refused(tmp_path: Path) -> None:
    sitk.WriteImage(
        sitk.GetImageFromArray(np.zeros((2, 3, 4, 5, 6), np.uint8), isVector=False), str(tmp_path / "x.nrrd")
    )
    with pytest.raises(GeometryError, match="5 axes"):
        opened(tmp_path / "x.nrrd")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4), np.complex64)), str(tmp_path / "c.nrrd"))
    with pytest.raises(FormatError, match="complex"):
        opened(tmp_path / "c.nrrd")


def test_without_simpleitk_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "SimpleITK", None)
    with pytest.raises(MissingExtra, match=r"seglet\[medical\]"):
        open_image(tmp_path / "x.nrrd", "", "x.nrrd")


@pytest.mark.data
def test_real_pairs_share_their_grid(data_folder: Path) -> None:
    for name in ("brain1", "breast1"):
        image, mask = (
            open_image(data_folder / "formats" / "nrrd" / f"{name}_{kind}.nrrd", "", name)
            for kind in ("image", "label")
        )
        assert image.shape == mask.shape
        assert image.spacing == pytest.approx(mask.spacing)
        assert image.direction == pytest.approx(mask.direction)
        assert mask.load().pixels.any()
