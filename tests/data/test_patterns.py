"""The pattern language."""

import pytest

from seglet.core.errors import ConfigError
from seglet.data.patterns import compile_pattern, literal, match, n_literal, stem_of, variables


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("images/{id}.png", "images/a.b.png", {"id": "a.b"}),
        ("images/{id}.png", "Images/A.PNG", {"id": "A"}),
        ("images/{id}.*", "images/a.b.tif", {"id": "a.b"}),
        ("images/{id}.*", "images/sub/a.tif", None),
        ("**/images/{id}.*", "images/a.tif", {"id": "a"}),
        ("**/images/{id}.*", "x/y/images/a.tif", {"id": "a"}),
        ("{id}/images/{id}.png", "a/images/a.png", {"id": "a"}),
        ("{id}/images/{id}.png", "a/images/b.png", None),
        ("{split}/{id}_{split}.png", "training/1_training.png", {"split": "train", "id": "1"}),
        ("{split}/{id}.png", "other/1.png", None),
        ("images{split}/{id}.png", "imagesTs/1.png", {"split": "test", "id": "1"}),
        ("x{number}.png", "x007.png", {"number": "7"}),
        ("{id}_*.png", "a_b_c.png", {"id": "a_b"}),
        ("{id}[1](x).png", "a[1](x).png", {"id": "a"}),
        ("{id}.*", "x.nii.gz", {"id": "x"}),
        ("{id}.*", "x.1.ome.tif", {"id": "x.1"}),
        ("{id}.*", "x.tar.gz", {"id": "x.tar"}),
        ("im{number}.*", "im01.ah.ppm.gz", None),
        ("{id}_{channel}.*", "a_b_0000.nii.gz", {"id": "a_b", "channel": "0000"}),
        ("{id}/{channel}_*", "p/T1_N4_x.nii", {"id": "p", "channel": "T1"}),
        ("{id}_seg-{class}-manual.*", "a_seg-axon-manual.png", {"id": "a", "class": "axon"}),
        ("{class}/{id}.*", "rim/1.png", {"class": "rim", "id": "1"}),
    ],
)
def test_names_match(pattern: str, name: str, expected: dict[str, str] | None) -> None:
    assert match(pattern, name) == expected


def test_variables_are_listed() -> None:
    assert variables("{split}/{group}/{id}.*") == {"split", "group", "id"}


@pytest.mark.parametrize("pattern", ["{name}.png", "{id.png", "id}.png", "{}.png"])
def test_unknown_variables_and_lone_braces_are_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"\{id\}"):
        compile_pattern(pattern)


def test_text_that_looks_like_syntax_becomes_a_wildcard() -> None:
    assert match(literal("a{b}*") + "/{id}.png", "a{b}*/x.png") == {"id": "x"}


def test_what_a_pattern_says_outright_is_counted() -> None:
    assert n_literal("**/raw/{id}_*.png") == len("raw/_.png")
    assert n_literal("{id}.*") == 0


def test_stems_have_no_double_suffix() -> None:
    assert [stem_of(name) for name in ("a/x.nii.gz", "x.b.png", "x")] == ["x", "x.b", "x"]
