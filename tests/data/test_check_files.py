"""Which files are missing or cannot be read, and what there is to split by."""

from dataclasses import replace
from pathlib import Path

from seglet.core.errors import FormatError, GeometryError
from seglet.data.cases import Case, Dataset
from seglet.data.chart import Chart, Problem
from seglet.data.check_files import check_files, check_groups
from seglet.data.layouts import Layout
from seglet.io.sources import File

ROOT = Path("data")
LAYOUT = Layout(image="images/{id}.*", labels="masks/{id}.*")


def file(name: str) -> File:
    return File(ROOT, name)


def case(name: str, **more: object) -> Case:
    return Case(name, (file(f"images/{name}.png"),), (file(f"masks/{name}.png"),), **more)  # type: ignore[arg-type]


def test_a_series_with_a_broken_slice_names_both() -> None:
    error = FormatError("data/ct/3.dcm", found="half a file", expected="a whole one", remedy="Copy it.")
    size = GeometryError("data/images/b.png", found="a line", expected="an image", remedy="No.")
    charts = [
        Chart(case("a"), problems=(Problem(file("ct"), error),)),
        Chart(case("b"), problems=(Problem(file("images/b.png"), size),)),
    ]
    first, second = check_files(Dataset(ROOT, LAYOUT, (case("a"), case("b"))), charts)
    assert first.message == "Found half a file in data/ct/3.dcm, expected a whole one."
    assert (first.code, first.files) == ("unreadable", ("data/ct",))
    assert (second.code, second.message) == ("geometry", "Found a line, expected an image.")


def test_a_case_with_fewer_channels_is_named() -> None:
    both = Case("a", (file("a_0.png"), file("a_1.png")), (file("a.png"),))
    one = Case("b", (file("b_0.png"),), (file("b.png"),))
    (found,) = check_files(Dataset(ROOT, LAYOUT, (both, one)), [Chart(both), Chart(one)])
    assert (found.code, found.files) == ("missing-channel", ("data/b_0.png",))
    assert "the 2 channels" in found.message


def test_few_groups_guessed_from_names_are_a_warning() -> None:
    cases = [case(f"s{k % 2}_{k}", group=str(k % 2)) for k in range(10)]
    layout = LAYOUT.model_copy(update={"group": "s{number}_*"})
    (warning, _) = check_groups(Dataset(ROOT, layout, tuple(cases)))
    assert (warning.severity, warning.code) == ("warning", "groups")
    assert warning.message == "Cases are split by s{number}_*, and of these there are only 2: 0, 1."
    assert "layout.group=''" in warning.remedy


def test_a_table_of_fields_of_view_alone_says_so() -> None:
    cases = tuple(replace(case(f"{k}", fov=file(f"fov/{k}.png")), labels=()) for k in range(3))
    dataset = Dataset(ROOT, Layout(table=Path("cases.csv")), cases)
    (found,) = (one for one in check_files(dataset, [Chart(one) for one in cases]) if one.code == "no-labels")
    assert "label" in found.remedy


def test_groups_are_counted_in_what_was_read() -> None:
    cases = tuple(case(f"{k}", group=f"p{k % 2}") for k in range(4))
    (layout,) = check_groups(Dataset(ROOT, LAYOUT, cases))
    assert "4 images, 4 with masks, 2 groups" in layout.message
