"""A table of the cases."""

from pathlib import Path

import pytest

from seglet.core.errors import DatasetError, FormatError
from seglet.data.cases import find_cases
from seglet.data.layouts import Layout
from seglet.data.table import is_table, read_table, table_text
from seglet.io.sources import File


def write(
    folder: Path, text: str, files: str = "a.png b.png a_m.png b_m.png", name: str = "cases.csv"
) -> Path:
    for one in files.split():
        (folder / one).parent.mkdir(parents=True, exist_ok=True)
        (folder / one).touch()
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_columns_become_cases(tmp_path: Path) -> None:
    text = "Image,label,mask,group,split,note\na.png,a_m.png,b_m.png,p1,Test,x\nb.png,,,,\n\n"
    found = find_cases(write(tmp_path, text))
    first, second = found.cases
    assert (first.id, first.group, first.split) == ("a", "p1", "test")
    assert (first.labels, first.fov) == ((File(tmp_path, "a_m.png"),), File(tmp_path, "b_m.png"))
    assert (second.id, second.labels, second.group, second.split, second.fov) == ("b", (), None, None, None)


def test_a_table_is_found_in_its_folder_and_named_by_a_layout(tmp_path: Path) -> None:
    write(tmp_path, "image,label\na.png,a_m.png\n")
    assert [case.id for case in find_cases(tmp_path).cases] == ["a"]
    write(tmp_path, "image,label\nb.png,b_m.png\n", name="mine.csv")
    again = find_cases(tmp_path, Layout(table=Path("mine.csv")))
    assert [case.id for case in again.cases] == ["b"]
    assert find_cases(tmp_path, again.layout) == again
    assert [case.id for case in find_cases(tmp_path / "mine.csv", again.layout).cases] == ["b"]


def test_a_file_of_that_name_without_images_is_no_table(tmp_path: Path) -> None:
    write(tmp_path, "patient,age\n1,2\n")
    assert not is_table(File(tmp_path, "cases.csv"))
    assert not is_table(File(tmp_path, "a.png"))


@pytest.mark.parametrize(
    "text", ["image;label\na.png;a_m.png\n", "image\tlabel\na.png\ta_m.png\n", "\ufeffimage\na.png\n"]
)
def test_spreadsheets_of_any_country_are_read(tmp_path: Path, text: str) -> None:
    (row,) = read_table(write(tmp_path, text))
    assert row.images == (File(tmp_path, "a.png"),)


def test_paths_written_on_windows_are_found(tmp_path: Path) -> None:
    (case,) = find_cases(
        write(tmp_path, "image;label\nsub\\a.png;sub\\a_m.png\n", "sub/a.png sub/a_m.png")
    ).cases
    assert (case.image, case.labels) == (File(tmp_path, "sub/a.png"), (File(tmp_path, "sub/a_m.png"),))


def test_several_files_of_an_image_are_its_channels(tmp_path: Path) -> None:
    (case,) = find_cases(write(tmp_path, "image,label\na.png; b.png,a_m.png\n")).cases
    assert [file.name for file in case.images] == ["a.png", "b.png"]
    with pytest.raises(DatasetError, match=r"other than.*files"):
        find_cases(write(tmp_path, "image\na.png;b.png\na_m.png\n"))


def test_names_that_occur_twice_get_their_folder(tmp_path: Path) -> None:
    found = find_cases(write(tmp_path, "image\nx/1.png\ny/1.png\n", "x/1.png y/1.png"))
    assert [case.id for case in found.cases] == ["x_1", "y_1"]


def test_files_that_are_missing_are_listed_with_their_lines(tmp_path: Path) -> None:
    table = write(tmp_path, "image,label\na.png,no.png\nnone.png,b_m.png\n,b_m.png\n")
    with pytest.raises(DatasetError, match=r"(?s)line 2: .*no\.png; line 3: .*none\.png; line 4: no image"):
        read_table(table)


def test_other_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="Is 'images' the column"):
        read_table(write(tmp_path, "images,label\na.png,a_m.png\n"))
    with pytest.raises(FormatError, match="empty table"):
        read_table(write(tmp_path, ""))
    with pytest.raises(FormatError, match="no readable text"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DatasetError, match="no lines"):
        read_table(write(tmp_path, "image\n"))
    with pytest.raises(DatasetError, match=r"split 'tset' in line 2.*Did you mean 'test'"):
        read_table(write(tmp_path, "image,split\na.png,tset\n"))
    with pytest.raises(DatasetError, match="2 fields of view in line 2"):
        read_table(write(tmp_path, "image,mask\na.png,a_m.png;b_m.png\n"))


def test_ids_and_second_observers_may_be_named(tmp_path: Path) -> None:
    text = "id,image,label,second\nfirst,a.png,a_m.png,b_m.png\nlast,b.png,,\n"
    first, last = find_cases(write(tmp_path, text)).cases
    assert (first.id, first.second) == ("first", File(tmp_path, "b_m.png"))
    assert (last.id, last.second) == ("last", None)
    with pytest.raises(DatasetError, match="2 masks of another observer in line 2"):
        read_table(write(tmp_path, "image,second\na.png,a_m.png;b_m.png\n"))


@pytest.mark.parametrize("ids", [("p1", "p1"), ("p1", "")])
def test_a_column_that_names_no_single_images_is_left_alone(tmp_path: Path, ids: tuple[str, str]) -> None:
    path = write(tmp_path, f"id,image\n{ids[0]},a.png\n{ids[1]},b.png\n")
    assert [row.id for row in read_table(path)] == ["a", "b"]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    cells = {"id": 'a "1", b', "image": "a.png", "label": "a_m.png", "mask": "b_m.png", "group": "g"}
    first, last = read_table(write(tmp_path, table_text([{**cells, "split": "test"}, {"image": "b.png"}])))
    assert first.id == "a", "the other has no id"
    (row,) = read_table(write(tmp_path, table_text([{**cells, "split": "test"}])))
    assert (row.id, row.group, row.split, row.fov) == ('a "1", b', "g", "test", File(tmp_path, "b_m.png"))
    assert (last.id, last.labels, last.group) == ("b", (), None)
