"""A dataset as OME-Zarr."""

from pathlib import Path

import numpy as np
import zarr
from ome_zarr_models import open_ome_zarr

from same_data import assert_same_data, understood
from seglet.core.events import quiet
from seglet.core.image import Image
from seglet.data.convert_ome_zarr import write_ome_zarr
from seglet.data.synthetic import make_dataset
from seglet.io.files import open_image, write_image, write_mask
from seglet.io.ome_zarr import label_names


def test_all_masks_are_labels_of_their_image(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "vessels", "chasedb1", n_images=2, shape=(40, 48))
    before = understood(data)
    write_ome_zarr(*before, tmp_path / "out", quiet)
    path = tmp_path / "out" / "Image_01L.ome.zarr"
    assert set(label_names(path)) == {"masks", "fov", "second"}
    open_ome_zarr(zarr.open_group(path, mode="r"))  # raises where it is not as specified
    meanings = zarr.open_group(path / "labels" / "masks", mode="r").attrs["ome"]["image-label"]["properties"]
    assert {one["label-value"]: one["class"] for one in meanings} == {0: "background", 255: "foreground"}
    assert_same_data(before, understood(tmp_path / "out"))


def test_objects_volumes_and_missing_masks_are_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        grid = ((2.0, 0.5, 0.5), "um")
        image = Image(rng.integers(0, 4000, (2, 5, 140, 150)).astype(np.uint16), *grid)
        write_image(tmp_path / "d" / "images" / f"{name}.tif", image)
    objects = np.zeros((5, 140, 150), np.uint16)
    for number in range(1, 40):
        z, y, x = rng.integers(0, (4, 130, 140))
        objects[z : z + 2, y : y + 10, x : x + 10] = number
    write_mask(tmp_path / "d" / "masks" / "a.tif", objects)
    before = understood(tmp_path / "d")
    assert before[1].encoding == "instances"
    write_ome_zarr(*before, tmp_path / "out", quiet)
    after = understood(tmp_path / "out")
    assert_same_data(before, after, without=("origin",))
    assert open_image(after[0].cases[0].image).origin == (0.0, 0.0, 0.0), "OME-Zarr always has an origin"
