import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from seglet.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"


def summary(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["model", "summary", *(str(a) for a in arguments)])


def document(*arguments: object) -> Any:
    result = summary(*arguments, "--json")
    assert result.exit_code == 0, result.stdout
    return json.loads(result.stdout)


def _rows() -> dict[str, list[str]]:
    """The table of figures in the docs, by the words after ``seglet model summary``."""
    table = PAGE.read_text(encoding="utf-8").split("| `seglet model summary` |")[1].split("\n\n")[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {command.strip("`"): figures for command, *figures in lines}


def _by(sides: list[int]) -> str:
    return "x".join(map(str, sides))


def test_the_page_lists_every_kind_of_network_and_many_forms() -> None:
    assert len(_rows()) >= 12
    assert {"unet2015-em", "nuclei", "liver", "liver-torch", "retina-patches", "retina"} <= set(_rows())


@pytest.mark.parametrize("command", _rows())
def test_figures_in_the_docs_are_those_that_are_computed(command: str) -> None:
    found = document(*shlex.split(command))
    sizes = "any" if found["is_padded"] else f"{_by(found['smallest'])} and every {_by(found['step'])} more"
    assert _rows()[command] == [
        _by(found["input"]),
        _by(found["output"]),
        f"{found['parameters']:,}",
        f"{found['macs'] / 1e9:.2f}",
        _by(found["receptive_field"]),
        sizes,
    ]


def test_text_shows_layers_and_facts() -> None:
    said = summary("auto", "--set", "plan.channels=[4, 8]", "--input", "32x48", "--classes", 3).stdout
    assert said.startswith("unet, 1x32x48")
    assert re.search(r"^head +Conv2d +3x32x48 +15 +0\.000$", said, re.MULTILINE)
    assert re.search(r"^receptive field +18x18\s*$", said, re.MULTILINE)
    assert "any; multiples of 2x2 without padding" in said


def test_text_of_an_unpadded_network_names_its_sizes() -> None:
    settings = ("-s", "network={kind: unet2015}", "-s", "plan.channels=[4, 8, 8]")
    said = summary("auto", *settings, "--input", "48x44").stdout
    assert re.search(r"^output +2x8x4\s*$", said, re.MULTILINE)
    assert "44x44 and every 4x4 more" in said


@pytest.mark.parametrize("size", ["5", "5x", "axb", "0x8", "3x4x5x6", "-3x8", "8,8"])
def test_size_that_is_none_is_refused(size: str) -> None:
    result = summary("auto", f"--input={size}")
    assert result.exit_code == 2
    assert "For example: 572x572" in result.stderr
    assert result.stdout == ""


def test_illegal_size_names_the_nearest() -> None:
    result = summary(
        "auto", "-s", "network={kind: unet2015}", "-s", "plan.channels=[4, 8, 8]", "--input", "45x44"
    )
    assert result.exit_code == 2
    assert result.stderr.startswith("Error --input, side 45:")
    assert "Try 44 or 48." in result.stderr


def test_error_as_json() -> None:
    result = summary("nope", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"] == "ConfigError"


def test_the_group_has_help() -> None:
    result = CliRunner().invoke(app, ["model", "--help"])
    assert result.exit_code == 0
    assert "summary" in result.stdout


def test_engines_are_shown_side_by_side(run_folder: Path, cells: Path) -> None:
    image = min((cells / "images").iterdir())
    result = CliRunner().invoke(app, ["model", "engines", str(run_folder), str(image)])
    assert result.exit_code == 0, result.stdout
    assert "torch fp32" in result.stdout
    assert "openvino fp32" in result.stdout
    assert re.search(
        r"\* the fastest on the CPU; .* model's settings name \((torch|openvino|onnx) ", result.stdout
    )
    found = json.loads(
        CliRunner().invoke(app, ["model", "engines", str(run_folder), str(image), "--json"]).stdout
    )
    assert found["trials"][0]["engine"] == "torch"
    assert found["chosen"] in found["trials"]
