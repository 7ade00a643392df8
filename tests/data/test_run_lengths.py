"""Run lengths: by hand, there and back, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from seglet.core.errors import FormatError, GeometryError
from seglet.data.run_lengths import objects_of, read_runs, runs_of, write_runs

MAPS = arrays(
    np.int32, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9), elements=st.integers(0, 3)
)
NAMES = st.text(st.characters(exclude_characters=',"', exclude_categories=("C", "Z")), min_size=1, max_size=8)


def numbered(objects: np.ndarray) -> np.ndarray:
    """Number objects without gaps, in the order of their numbers."""
    return np.unique(np.append(objects, 0), return_inverse=True)[1][:-1].reshape(objects.shape)


def test_pixels_count_down_the_columns_from_one() -> None:
    objects = np.array([[0, 1, 2], [1, 1, 0], [1, 0, 2]])
    assert [runs.tolist() for runs in runs_of(objects)] == [[[2, 4]], [[7, 1], [9, 1]]]


def test_a_run_goes_on_from_one_column_to_the_next_and_ends_where_objects_touch() -> None:
    objects = np.array([[5, 5, 9], [5, 5, 9]])
    assert [runs.tolist() for runs in runs_of(objects)] == [[[1, 4]], [[5, 2]]]


@given(MAPS)
def test_objects_come_back_from_their_runs(objects: np.ndarray) -> None:
    np.testing.assert_array_equal(objects_of(runs_of(objects), objects.shape), numbered(objects))


@given(MAPS, st.integers(0, 2**32 - 1))
def test_runs_of_an_object_may_stand_in_any_order(objects: np.ndarray, seed: int) -> None:
    shuffled = [np.random.default_rng(seed).permutation(runs) for runs in runs_of(objects)]
    np.testing.assert_array_equal(objects_of(shuffled, objects.shape), numbered(objects))


@given(st.dictionaries(NAMES, MAPS, max_size=4))
def test_a_file_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, images: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    write_runs(path, images)
    found = read_runs(path)
    assert list(found) == list(images)
    for name, objects in images.items():
        np.testing.assert_array_equal(objects_of(found[name], objects.shape), numbered(objects))


def test_the_file_is_the_competitions(tmp_path: Path) -> None:
    path = tmp_path / "new" / "runs.csv"
    write_runs(path, {"a": np.array([[0, 1], [1, 2]]), "empty": np.zeros((2, 2), int)})
    assert path.read_bytes() == b"ImageId,EncodedPixels\na,2 2\na,4 1\nempty,\n"


def test_further_columns_quotes_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "solution.csv"
    path.write_text('\ufeff"ImageId",EncodedPixels,Height,Width\r\n"a",2 1 4 1,2,2\r\n\r\nb,1 1,2,2\n')
    found = {name: [runs.tolist() for runs in of_image] for name, of_image in read_runs(path).items()}
    assert found == {"a": [[[2, 1], [4, 1]]], "b": [[[1, 1]]]}


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([[[4, 2]]], r"a run of 2 pixels from pixel 4 on in object 1.*4 pixels of an image of 2 x 2"),
        ([[[5, 1]]], r"from pixel 5"),
        ([[[0, 1]]], r"from pixel 0"),
        ([[[1, 0]]], r"a run of 0"),
        ([[[2, 2**63 - 1]]], r"from pixel 2"),
        ([[[1, 2]], [[2, 1]]], r"from pixel 2 on in object 2.*object 1 has already"),
        ([[[1, 3], [2, 1]]], r"object 1 has already"),
        ([[[1, 1]], [[1, 1]]], r"object 1 has already"),
    ],
)
def test_runs_outside_of_the_image_and_shared_pixels_are_refused(runs: list[object], said: str) -> None:
    with pytest.raises(FormatError, match=f"(?s)cell.*{said}"):
        objects_of([np.array(one, np.int64) for one in runs], (2, 2), "cell")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ImageId,EncodedPixels\na,1 2 3\n", r"line 2.*3 numbers"),
        ("ImageId,EncodedPixels\na,1 1\na,1 x\n", r"line 3.*'1 x'"),
        ("ImageId,EncodedPixels\na,1.0 2\n", r"line 2"),
        ("ImageId,EncodedPixels\na,0 2\n", r"line 2.*the number 0"),
        ("ImageId,EncodedPixels\na,99999999999999999999 1\n", r"line 2"),
        ("ImageId,EncodedPixels\na\n", r"line 2.*'a'"),
        ("image,runs\n", r"line 1.*ImageId,EncodedPixels"),
        ("", r"line 1"),
    ],
)
def test_unreadable_lines_are_said_by_their_number(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=rf"runs\.csv, {said}"):
        read_runs(path)


def test_a_missing_file_and_one_of_other_bytes_are_said(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none\.csv"):
        read_runs(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(FormatError, match=r"picture\.csv"):
        read_runs(tmp_path / "picture.csv")


@pytest.mark.parametrize("name", ["a,b", 'a"', "a\n", "", " a"])
def test_names_that_would_break_the_table_are_refused_and_nothing_is_left(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match="Rename"):
        write_runs(tmp_path / "runs.csv", {"fine": np.eye(2, dtype=int), name: np.eye(2, dtype=int)})
    assert not list(tmp_path.iterdir())


def test_volumes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"\(2, 3, 4\)"):
        runs_of(np.zeros((2, 3, 4), int))
