"""Every shipped recipe has a page that says its command, and each of its settings with the very value."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from seglet.recipe import recipe_names, recipe_text

DOCS = Path(__file__).parents[2] / "docs"
INDEX = DOCS / "recipes.md"
NAMES = sorted(recipe_names())
PUBLISHED = [name for name in NAMES if name != "auto"]
QUOTED = re.compile(r"`([^`]+)`")


def page(name: str) -> str:
    return (DOCS / "recipes" / f"{name}.md").read_text(encoding="utf-8")


def settings_of_page(name: str) -> dict[str, Any]:
    """Keys in the first cell of a row (`.key`: beside the one before), their value in the third."""
    table = page(name).partition("| setting | published | here | same? |")[2].partition("\n\n")[0]
    settings: dict[str, Any] = {}
    for line in table.splitlines()[2:]:
        keys, _, here, same = (cell.strip() for cell in line.strip("|").split(" | "))
        assert same.rstrip("|").strip(), line
        parent = ""
        for key in QUOTED.findall(keys):
            path = f"{parent}{key}" if key.startswith(".") else key
            parent = path.rpartition(".")[0]
            assert path not in settings, f"{path} stands twice"
            settings[path] = yaml.safe_load(QUOTED.findall(here)[0])
    return settings


def settings_of_recipe(name: str) -> dict[str, Any]:
    content = yaml.safe_load(recipe_text(name))
    return {
        path: value
        for section, value in content.items()
        if section not in ("name", "description")
        for path, value in flat(section, value)
    }


def flat(path: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or path == "masks.classes":
        return [(path, value)]
    return [pair for key, inner in value.items() for pair in flat(f"{path}.{key}", inner)]


def test_every_page_belongs_to_a_recipe() -> None:
    assert sorted(file.stem for file in (DOCS / "recipes").glob("*.md")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_index_links_the_page(name: str) -> None:
    assert f"(recipes/{name}.md)" in INDEX.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_page_and_the_index_say_the_command(name: str) -> None:
    for text in (page(name), INDEX.read_text(encoding="utf-8")):
        assert re.search(rf"seglet train .* --recipe {re.escape(name)}(?![-\w])", text)
    assert "--budget 10m" in page(name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_page_says_every_setting_of_the_recipe(name: str) -> None:
    assert settings_of_page(name) == settings_of_recipe(name)


@pytest.mark.parametrize("name", NAMES)
def test_links_between_pages_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+\.md)", page(name)):
        assert (DOCS / "recipes" / target).is_file(), target
