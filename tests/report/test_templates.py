"""One environment and one base for all pages."""

import re
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from seglet import report
from seglet.report.content import ReportContent
from seglet.report.mesh_page import MeshPage, write_mesh_page
from seglet.report.page import write_report
from seglet.report.pairs import PairsContent, write_pairs
from seglet.report.templates import fill_template

TITLE = '<b>"a" & b</b>'
FOLDER = Path(str(report.__file__)).parent
PAIRS = PairsContent(TITLE, "a", "b", "dice", False, "Equal.", (), (), (), (0.0, 0.0, 0.0))

WRITERS: dict[str, Callable[[Path], Path]] = {
    "page.html.j2": lambda path: write_report(ReportContent(TITLE, "today", ("background",)), path),
    "mesh_page.html.j2": lambda path: write_mesh_page(MeshPage(TITLE, (), ()), path),
    "pairs.html.j2": lambda path: write_pairs(PAIRS, path),
}


def test_every_template_but_the_base_is_a_page() -> None:
    assert {path.name for path in FOLDER.glob("*.j2")} == {"base.html.j2", *WRITERS}


@pytest.mark.parametrize("name", WRITERS)
def test_a_page_has_the_style_and_heading_of_all(name: str, tmp_path: Path) -> None:
    text = WRITERS[name](tmp_path / "page.html").read_text(encoding="utf-8")
    base = fill_template("base.html.j2", TITLE, {})
    common = base[: base.index("</style>")].splitlines()
    assert len(common) > 60
    assert [line for line in common if line not in text.splitlines()] == []
    title = "&lt;b&gt;&#34;a&#34; &amp; b&lt;/b&gt;"
    assert f"<title>{title}</title>" in text and f"<h1>{title}</h1>" in text
    assert len(re.findall("<style>", text)) == len(re.findall("<main>", text)) == 1


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        fill_template("pairs.html.j2", TITLE, {})
