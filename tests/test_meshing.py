"""The use case of surfaces: masks in; meshes, pictures and a page out."""

import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image as Picture

from seglet import pipeline
from seglet.core.errors import ConfigError, DatasetError, GeometryError, MissingExtra
from seglet.core.image import Image
from seglet.io.files import write_image, write_mask
from seglet.meshing import MeshConfig, mesh

UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def two_organs() -> np.ndarray:
    """A box of class 1 and one of class 2, (z, y, x)."""
    mask = np.zeros((12, 20, 24), np.uint8)
    mask[2:8, 3:17, 4:14] = 1
    mask[3:7, 5:12, 16:22] = 2
    return mask


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """A folder of two volumes; the second lacks class 2."""
    folder = tmp_path / "masks"
    whole, part = two_organs(), two_organs() % 2
    grid = ((5.0, 2.0, 2.0), "mm", (-30.0, 40.0, 50.0), UPRIGHT)
    write_image(folder / "p1.nii.gz", Image(whole[None], *grid))
    write_image(folder / "p2.nii.gz", Image(part[None], *grid))
    return folder


def test_every_class_of_every_volume_becomes_a_closed_mesh(masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = mesh(masks, out, MeshConfig(formats=("stl", "glb")))
    assert [(row.case, row.name) for row in rows] == [
        ("p1", "class_1"), ("p1", "class_2"), ("p2", "class_1"), ("p2", "class_2"),
    ]  # fmt: skip
    written = {"index.html", "p1.glb", "p1.png", "p1_class_1.stl", "p1_class_2.stl", "p2.glb", "p2.png"}
    assert {path.name for path in out.iterdir()} == {*written, "p2_class_1.stl"}
    for row in rows[:3]:
        surface = trimesh.load(out / row.files[0])
        assert surface.is_watertight
        assert surface.volume / 1000 == pytest.approx(row.voxel_volume, rel=0.02)
        assert row.volume == pytest.approx(surface.volume / 1000, rel=1e-4)
        assert row.surface == pytest.approx(surface.area / 100, rel=1e-4)
        assert row.n_triangles == len(surface.faces)
    assert rows[0].voxel_volume == pytest.approx((two_organs() == 1).sum() * 20 / 1000)
    gone = rows[3]
    assert (gone.volume, gone.surface, gone.n_triangles, gone.files) == (0, 0, 0, ())
    with Picture.open(out / "p1.png") as drawn:
        assert drawn.width == 3 * drawn.height
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.count('class="turning"') == 2
    assert 'href="p2_class_1.stl"' in page


def test_meshes_lie_where_their_masks_do(masks: Path, tmp_path: Path) -> None:
    row = mesh(masks, tmp_path / "out", MeshConfig(smoothing=0, reduction=0))[0]
    low, high = trimesh.load(tmp_path / "out" / row.files[0]).bounds
    # class 1: x 4 to 13, y 3 to 16, z 2 to 7; half a voxel more on each side
    assert low == pytest.approx((50 + 2 * 3.5, 40 + 2 * 2.5, -30 + 5 * 1.5), abs=0.6)
    assert high == pytest.approx((50 + 2 * 13.5, 40 + 2 * 16.5, -30 + 5 * 7.5), abs=0.6)


def test_classes_are_chosen_by_the_names_they_are_given(masks: Path, tmp_path: Path) -> None:
    named = ["masks.classes={background: 0, liver: 1, spleen: 2}"]
    rows = mesh(masks, tmp_path / "out", MeshConfig(classes=("spleen",)), named)
    assert [row.name for row in rows] == ["spleen", "spleen"]
    assert (tmp_path / "out" / "p1_spleen.stl").is_file()
    with pytest.raises(ConfigError, match="liver, spleen"):
        mesh(masks, tmp_path / "other", MeshConfig(classes=("kidney",)), named)
    assert not (tmp_path / "other").exists()


def test_slices_become_a_volume_with_a_spacing(tmp_path: Path) -> None:
    for number, plane in enumerate(two_organs() == 1):
        write_mask(tmp_path / "slices" / f"cell_{number:04}.png", plane.astype(np.uint8) * 255)
    with pytest.raises(GeometryError, match="--spacing"):
        mesh(tmp_path / "slices", tmp_path / "out")
    (row,) = mesh(
        tmp_path / "slices", tmp_path / "out", MeshConfig(spacing="0.5,0.2,0.2um", formats=("ply",))
    )
    assert (row.case, row.name, row.volume_unit, row.surface_unit) == ("cell", "foreground", "um3", "um2")
    assert row.volume == pytest.approx((two_organs() == 1).sum() * 0.02, rel=0.02)
    assert trimesh.load(tmp_path / "out" / "cell_foreground.ply").is_watertight


def test_one_file_is_a_source_too(masks: Path, tmp_path: Path) -> None:
    rows = mesh(masks / "p2.nii.gz", tmp_path / "out")
    assert {row.case for row in rows} == {"p2"}


def test_a_volume_of_many_objects_is_one_surface(tmp_path: Path) -> None:
    objects = np.zeros((10, 40, 40), np.uint16)
    for number, (y, x) in enumerate([(y, x) for y in range(4) for x in range(4)], start=1):
        objects[2:8, 10 * y + 2 : 10 * y + 8, 10 * x + 2 : 10 * x + 8] = number
    write_image(tmp_path / "masks" / "cells.nii.gz", Image(objects[None], (1.0, 1.0, 1.0), "mm"))
    said = ["masks.encoding=instances"]
    (row,) = mesh(tmp_path / "masks", tmp_path / "out", MeshConfig(reduction=0), said)
    assert len(trimesh.load(tmp_path / "out" / row.files[0]).split()) == 16


def test_an_empty_mask_is_said_and_written_nowhere(tmp_path: Path) -> None:
    write_image(
        tmp_path / "masks" / "a.nii.gz", Image(np.zeros((1, 4, 5, 6), np.uint8), (1.0, 1.0, 1.0), "mm")
    )
    (row,) = mesh(tmp_path / "masks", tmp_path / "out", MeshConfig(formats=("stl", "glb")))
    assert (row.volume, row.files) == (0, ())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]


def test_masks_are_never_written_over(masks: Path) -> None:
    with pytest.raises(DatasetError, match="outside"):
        mesh(masks, masks / "meshes")
    with pytest.raises(DatasetError, match="outside"):
        mesh(masks, masks)
    assert len(list(masks.iterdir())) == 2


def test_the_predictions_of_a_run_are_taken(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="one flat mask"):  # of the only test image
        mesh(run_folder, tmp_path / "out", MeshConfig(spacing="1mm"))


def test_a_run_without_predictions_says_what_to_do(run_folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run_folder / "model", tmp_path / "run" / "model")
    with pytest.raises(DatasetError, match="Predict first"):
        mesh(tmp_path / "run", tmp_path / "out")


@pytest.mark.parametrize("package", ["trimesh", "fast_simplification"])
def test_a_missing_package_is_named_before_anything_is_read(
    package: str, masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"seglet\[mesh\]"):
        mesh(masks, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("formats", [(), ("stl", "vtk")])
def test_unknown_formats_are_refused(formats: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="stl, ply, obj, glb"):
        MeshConfig(formats=formats)


@pytest.mark.data
def test_the_spleen_of_a_real_ct(data_folder: Path, tmp_path: Path) -> None:
    (row,) = pipeline.mesh(data_folder / "ct" / "spleen_bids", tmp_path / "out")
    surface = trimesh.load(tmp_path / "out" / row.files[0])
    assert surface.is_watertight
    assert surface.volume / 1000 == pytest.approx(row.voxel_volume, rel=0.02)
