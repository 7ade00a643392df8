"""Files are sorted by what they are and find their images."""

from pathlib import Path

from seglet.data.layouts import Layout
from seglet.data.matching import Found, match_files
from seglet.io.sources import File

ROOT = Path("d")


def files(text: str) -> list[File]:
    return [File(ROOT, name) for name in text.split()]


def shown(found: list[Found]) -> list[str]:
    return [one.file.name for one in found]


def test_channels_of_one_image_come_together_in_order() -> None:
    layout = Layout(image="{id}_{channel}.png", labels="{id}_seg.tif")
    found = match_files(layout, files("a_t2.png b_t1.png a_t1.png a_seg.tif"))
    assert [shown(members) for members in found.images] == [["a_t1.png", "a_t2.png"], ["b_t1.png"]]
    assert shown(found.of(found.images[0][0], "{id}_seg.tif", layout)) == ["a_seg.tif"]
    assert found.of(found.images[1][0], "{id}_seg.tif", layout) == []


def test_of_two_patterns_the_one_that_says_more_of_the_name_is_meant() -> None:
    classes = Layout(image="raw/{id}.png", labels="{class}/{id}.png")
    found = match_files(classes, files("raw/1.png cells/1.png rims/1.png"))
    assert [shown(members) for members in found.images] == [["raw/1.png"]]
    assert shown(found.of(found.images[0][0], "{class}/{id}.png", classes)) == ["cells/1.png", "rims/1.png"]
    beside = Layout(image="{id}.*", labels="{id}_mask.*")
    assert [shown(members) for members in match_files(beside, files("a.png a_mask.png")).images] == [
        ["a.png"]
    ]


def test_masks_without_an_image_are_strays() -> None:
    layout = Layout(image="images/{id}.png", labels=("gold/{id}.png", "silver/{id}.png"))
    found = match_files(layout, files("images/1.png gold/1.png silver/1.png silver/2.png"))
    assert shown(found.strays(layout.label_patterns, layout)) == ["silver/2.png"]
