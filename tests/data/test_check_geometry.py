"""Masks and channels that do not lie on the grid of their image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seglet.data.cases import Case
from seglet.data.chart import Chart
from seglet.data.check_geometry import Fit, check_geometry, fit_of
from seglet.data.looks import Place, look_at_image, look_at_mask
from seglet.io.sources import File

UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
MIRRORED = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
TURNED = (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
IMAGE = Place((10, 20, 30), (3.0, 1.0, 1.0), "mm", (5.0, 6.0, 7.0), UPRIGHT)


@pytest.mark.parametrize(
    ("mask", "fit"),
    [
        (IMAGE, "same"),
        (Place((10, 20, 30)), "same"),
        (replace(IMAGE, spacing=(3.005, 1.0, 1.0)), "same"),
        (replace(IMAGE, spacing=(1.0, 1.0, 1.0)), "grid"),
        (replace(IMAGE, origin=(5.0, 6.0, 8.0)), "grid"),
        (replace(IMAGE, origin=(6.0, 6.0, 7.0)), "same"),
        (replace(IMAGE, direction=MIRRORED), "orientation"),
        (replace(IMAGE, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=MIRRORED), "grid"),
        (replace(IMAGE, shape=(20, 10, 30), direction=TURNED), "orientation"),
        (replace(IMAGE, direction=TURNED), "geometry"),
        (Place((30, 20, 10)), "transposed"),
        (Place((10, 20, 31)), "geometry"),
    ],
)
def test_fit_of_a_mask(mask: Place, fit: Fit) -> None:
    assert fit_of(mask, IMAGE) == fit


def test_flat_masks_are_not_asked_for_their_scale() -> None:
    flat = Place((20, 30), (0.5, 0.5), "um")
    assert fit_of(Place((20, 30), (1.0, 1.0), "um"), flat) == "same"
    assert fit_of(Place((30, 20)), flat) == "transposed"
    assert fit_of(Place((20, 30)), Place((1, 20, 30))) == "same"


def chart(name: str, image: Place, mask: Place) -> Chart:
    files = File(Path("data"), f"{name}.nii"), File(Path("data"), f"{name}_mask.nii")
    pixels = np.random.default_rng(0).integers(0, 9, (1, *image.shape), np.uint8)
    values = np.zeros(mask.shape, np.uint8)
    return Chart(
        Case(name, files[:1], files[1:]),
        images=(look_at_image(files[0], pixels, image, is_whole=True),),
        masks=(look_at_mask(files[1], values, mask, None),),
    )


def test_each_kind_of_misfit_is_one_finding_with_its_files() -> None:
    charts = [
        chart("a", IMAGE, replace(IMAGE, direction=MIRRORED)),
        chart("b", IMAGE, replace(IMAGE, direction=MIRRORED)),
        chart("c", IMAGE, Place((9, 20, 30))),
    ]
    found = {one.code: one for one in check_geometry(charts)}
    assert found["orientation"].files == ("data/a_mask.nii", "data/b_mask.nii")
    assert found["geometry"].message == "Found 30x20x9 voxels, expected 30x20x10 voxels as in data/c.nii."


def test_volumes_among_flat_images_are_an_error() -> None:
    flat = Place((20, 30))
    found = list(check_geometry([chart("a", flat, flat), chart("b", flat, flat), chart("c", IMAGE, IMAGE)]))
    assert [(one.code, one.files) for one in found if one.severity == "error"] == [("axes", ("data/c.nii",))]


def test_a_flat_mask_of_a_stack_says_what_its_pages_were_taken_for() -> None:
    found = next(iter(check_geometry([chart("a", Place((3, 20, 30)), Place((20, 30)))])))
    assert (found.code, found.severity) == ("geometry", "error")
    assert "axes CYX" in found.remedy


def test_missing_spacing_matters_in_volumes_and_where_it_is_mixed() -> None:
    plain, flat = Place((4, 5, 6)), Place((5, 6))
    scaled = replace(flat, spacing=(0.5, 0.5), unit="um")
    (found,) = check_geometry([chart("a", plain, plain)])
    assert (found.code, found.severity, found.files) == ("spacing", "warning", ("data/a.nii",))
    assert list(check_geometry([chart("a", flat, flat)])) == []
    (mixed,) = check_geometry([chart("a", flat, flat), chart("b", scaled, flat)])
    assert (mixed.severity, mixed.files) == ("note", ("data/a.nii",))


def test_spacings_far_apart_are_noted_along_the_upright_axes() -> None:
    far = replace(IMAGE, spacing=(12.0, 1.0, 1.0))
    (found,) = check_geometry([chart("a", IMAGE, IMAGE), chart("b", far, far)])
    assert found.code == "spacing-range"
    assert "3 to 12 mm" in found.message
    turned = replace(IMAGE, shape=(20, 10, 30), spacing=(1.0, 3.0, 1.0), direction=TURNED)
    assert list(check_geometry([chart("a", IMAGE, IMAGE), chart("b", turned, turned)])) == []
