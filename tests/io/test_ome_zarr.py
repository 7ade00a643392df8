import json
import multiprocessing
import pickle
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import ome_zarr_models
import pytest
import zarr

from seglet.core.errors import FormatError, GeometryError, StorageError
from seglet.core.image import Image
from seglet.io import ome_zarr
from seglet.io.ome_zarr import Version, label_names, new_image, new_labels, open_image, write, write_labels

VERSIONS: tuple[Version, ...] = ("0.4", "0.5")
each_version = pytest.mark.parametrize("version", VERSIONS)
TURNED = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0)


def _volume(n_channels: int = 2) -> Image:
    pixels = np.random.default_rng(0).integers(0, 60000, (n_channels, 9, 150, 301)).astype(np.uint16)
    return Image(pixels, (2.5, 0.5, 0.75), "um", (1.0, -2.0, 3.0), TURNED)


def _foreign(path: Path, shape: tuple[int, ...], letters: str, unit: str = "nanometer") -> np.ndarray:
    """An image of 0.4 as other software writes it: its own names of levels, chunks and units."""
    kinds = {"t": "time", "c": "channel"}
    group = zarr.open_group(path, mode="w", zarr_format=2)
    values = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    datasets = []
    for level in range(2):
        coarse = values[..., :: 2**level, :: 2**level]
        key = {"name": "v2", "separator": "/"}
        array = group.create_array(f"s{level}", shape=coarse.shape, dtype="i4", chunk_key_encoding=key)
        array[...] = coarse
        scale = [1.0] * (len(shape) - 2) + [500.0 * 2**level] * 2
        transforms = [{"type": "scale", "scale": scale}]
        datasets.append({"path": f"s{level}", "coordinateTransformations": transforms})
    axes = [{"name": k, "type": kinds.get(k, "space")} for k in letters]
    for axis in axes:
        if axis["type"] == "space":
            axis["unit"] = unit
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    return values


def _is_valid(path: Path, version: str) -> bool:
    """Whether an independent reader of the specification takes it for an image of that version."""
    group = zarr.open_group(path, mode="r")
    model = ome_zarr_models.open_ome_zarr(group)
    return model.ome_zarr_version == version and type(model).__name__ in ("Image", "ImageLabel")


@each_version
@pytest.mark.parametrize("n_channels", [1, 2])
def test_an_image_comes_back_as_it_was_written(tmp_path: Path, version: Version, n_channels: int) -> None:
    path, image = tmp_path / "a.ome.zarr", _volume(n_channels)
    write(path, image, version)
    back = open_image(path, "", "a").load()
    assert (back.pixels == image.pixels).all()
    assert back.pixels.dtype == np.uint16
    assert (back.spacing, back.unit, back.origin) == (image.spacing, image.unit, image.origin)
    assert back.direction == TURNED
    assert _is_valid(path, version)
    assert label_names(path) == ()


@each_version
def test_a_plane_without_spacing_comes_back(tmp_path: Path, version: Version) -> None:
    path, image = tmp_path / "a.zarr", Image(np.random.default_rng(1).random((3, 700, 530)).astype("f4"))
    write(path, image, version)
    back = open_image(path, "", "a").load()
    assert (back.pixels == image.pixels).all()
    assert (back.spacing, back.unit, back.origin, back.direction) == ((), "px", (), ())
    assert _is_valid(path, version)


def test_a_volume_of_one_plane_stays_one_where_it_says_its_direction(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).random((1, 1, 20, 30)).astype(np.float32)
    write(tmp_path / "a.zarr", Image(pixels, (3.0, 1.0, 2.0), "mm", (7.0, 8.0, 9.0), TURNED))
    back = open_image(tmp_path / "a.zarr", "", "a").load()
    assert np.array_equal(back.pixels, pixels)
    assert (back.spacing, back.origin, back.direction) == ((3.0, 1.0, 2.0), (7.0, 8.0, 9.0), TURNED)


def test_a_volume_of_one_plane_is_else_read_as_a_plane(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).random((1, 1, 20, 30)).astype(np.float32)
    write(tmp_path / "a.zarr", Image(pixels, (3.0, 1.0, 2.0), "mm", (7.0, 8.0, 9.0)))
    back = open_image(tmp_path / "a.zarr", "", "a").load()
    assert np.array_equal(back.pixels, pixels[0])
    assert (back.spacing, back.origin, back.direction) == ((1.0, 2.0), (8.0, 9.0), ())


def test_levels_are_means_and_have_their_spacing(tmp_path: Path) -> None:
    path, image = tmp_path / "a.zarr", Image(np.full((1, 700, 530), 7, np.uint8), (0.5, 0.5), "mm", (0, 1))
    write(path, image)
    coarse = open_image(path, "1", "a")
    assert coarse.extent == (1, 350, 265)
    assert coarse.spacing == (1.0, 1.0)
    assert coarse.origin == (0.25, 1.25)
    assert (coarse.load().pixels == 7).all()


@each_version
def test_labels_of_an_image_are_valid_and_come_back(tmp_path: Path, version: Version) -> None:
    path, image = tmp_path / "a.ome.zarr", _volume()
    write(path, image, version)
    labels = np.random.default_rng(2).integers(0, 900, image.shape).astype(np.int32)
    write_labels(path, "nuclei", labels, {1: "nucleus"})
    write_labels(path, "cells", (labels > 9).astype(np.uint8))
    write_labels(path, "nuclei", labels)
    assert label_names(path) == ("cells", "nuclei")
    assert _is_valid(path, version)
    assert _is_valid(path / "labels" / "nuclei", version)
    assert (open_image(path, "", "a").load().pixels == image.pixels).all()
    back = open_image(path, "labels/nuclei", "a").load()
    assert back.pixels.dtype == np.int32
    assert (back.pixels[0] == labels).all()
    assert (back.spacing, back.unit, back.origin) == (image.spacing, image.unit, image.origin)
    assert back.direction == TURNED


@each_version
def test_labels_list_and_classes_are_valid(tmp_path: Path, version: Version) -> None:
    path = tmp_path / "a.zarr"
    write(path, _volume(), version)
    write_labels(path, "nuclei", np.ones((9, 150, 301), np.uint8), {1: "nucleus"})
    image = ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))
    assert list(
        image.labels.attributes.labels if version == "0.4" else image.labels.ome_attributes.labels
    ) == ["nuclei"]
    label = ome_zarr_models.open_ome_zarr(zarr.open_group(path / "labels" / "nuclei", mode="r"))
    assert type(label).__name__ == "ImageLabel"
    raw = json.loads((path / "labels/nuclei" / (".zattrs" if version == "0.4" else "zarr.json")).read_text())
    own = raw if version == "0.4" else raw["attributes"]["ome"]
    assert own["image-label"]["properties"] == [{"label-value": 1, "class": "nucleus"}]


@each_version
def test_labels_have_the_levels_of_the_image_and_only_their_values(tmp_path: Path, version: Version) -> None:
    path = tmp_path / "a.zarr"
    write(path, _volume(), version)
    values = np.random.default_rng(3).choice([0, 7, 200], (9, 150, 301)).astype(np.uint8)
    write_labels(path, "a", values)
    image, labels = zarr.open_group(path, mode="r"), zarr.open_group(path / "labels/a", mode="r")
    levels = sorted(labels.array_keys())
    assert levels == sorted(image.array_keys())
    assert len(levels) > 1
    for level in levels:
        assert labels[level].shape == image[level].shape[1:]
        assert set(np.unique(labels[level][...])) == {0, 7, 200}
    assert open_image(path, "labels/a/1", "a").spacing == open_image(path, "1", "a").spacing


@pytest.mark.parametrize(
    ("letters", "shape", "extent"),
    [
        ("tczyx", (1, 2, 3, 20, 30), (2, 3, 20, 30)),
        ("tczyx", (1, 1, 1, 20, 30), (1, 20, 30)),
        ("zyx", (3, 20, 30), (1, 3, 20, 30)),
        ("cyx", (3, 20, 30), (3, 20, 30)),
        ("tyx", (1, 20, 30), (1, 20, 30)),
        ("yx", (20, 30), (1, 20, 30)),
    ],
)
def test_images_of_other_software_are_read_and_labelled(
    tmp_path: Path, letters: str, shape: tuple[int, ...], extent: tuple[int, ...]
) -> None:
    path = tmp_path / "a.zarr"
    values = _foreign(path, shape, letters)
    stored = open_image(path, "", "a")
    assert stored.extent == extent
    assert stored.unit == "um"
    assert stored.spacing[-2:] == (0.5, 0.5)
    assert (stored.load().pixels == values.reshape(extent)).all()
    labels = np.arange(np.prod(extent[1:]), dtype=np.int64).reshape(extent[1:])
    write_labels(path, "objects", labels)
    assert _is_valid(path, "0.4")
    assert _is_valid(path / "labels/objects", "0.4")
    back = open_image(path, "labels/objects", "a").load()
    assert (back.pixels[0] == labels).all()
    assert back.spacing == stored.spacing
    spare = [length for letter, length in zip(letters, shape, strict=True) if letter != "c"]
    assert zarr.open_array(path / "labels/objects/0", mode="r").shape == tuple(spare)


def test_a_box_written_and_read_by_threads(tmp_path: Path) -> None:
    path, image = tmp_path / "a.zarr", _volume()
    with new_image(path, image.pixels.shape, np.uint16, image) as canvas:
        assert canvas.chunks == (9, 128, 128)
        boxes = [
            (slice(0, 9), slice(y, min(y + 128, 150)), slice(x, min(x + 128, 301)))
            for y in (0, 128)
            for x in (0, 128, 256)
        ]

        def put(box: tuple[slice, ...]) -> None:
            canvas[box] = image.pixels[(slice(None), *box)]

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(put, boxes))
    stored = open_image(path, "", "a")
    assert stored.is_random
    some = [(slice(n % 8, n % 8 + 2), slice(n, n + 40), slice(2 * n, 2 * n + 90)) for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for box, pixels in zip(some, pool.map(stored.read, some), strict=True):
            assert (pixels == image.pixels[(slice(None), *box)]).all()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_stored_image_is_read_in_worker_processes(tmp_path: Path) -> None:
    path, image = tmp_path / "a.zarr", _volume()
    write(path, image)
    stored = open_image(path, "", "a")
    again = pickle.loads(pickle.dumps(stored))
    box = (slice(0, 2), slice(3, 9), slice(200, 301))
    assert (again.read(box) == image.pixels[(slice(None), *box)]).all()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for pixels in pool.map(stored.read, [box] * 4):
            assert (pixels == image.pixels[(slice(None), *box)]).all()


def test_an_interrupted_image_leaves_what_was_there(tmp_path: Path) -> None:
    path, image = tmp_path / "a.zarr", _volume()
    write(path, image)
    with pytest.raises(KeyboardInterrupt), new_image(path, (1, 8, 8), np.uint8, Image(np.zeros((1, 8, 8)))):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), new_labels(path, "a", np.uint8):
        raise KeyboardInterrupt
    assert (open_image(path, "", "a").load().pixels == image.pixels).all()
    assert label_names(path) == ()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_the_copy_of_all_metadata_knows_of_new_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    _foreign(path, (3, 20, 30), "cyx")
    zarr.consolidate_metadata(path)
    write_labels(path, "a", np.ones((20, 30), np.uint8))
    group = zarr.open_group(path, mode="r")
    assert group.metadata.consolidated_metadata is not None
    assert group["labels/a/0"].shape == (20, 30)


def test_labels_need_an_image_and_whole_numbers(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "plain.zarr", shape=(8, 9), dtype="u1")
    with pytest.raises(FormatError, match=r"plain\.zarr: found no image of OME-Zarr"):
        write_labels(tmp_path / "plain.zarr", "a", np.ones((8, 9), np.uint8))
    with pytest.raises(FormatError, match=r"missing\.zarr"):
        write_labels(tmp_path / "missing.zarr", "a", np.ones((8, 9), np.uint8))
    write(tmp_path / "a.zarr", Image(np.zeros((1, 8, 9), np.uint8)))
    with pytest.raises(FormatError, match="whole numbers"):
        write_labels(tmp_path / "a.zarr", "a", np.ones((8, 9)))  # type: ignore[arg-type]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_arrays_are_read(tmp_path: Path, zarr_format: int) -> None:
    values = np.arange(4 * 30 * 40, dtype=">u2").reshape(30, 40, 4)
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=values.shape, dtype=values.dtype, zarr_format=zarr_format)
    array[...] = values
    array.attrs.update({"resolution": [0.3, 0.2], "unit": "um"})
    image = open_image(path, "", "a").load()
    assert image.pixels.dtype.isnative
    assert (image.pixels == values.transpose(2, 0, 1)).all()
    assert (image.spacing, image.unit) == ((0.3, 0.2), "um")


def test_names_of_axes_in_zarr_3_are_believed(tmp_path: Path) -> None:
    names = ("depth", "height", "width")
    zarr.create_array(tmp_path / "a.zarr", shape=(3, 30, 40), dtype="f4", dimension_names=names)
    assert open_image(tmp_path / "a.zarr", "", "a").extent == (1, 3, 30, 40)


def test_a_group_of_one_array_needs_no_name_and_one_of_several_does(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w")
    group.create_array("volumes/raw", shape=(20, 30, 40), dtype="u1")
    group.create_array("list", shape=(20,), dtype="u1")
    assert open_image(path, "", "a").extent == (1, 20, 30, 40)
    group.create_array("volumes/truth", shape=(20, 30, 40), dtype="u1")
    with pytest.raises(FormatError, match=r"a\.zarr: found 2 arrays.*volumes/raw, volumes/truth"):
        open_image(path, "", "a.zarr")
    assert open_image(path, "volumes/truth", "a").extent == (1, 20, 30, 40)
    with pytest.raises(FormatError, match=r"a\.zarr"):
        open_image(path, "volumes/row", "a.zarr")


def test_a_series_in_a_group_is_found_and_a_plate_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    values = _foreign(path / "0", (3, 20, 30), "cyx")
    assert (open_image(path, "", "a").load().pixels == values).all()
    assert open_image(path, "0/s1", "a").spacing == (1.0, 1.0)
    _foreign(path / "1", (3, 20, 30), "cyx")
    with pytest.raises(FormatError, match=r"Name one of them: 0, 1\."):
        open_image(path, "", "a")
    plate = tmp_path / "plate.zarr"
    zarr.open_group(plate, mode="w").attrs["ome"] = {"version": "0.5", "plate": {}}
    with pytest.raises(FormatError, match=r"plate\.zarr: found a plate"):
        open_image(plate, "", "plate.zarr")


def test_several_times_are_an_error(tmp_path: Path) -> None:
    _foreign(tmp_path / "a.zarr", (4, 20, 30), "tyx")
    with pytest.raises(GeometryError, match="4 points in time"):
        open_image(tmp_path / "a.zarr", "", "a")


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "text.zarr").write_text("no store")
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr/zarr.json").write_text('{"zarr_format": 3, "node_t')
    zarr.create_array(tmp_path / "complex.zarr", shape=(8, 9), dtype="c8")
    zarr.open_group(tmp_path / "void.zarr", mode="w")
    for name in ("empty", "text", "broken", "complex", "void", "missing"):
        with pytest.raises(FormatError, match=rf"{name}\.zarr: found"):
            open_image(tmp_path / f"{name}.zarr", "", f"{name}.zarr")


@each_version
def test_a_level_that_is_missing_and_a_damaged_chunk_are_told(tmp_path: Path, version: Version) -> None:
    path = tmp_path / "a.zarr"
    write(path, _volume(), version)
    (chunk,) = [p for p in path.glob("0/**/0/0/0/0") if p.is_file()]
    chunk.write_bytes(bytes(chunk.stat().st_size))  # as a crash of the system leaves it
    stored = open_image(path, "", "a.zarr")
    with pytest.raises(FormatError, match=r"a\.zarr"):
        stored.load()
    assert stored.read((slice(0, 9), slice(0, 9), slice(130, 140))).shape == (2, 9, 9, 10)
    shutil.rmtree(path / "0")
    with pytest.raises(FormatError, match=r"a\.zarr"):
        open_image(path, "", "a.zarr")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        write(tmp_path / "file" / "a.zarr", _volume())


def test_a_box_of_a_huge_store_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.zarr"
    zarr.create_array(path, shape=(2500, 2000, 2000), chunks=(64, 64, 64), dtype="u2", fill_value=3)
    code = (
        "import resource, sys, time\nfrom pathlib import Path\nfrom seglet.io.ome_zarr import open_image\n"
        "import zarr\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before, start = peak(), time.perf_counter()\n"
        "stored = open_image(Path(sys.argv[1]), '', 'huge')\n"
        "for n in range(0, 2000, 200):\n"
        "    pixels = stored.read((slice(n, n + 90),) * 3)\n"
        "    assert pixels.shape == (1, 90, 90, 90) and (pixels == 3).all()\n"
        "print(peak() - before, time.perf_counter() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    grown_mb, seconds = map(float, done.stdout.split())
    assert grown_mb < 200
    assert seconds < 20


def test_no_warning_is_left_to_the_user(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for version in VERSIONS:
            write(tmp_path / "a.zarr", _volume(), version)
            write_labels(tmp_path / "a.zarr", "a", np.ones((9, 150, 301), np.uint8))
            open_image(tmp_path / "a.zarr", "labels/a", "a").load()
    assert [str(one.message) for one in heard] == []


def test_suffixes_are_those_of_folders() -> None:
    assert ome_zarr.SUFFIXES == (".zarr", ".ome.zarr")
