import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import GeometryError, StorageError
from seglet.data.findings import Finding
from seglet.metrics.protocols import PROTOCOLS
from seglet.metrics.scores import ObserverScores, Scores
from seglet.report.content import Example, ReportContent
from seglet.report.page import render, write_report

SECTIONS = [
    "score",
    "examples",
    "scores",
    "curves",
    "training",
    "data",
    "split",
    "network-input",
    "recipe",
    "environment",
]  # page order
VOID = {"meta", "link", "input", "img", "br", "path", "use"}
HOSTILE = "<script>alert('x')</script>\"'&amp;${7*7}{{7*7}}"


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_the_sections_stand_in_order_and_the_contents_lead_to_them(content: ReportContent):
    page = Page(render(content))
    assert [section["id"] for section in page.all("section")] == SECTIONS
    assert [a["href"] for a in page.all("a")] == [f"#{anchor}" for anchor in SECTIONS]


def test_the_page_loads_nothing(content: ReportContent):
    text = render(content)
    page = Page(text)
    for _, attributes in page.tags:
        for key in ("src", "href", "data", "poster", "srcset", "action"):
            assert attributes.get(key, "#").startswith(("#", "data:"))
    assert not page.all("script") and not page.all("iframe") and not page.all("object")
    assert not re.search(r"https?:|@import|url\((?!#)", text)


def test_hostile_texts_are_escaped_everywhere(content: ReportContent):
    bad = HOSTILE
    scores = content.scores
    assert scores is not None
    renamed = scores.model_copy(
        update={
            "rule": bad,
            "class_names": ("background", bad),
            "images": tuple(
                image.model_copy(update={"id": bad, "classes": {bad: image.classes["vessel"]}})
                for image in scores.images
            ),
            **{key: {bad: getattr(scores, key)["vessel"]} for key in ("pooled", "mean", "curves")},
        }
    )
    hostile = replace(
        content,
        title=bad,
        created=bad,
        scored_on=bad,
        class_names=("background", bad),
        data=((bad, bad),),
        findings=(Finding(severity="error", code=bad, message=bad, files=(bad,), remedy=bad),),
        recipe_text=bad,
        split={bad: (bad,)},
        scores=renamed,
        examples=tuple(replace(e, id=bad) for e in content.examples),
        environment=((bad, bad),),
    )
    text = render(hostile)
    page = Page(text)
    assert "<script" not in text
    assert not page.all("script")
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert page.text.count("alert('x')") >= 15
    assert "49" not in page.texts


def test_every_picture_says_what_it_shows(content: ReportContent):
    page = Page(render(content))
    pictures = page.all("img")
    assert len(pictures) == 3 * 4 + 3 + 3
    assert all(picture["alt"] and picture["src"].startswith("data:image/jpeg") for picture in pictures)
    assert all(svg["aria-label"] for svg in page.all("svg"))
    assert all(box["aria-label"] for box in page.all("input"))


def test_distances_are_shown_where_they_are_learned(content: ReportContent):
    assert content.weights is not None
    distances = np.linspace(0, 1, 64 * 80, dtype=np.float32).reshape(64, 80)
    learned = Page(render(replace(content, weights=replace(content.weights, distances=distances))))
    shown = [picture["alt"] for picture in learned.all("img")]
    assert len(shown) == 3 * 4 + 3 + 4
    assert shown.count("Distance to the object's border") == 1


def test_the_headline_states_score_interval_and_rule(content: ReportContent):
    text = Page(render(content)).text
    assert "Dice of vessel 0.810 Mean over 3 images" in text
    assert "0.550 – 0.850" in text
    assert "All pixels count." in text
    assert "above a probability of 0.500" in text


def test_published_figures_and_the_second_observer_stand_beside(content: ReportContent):
    scores = content.scores
    assert scores is not None
    observer = ObserverScores(n_images=4, pooled=scores.pooled, mean=scores.mean)
    update = {"protocol": "chasedb1", "pooled_first": True, "second_observer": observer}
    text = Page(render(replace(content, scores=scores.model_copy(update=update)))).text
    assert "Pixels of 4 images pooled" in text
    assert "Second observer 0.8000 0.8000 0.8000 0.8000 0.8000 0.8000 a person" in text
    assert "LadderNet 0.8031 0.9839 – – – –" in text
    assert PROTOCOLS["chasedb1"].comparability in text
    assert "second observer" in text


def test_a_missing_figure_of_objects_is_told(content: ReportContent, object_scores: Scores):
    classes_only = object_scores.model_copy(update={"objects": None})
    assert "No Score of DSB 2018: it needs" in Page(render(replace(content, scores=classes_only))).text


def test_objects_have_a_table_and_the_front_place(content: ReportContent, object_scores: Scores):
    text = Page(render(replace(content, scores=object_scores))).text
    assert "Score of DSB 2018 0.410 Mean over 4 images" in text
    assert "Objects Figure Value 95 % interval" in text
    assert "best of the competition 0.6310" in text
    assert PROTOCOLS["dsb2018"].comparability in text


def test_a_partition_has_a_table(content: ReportContent, parted_scores: Scores):
    text = Page(render(replace(content, scores=parted_scores))).text
    assert "Rand error 0.050 Slices of 4 images pooled; 0 is best Pixel error 0.080" in text
    assert "Partition into cells Figure Value 95 % interval At threshold" in text
    assert "U-Net 0.0382 0.0611 0.9728 0.9866" in text


def test_shapes_and_calibration_are_on_the_page(
    content: ReportContent, organ_scores: Scores, vessel_scores: Scores
):
    organs = Page(render(replace(content, scores=organ_scores, class_names=organ_scores.class_names)))
    assert "Surface and volume of tumor Figure Mean 95 % interval Images" in organs.text
    assert "This model, tumor 0.6100" in organs.text
    vessels = Page(render(replace(content, scores=vessel_scores)))
    assert "Centerlines of vessel" in vessels.text
    assert "Expected calibration error 0.0505" in vessels.text
    labels = [svg["aria-label"] for svg in vessels.all("svg")]
    assert "Share of true foreground by predicted probability" in labels
    objects = Page(render(replace(content, scores=organ_scores.model_copy(update={"shapes": None}))))
    assert "Surface and volume" not in objects.text


def test_objects_have_a_curve(content: ReportContent, object_scores: Scores):
    labels = [svg["aria-label"] for svg in Page(render(replace(content, scores=object_scores))).all("svg")]
    assert "Average precision of objects by IoU threshold" in labels


def test_examples_go_from_worst_to_best_and_nan_is_a_dash(content: ReportContent):
    text = render(content)
    places = [text.index(f"<span>case_{note}</span>") for note in ("worst", "median", "best")]
    assert places == sorted(places)
    shown = Page(text).text
    assert "Dice –" in shown
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", shown.lower())


def test_an_example_tells_the_figure_it_was_chosen_by(content: ReportContent):
    by_objects = tuple(replace(example, metric="dsb") for example in content.examples)
    text = Page(render(replace(content, examples=by_objects))).text
    assert "Best case_best Score of DSB 2018 0.900" in text
    assert "Best case_best Dice 0.900" in Page(render(content)).text


def test_objects_have_no_legend_of_classes(content: ReportContent):
    empty = replace(content, augmentation=None)
    numbers = np.zeros((64, 80), np.int32)
    objects = tuple(replace(example, objects=(numbers, numbers)) for example in content.examples)
    drawn = Page(render(replace(empty, examples=objects))).text
    assert "Labels:" not in drawn and "Colors of objects" in drawn and "True objects" in drawn
    some = Page(render(replace(empty, examples=(*objects[:1], *content.examples[1:])))).text
    assert "Labels:" in some and "Colors of objects" in some
    none = Page(render(empty)).text
    assert "Labels:" in none and "Colors of objects" not in none


def test_findings_stand_by_weight_with_their_remedy(content: ReportContent):
    text = Page(render(content)).text
    assert text.index("Ends early.") < text.index("Copy it again.") < text.index("Read as pairs.")
    assert "1 file a.png" in text


def test_empty_parts_of_the_split_are_left_out(content: ReportContent):
    text = Page(render(content)).text
    assert "Train 2 Test 1" in text and "Validation 0" not in text


def test_a_page_without_scores_and_history_has_the_rest(content: ReportContent):
    page = Page(render(replace(content, scores=None, history=(), examples=())))
    left = ["data", "split", "network-input", "recipe", "environment"]
    assert [section["id"] for section in page.all("section")] == left


def test_a_page_with_nothing_but_a_title_stands():
    page = Page(render(ReportContent(title="Empty", created="today", class_names=("background",))))
    assert page.all("section") == []
    assert "Empty" in page.text


def test_several_classes_have_a_table_each(content: ReportContent, two_class_scores: Scores):
    names = ("background", "liver", "tumor")
    page = Page(render(replace(content, scores=two_class_scores, class_names=names)))
    assert "Mean Dice of 2 classes" in page.text
    assert "wrong class" in page.text
    assert len(page.all("table")) == 4
    assert "liver 0.8000 0.8100" in page.text and "All scores of tumor" in page.text
    assert page.text.count("case_0 liver") == 1


def test_the_file_is_written_whole(content: ReportContent, tmp_path: Path):
    path = tmp_path / "out" / "report.html"
    assert write_report(content, path) == path
    assert path.read_text(encoding="utf-8") == render(content)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_three_examples_of_a_thousand_pixels_stay_a_few_megabytes(content: ReportContent, tmp_path: Path):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:1000, :1000]
    waves = 120 + 80 * np.sin(rows / 37) * np.cos(columns / 23) + rng.normal(0, 6, rows.shape)
    image = np.repeat(np.clip(waves, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)
    truth = (image[..., 0] > 180).astype(np.uint8)
    large = tuple(Example(f"x{n}", image, truth, np.roll(truth, 3, 0), None, 1.0, "best") for n in range(3))
    path = write_report(replace(content, examples=large), tmp_path / "report.html")
    assert path.stat().st_size < 4e6


def test_pure_noise_can_be_embedded(content: ReportContent):
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    empty = np.zeros((400, 400), np.uint8)
    assert "Best" in render(
        replace(content, examples=(Example("x", noise, empty, empty, None, 0.0, "best"),))
    )


def test_an_example_off_its_grid_is_refused(content: ReportContent):
    wrong = replace(content.examples[0], truth=np.zeros((3, 3), np.uint8))
    with pytest.raises(GeometryError):
        render(replace(content, examples=(wrong,)))


def test_an_impossible_place_is_refused(content: ReportContent, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_report(content, tmp_path / "file" / "report.html")
