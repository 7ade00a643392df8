"""The page on two runs: what is drawn, and that names cannot break it."""

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from seglet.metrics.pairing import compare_pairs
from seglet.report.pairs import (
    FEWEST,
    PairsContent,
    Row,
    difference_diagram,
    slope_diagram,
    verdict,
    write_pairs,
)

ROWS: tuple[Row, ...] = (("one", 0.9, 0.8), ("two", 0.7, 0.75), ("three", 0.6, 0.6), ("four", math.nan, 0.5))


@pytest.fixture
def content() -> PairsContent:
    """Four images; one was better in A, one in B, one equal, one has no figure."""
    return PairsContent(
        title="a and b",
        a="a",
        b="b",
        metric="dice",
        lower_is_better=False,
        verdict="a is better.",
        facts=(("mean of a", "0.7"),),
        notes=("Mind this.",),
        rows=ROWS,
        difference=(0.0167, -0.02, 0.05),
    )


def drawn(svg: str, kind: str) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(svg).iter() if element.get("class") == kind]


def titles(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("title")]


@pytest.mark.parametrize("draw", [slope_diagram, difference_diagram])
def test_every_image_is_drawn_in_the_color_of_the_better(content: PairsContent, draw) -> None:
    for kind, name in (("a", "one"), ("b", "two"), ("tie", "three")):
        (element,) = drawn(draw(content), kind)
        assert (element.find("title").text or "").startswith(name)
    assert not any("four" in title for title in titles(draw(content)))


def test_where_lower_is_better_colors_change_sides(content: PairsContent) -> None:
    (better,) = drawn(slope_diagram(replace(content, lower_is_better=True)), "a")
    assert (better.find("title").text or "").startswith("two")


def test_larger_figures_stand_higher(content: PairsContent) -> None:
    (one,) = (element.find("line") for element in drawn(slope_diagram(content), "a"))
    assert one is not None
    assert float(one.get("y1", "")) < float(one.get("y2", ""))


def test_bars_grow_from_zero_and_are_sorted(content: PairsContent) -> None:
    svg = difference_diagram(content)
    zero = float(drawn(svg, "zero")[0].get("y1", ""))
    below, above = (drawn(svg, kind)[0].find("rect") for kind in ("b", "a"))
    assert below is not None and above is not None
    assert float(below.get("y", "")) == zero
    assert float(above.get("y", "")) + float(above.get("height", "")) == pytest.approx(zero, abs=0.2)
    assert float(below.get("x", "")) < float(above.get("x", ""))


def test_without_interval_there_is_no_band(content: PairsContent) -> None:
    assert len(drawn(difference_diagram(content), "interval")) == 1
    assert (
        drawn(difference_diagram(replace(content, difference=(0.0167, math.nan, math.nan))), "interval") == []
    )


@pytest.mark.parametrize(
    "rows", [(("one", 0.5, 0.5),), (("one", 0.0, 0.0), ("two", 0.0, 0.0)), (("x", 310.0, 2.5),)]
)
def test_equal_and_single_figures_can_be_drawn(content: PairsContent, rows: tuple[Row, ...]) -> None:
    for draw in (slope_diagram, difference_diagram):
        svg = draw(replace(content, rows=rows, difference=(rows[0][1] - rows[0][2], math.nan, math.nan)))
        assert "nan" not in svg
        assert len(titles(svg)) >= len(rows)


def test_round_numbers_are_told_apart(content: PairsContent) -> None:
    svg = difference_diagram(content)
    labels = [
        element.text
        for element in ElementTree.fromstring(svg).iter("text")
        if element.get("text-anchor") == "end"
    ]
    assert len(labels) == len(set(labels)) >= 3
    assert "0.00" in labels
    assert "−0.05" in labels


def test_a_thousand_images_stay_inside(content: PairsContent) -> None:
    rows = tuple((str(n), n / 1000, (n / 1000) ** 2) for n in range(1000))
    svg = difference_diagram(replace(content, rows=rows))
    xs = [float(x) for x in re.findall(r'</title><rect x="([\d.]+)"', svg)]
    assert len(xs) == 1000
    assert 61 < min(xs) < max(xs) < 546


def test_the_page_says_everything_and_loads_nothing(content: PairsContent, tmp_path: Path) -> None:
    page = write_pairs(content, tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    for text in ("a is better.", "Mind this.", "mean of a", "0.9000", "+0.1000", "−0.0500"):
        assert text in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script" not in page


def test_names_are_shown_as_they_are(content: PairsContent, tmp_path: Path) -> None:
    name = "<script>alert('&')</script>"
    changed = replace(content, a=name, title=name, rows=((name, 0.9, 0.8), *ROWS))
    page = write_pairs(changed, tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    ElementTree.fromstring(slope_diagram(changed))


def test_without_common_figures_there_is_no_diagram(content: PairsContent, tmp_path: Path) -> None:
    page = write_pairs(replace(content, rows=ROWS[3:]), tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "<svg" not in page
    assert "a is better." in page


@pytest.mark.parametrize(("larger_is_a", "lower"), [(True, False), (False, True)])
def test_the_interval_is_told_of_the_one_ahead(larger_is_a: bool, lower: bool) -> None:
    one, two = [0.9, 0.8, 0.85, 0.9, 0.7, 0.95, 0.9], [0.5] * 7
    paired = compare_pairs(one, two) if larger_is_a else compare_pairs(two, one)
    said = verdict(paired, "A", "B", lower_is_better=lower)
    low, high = sorted(map(abs, (paired.difference.low, paired.difference.high)))
    assert said.startswith(f"A is better by {abs(paired.difference.mean):.4f} [{low:.4f}, {high:.4f}]")


def test_no_pair_no_verdict() -> None:
    assert "nothing can be said" in verdict(compare_pairs([], []), "A", "B", lower_is_better=False)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_with_few_images_nothing_can_be_concluded(n: int) -> None:
    said = verdict(compare_pairs([0.9] * n, [0.1] * n), "A", "B", lower_is_better=False)
    assert said.startswith("Nothing can be concluded" if n < FEWEST else "A is better by 0.8000")
    assert f"on {n} of {n} image" in said


def test_tiny_chances_are_not_called_none() -> None:
    said = verdict(compare_pairs([0.9] * 16, [0.1] * 16), "A", "B", lower_is_better=False)
    assert "less than 0.1 % of cases" in said
