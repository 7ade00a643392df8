import json
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from seglet.core.errors import FormatError, GeometryError, MissingExtra, StorageError
from seglet.core.image import Image
from seglet.io import hdf5

GRID = {"unit": "mm", "origin": (1.0, -2.0, 3.0), "direction": (1.0, 0, 0, 0, -1.0, 0, 0, 0, -1.0)}


def _volume(n_channels: int = 2) -> Image:
    pixels = np.random.default_rng(0).integers(0, 60000, (n_channels, 9, 140, 30)).astype(np.uint16)
    return Image(pixels, (2.5, 0.5, 0.75), **GRID)


def _store(path: Path, name: str, values: np.ndarray, **attributes: object) -> Path:
    with h5py.File(path, "a") as file:
        array = file.create_dataset(name, data=values)
        array.attrs.update(attributes)
    return path


@pytest.mark.parametrize("n_channels", [1, 3])
def test_an_image_comes_back_as_it_was_written(tmp_path: Path, n_channels: int) -> None:
    path, image = tmp_path / "a.h5", _volume(n_channels)
    hdf5.write(path, image)
    back = hdf5.open_image(path, "", "a.h5").load()
    assert (back.pixels == image.pixels).all()
    assert back.pixels.dtype == np.uint16
    assert (back.spacing, back.unit, back.origin, back.direction) == (
        image.spacing,
        image.unit,
        image.origin,
        image.direction,
    )


def test_a_box_is_read_from_chunks(tmp_path: Path) -> None:
    path, image = tmp_path / "a.h5", _volume()
    hdf5.write(path, image, "raw/em")
    stored = hdf5.open_image(path, "/raw/em", "a.h5")
    assert stored.extent == (2, 9, 140, 30)
    assert stored.is_random
    box = (slice(2, 5), slice(100, 140), slice(7, 8))
    assert (stored.read(box) == image.pixels[(slice(None), *box)]).all()
    with h5py.File(path) as file:
        assert file["raw/em"].compression == "gzip"
        assert file["raw/em"].chunks == (1, 9, 64, 30)


def test_a_file_keeps_its_other_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    hdf5.write(path, _volume(), "image")
    stored = hdf5.open_image(path, "image", "a.h5")
    mask = Image(np.ones((1, 9, 140, 30), np.uint8))
    hdf5.write(path, mask, "truth")
    hdf5.write(path, mask, "truth")
    assert hdf5.datasets(path) == {"image": (2, 9, 140, 30), "truth": (9, 140, 30)}
    assert (stored.load().pixels == _volume().pixels).all()
    assert (hdf5.open_image(path, "truth", "a.h5").load().pixels == 1).all()


def test_arrays_of_ilastik_are_understood(tmp_path: Path) -> None:
    tags = json.dumps({"axes": [{"key": key, "typeFlags": 2, "resolution": 0} for key in "zyxc"]})
    values = np.arange(5 * 6 * 7 * 2, dtype=np.float32).reshape(5, 6, 7, 2)
    size = [3.0, 0.2, 0.1]
    path = _store(tmp_path / "a.h5", "exported_data", values, axistags=tags, element_size_um=size)
    image = hdf5.open_image(path, "", "a.h5").load()
    assert (image.pixels == values.transpose(3, 0, 1, 2)).all()
    assert (image.spacing, image.unit) == ((3.0, 0.2, 0.1), "um")


def test_dimension_labels_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        array = file.create_dataset("a", data=np.zeros((3, 8, 9)))
        for axis, letter in enumerate("zyx"):
            array.dims[axis].label = letter
    assert hdf5.open_image(path, "a", "a.h5").extent == (1, 3, 8, 9)


def test_truth_values_are_zero_and_one(tmp_path: Path) -> None:
    path = _store(tmp_path / "a.h5", "mask", np.eye(4, dtype=bool))
    pixels = hdf5.open_image(path, "", "a.h5").load().pixels
    assert pixels.dtype == np.uint8
    assert pixels[0].tolist() == np.eye(4).tolist()


def test_the_byte_order_of_the_file_does_not_matter(tmp_path: Path) -> None:
    path = _store(tmp_path / "a.h5", "a", np.arange(12, dtype=">u2").reshape(3, 4))
    pixels = hdf5.open_image(path, "a", "a.h5").load().pixels
    assert pixels.dtype.isnative
    assert pixels.ravel().tolist() == list(range(12))


def test_several_arrays_need_a_name(tmp_path: Path) -> None:
    path = _store(tmp_path / "a.h5", "raw", np.zeros((8, 9)))
    _store(path, "sub/label", np.zeros((8, 9), np.uint8))
    with pytest.raises(FormatError, match=r"a\.h5: found 2 arrays.*raw \(8, 9\), sub/label \(8, 9\)"):
        hdf5.open_image(path, "", "a.h5")
    with pytest.raises(FormatError, match=r"no array named 'row'.*raw"):
        hdf5.open_image(path, "row", "a.h5")
    with pytest.raises(FormatError, match="no array named 'sub'"):
        hdf5.open_image(path, "sub", "a.h5")


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["text"] = np.full((3, 3), b"abc")
        file["table"] = np.zeros((3, 3), [("a", "u1")])
        file["list"] = np.zeros(5)
        file["nothing"] = h5py.Empty("f4")
    with pytest.raises(FormatError, match="no array of numbers"):
        hdf5.open_image(path, "", "a.h5")
    for part, said in (
        ("text", "values of type"),
        ("table", "values of type"),
        ("list", r"shape \(5,\)"),
        ("nothing", "shape None"),
    ):
        with pytest.raises(FormatError, match=said):
            hdf5.open_image(path, part, "a.h5")


def test_several_times_are_an_error(tmp_path: Path) -> None:
    path = _store(tmp_path / "a.h5", "a", np.zeros((6, 8, 9)), axes="tyx")
    with pytest.raises(GeometryError, match="6 points in time"):
        hdf5.open_image(path, "a", "a.h5")


def test_damaged_and_missing_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    hdf5.write(path, _volume())
    content = path.read_bytes()
    (tmp_path / "short.h5").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.h5").write_bytes(b"no HDF5 at all")
    for name in ("short.h5", "text.h5", "missing.h5"):
        with pytest.raises(FormatError, match=rf"{name}: found what cannot be read as HDF5"):
            hdf5.open_image(tmp_path / name, "", name)
    with pytest.raises(FormatError, match=r"text\.h5"):
        hdf5.write(tmp_path / "text.h5", _volume())


def test_a_damaged_chunk_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    hdf5.write(path, _volume())
    with h5py.File(path) as file:
        chunk = file["image"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\x00" * chunk.size
    path.write_bytes(content)
    stored = hdf5.open_image(path, "", "a.h5")
    with pytest.raises(FormatError, match=r"a\.h5"):
        stored.load()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        hdf5.write(tmp_path / "file" / "a.h5", _volume())


def test_threads_read_at_once(tmp_path: Path) -> None:
    path, image = tmp_path / "a.h5", _volume()
    hdf5.write(path, image)
    stored = pickle.loads(pickle.dumps(hdf5.open_image(path, "", "a.h5")))
    boxes = [(slice(n % 8, n % 8 + 2), slice(n, n + 40), slice(0, 30)) for n in range(100)]
    with ThreadPoolExecutor(8) as pool:
        for box, pixels in zip(boxes, pool.map(stored.read, boxes), strict=True):
            assert (pixels == image.pixels[(slice(None), *box)]).all()


def test_a_box_of_a_huge_array_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (2500, 2000, 2000), "u2", chunks=(64, 64, 64), fillvalue=3)
    started = time.perf_counter()
    pixels = hdf5.open_image(path, "a", "huge.h5").read((slice(9, 99), slice(0, 90), slice(900, 990)))
    assert time.perf_counter() - started < 5
    assert pixels.shape == (1, 90, 90, 90)
    assert (pixels == 3).all()


def test_the_extra_is_named_where_h5py_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"seglet\[large\]"):
        hdf5.open_image(tmp_path / "a.h5", "", "a.h5")


def test_the_module_does_not_import_h5py_by_itself() -> None:
    code = "import sys, seglet.io.hdf5, seglet.io.ome_zarr; print({'h5py', 'zarr'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_what_was_never_written_is_known_without_reading(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "sparse.h5"
    with h5py.File(path, "w") as file:
        array = file.create_dataset("a", (90, 100, 110), "u2", chunks=(20, 20, 20), compression=compression)
        array[41:45, 5:7, 0] = 3
        file.create_dataset("b", data=np.zeros((30, 30), np.uint8))
    stored = hdf5.open_image(path, "a", "sparse.h5")
    assert stored.is_written((slice(50, 90), slice(0, 1), slice(0, 100)))
    assert not stored.is_written((slice(0, 40), slice(0, 100), slice(0, 110)))
    assert not stored.is_written((slice(40, 50), slice(20, 100), slice(0, 110)))
    assert hdf5.open_image(path, "b", "sparse.h5").is_written((slice(0, 1), slice(0, 1)))
