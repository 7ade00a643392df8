"""The exception tree: what a message says, and that it survives the way out of a worker process."""

import pickle
from pathlib import Path

import pytest

from seglet.core import errors
from seglet.core.errors import SegletError

KINDS = [
    errors.FormatError,
    errors.DatasetError,
    errors.GeometryError,
    errors.ConfigError,
    errors.ModelError,
    errors.TrainingError,
    errors.StorageError,
    errors.MissingExtra,
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_seglet_error(kind: type[SegletError]) -> None:
    assert kind.__bases__ == (SegletError,)


def test_message_says_where_found_expected_and_remedy_in_that_order() -> None:
    error = SegletError("a.png", found="text", expected="an image", remedy="Save it again.")
    assert str(error) == "a.png: found text; expected an image. Save it again."


def test_path_is_kept_as_text() -> None:
    error = SegletError(Path("folder") / "a.png", found="x", expected="y", remedy="z")
    assert error.where == str(Path("folder") / "a.png")


@pytest.mark.parametrize("kind", [SegletError, *KINDS])
def test_error_survives_pickling(kind: type[SegletError]) -> None:
    error = kind(Path("a.png"), found="text", expected="an image", remedy="Save it again.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def test_parts_are_required() -> None:
    with pytest.raises(TypeError):
        SegletError("a.png", found="text")  # type: ignore[call-arg]


def test_tree_in_the_docstring_names_every_kind() -> None:
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in KINDS)
