"""Optional packages are imported on demand, or the extra is named that brings them."""

import sys

import pytest

from seglet.core.errors import MissingExtra
from seglet.io.packages import need


def test_a_package_is_imported() -> None:
    assert need("h5py", "large", "HDF5 files") is sys.modules["h5py"]


def test_of_a_missing_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"HDF5 files: found no package h5py.*seglet\[large\]"):
        need("h5py", "large", "HDF5 files")
