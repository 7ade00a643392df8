"""Commands about models: ``seglet model summary``, ``engines`` and ``quantize``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seglet.console import door, print_json, print_line, print_table
from seglet.core.errors import ConfigError
from seglet.options import AsJson, Settings

if TYPE_CHECKING:
    from seglet.networks.summary import NetworkSummary

model = typer.Typer(help="What networks are made of.", no_args_is_help=True)

BILLION = 1e9


@model.command()
def engines(
    run: Annotated[Path, typer.Argument(help="Run or model folder.")],
    image: Annotated[Path, typer.Argument(help="An image to try them on.")],
    as_json: AsJson = False,
) -> None:
    """Measure which engine predicts fastest on this machine, and how far each is from PyTorch."""
    from seglet.trying import try_engines

    with door(as_json) as tell:
        found = try_engines(run, image, tell)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    exact = found.trials[0].milliseconds
    rows: list[tuple[str, ...]] = [
        (
            f"{trial.name}{' *' if trial == found.chosen else ''}",
            f"{trial.milliseconds:.0f}",
            f"{exact / trial.milliseconds:.1f}",
            f"{trial.largest_probability:.1g}",
            f"{trial.dice:.5f}" if trial.is_close else f"{trial.dice:.5f}, refused",
        )
        for trial in found.trials
    ]
    columns = ("engine", "ms a window", "times as fast", "largest difference", "Dice")
    print_table("Beside PyTorch in float32", columns, rows)
    taken = "what `seglet predict` takes from now on where no engine is said"
    if not found.is_taken:
        taken = "the fastest on the CPU; `seglet predict` uses the GPU, or what the model's settings name"
    print_line(f"* {taken} ({found.chosen.name})")


@model.command()
def quantize(
    run: Annotated[Path, typer.Argument(help="Run folder; its data must still be where they were.")],
    as_json: AsJson = False,
) -> None:
    """Bring a model to 8 bits for faster prediction; refused where its masks would be worse."""
    from seglet.quantizing import quantize

    with door(as_json) as tell:
        found = quantize(run, tell)
    if as_json:
        print_json(found.model_dump(mode="json") | {"drop": found.drop})
        return
    images = f"{found.n_images} {found.part} images"
    print_line(f"Mean Dice of {images}: {found.int8:.4f} in 8 bits, {found.exact:.4f} in float32")
    print_line(f"Quantized. Which engine is fastest now: seglet model engines {run} IMAGE")


@model.command()
def summary(
    source: Annotated[
        str, typer.Argument(metavar="[RECIPE | RUN]", help="Recipe, or run or model folder.")
    ] = "auto",
    size: Annotated[
        str | None, typer.Option("--input", metavar="YxX", help="Size of an image: 572x572.")
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Channels of an image.")] = None,
    classes: Annotated[int | None, typer.Option(min=2, help="Classes, background included.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Show a network layer by layer: sizes, parameters, cost and receptive field; no data are needed."""
    from seglet.summarizing import summarize

    with door(as_json):
        found = summarize(source, settings or [], _size(size), channels, classes)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    rows: list[tuple[str, ...]] = [
        (layer.name, layer.kind, _by(layer.output), str(layer.parameters), f"{layer.macs / BILLION:.3f}")
        for layer in found.layers
    ]
    print_table(f"{found.kind}, {_by(found.input)}", ("layer", "kind", "output", "parameters", "GMACs"), rows)
    print_table("", ("", ""), _facts(found))


def _facts(found: "NetworkSummary") -> list[tuple[str, ...]]:
    sizes = f"any; multiples of {_by(found.step)} without padding"
    if not found.is_padded:
        sizes = f"{_by(found.smallest)} and every {_by(found.step)} more"
    return [
        ("parameters", f"{found.parameters:,}"),
        ("GMACs", f"{found.macs / BILLION:.2f}"),
        ("receptive field", _by(found.receptive_field)),
        ("input", _by(found.input)),
        ("output", _by(found.output)),
        ("sizes", sizes),
    ]


def _size(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) not in (2, 3) or not all(side.isdigit() and int(side) for side in sides):
        raise ConfigError(
            "--input", found=text, expected="two or three sides in pixels", remedy="For example: 572x572"
        )
    return tuple(int(side) for side in sides)


def _by(sides: tuple[int, ...]) -> str:
    return "x".join(map(str, sides))
