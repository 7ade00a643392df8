"""The command line: parse, call one use case, print. Heavy imports happen inside the commands."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from seglet import __version__
from seglet.cli_compare import compare
from seglet.cli_measure import measure
from seglet.cli_mesh import mesh
from seglet.cli_model import model
from seglet.cli_review import review
from seglet.cli_train import train
from seglet.cli_tune import tune
from seglet.console import door as _door
from seglet.console import print_json, print_line, print_table
from seglet.core.errors import TrainingError
from seglet.core.profile import profiling
from seglet.options import (
    AsJson,
    Data,
    Engine,
    Flips,
    MaxRam,
    Precision,
    Protocol,
    RecipeName,
    Settings,
    WithProfile,
)
from seglet.printing import (
    print_finding,
    print_profile,
    print_repairs,
    print_scores,
    profile_document,
    scored_on_words,
    scores_document,
)

app = typer.Typer(
    help="A few annotated biomedical images in; a segmentation model one can trust out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(model, name="model")


@app.command()
def check(
    data: Data,
    recipe: RecipeName = "auto",
    settings: Settings = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write a repaired copy; the original is never touched.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the copy; DATA_repaired by default."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write what was found as an HTML page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what the data are and what is wrong with them; exit code 1 if they cannot be trained on."""
    from seglet import pipeline

    with _door(as_json) as tell:
        found = pipeline.check(data, recipe, settings or [], tell)
        if report is not None:
            pipeline.report_findings(found, report)
        repaired = pipeline.repair(found, out, tell) if fix else None
    errors = [f for f in found.findings if f.severity == "error"]
    if as_json:
        findings = [f.model_dump(mode="json") for f in found.findings]
        repairs = None if repaired is None else repaired.model_dump(mode="json")
        print_json({"data": str(data), "findings": findings, "repairs": repairs})
    else:
        for finding in found.findings:
            print_finding(finding)
        labelled = sum(bool(case.labels) for case in found.dataset.cases)
        print_line(f"{len(found.dataset.cases)} images, {labelled} with masks; {len(errors)} errors.")
        if repaired is not None:
            print_repairs(repaired)
    if errors and repaired is None:
        raise typer.Exit(1)


@app.command()
def plan(
    data: Data,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the plan as a recipe to edit.")
    ] = None,
    recipe: RecipeName = "auto",
    settings: Settings = None,
    max_ram: MaxRam = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be done with a dataset, as a recipe to edit."""
    from seglet import pipeline
    from seglet.core.storage import write_text
    from seglet.expecting import expectations
    from seglet.recipe import to_text
    from seglet.showcase import data_facts

    with _door(as_json) as tell:
        planned = pipeline.plan(data, recipe, settings or [], tell, max_ram=max_ram)
        facts = dict((*data_facts(planned), *expectations(planned)))
        if out is not None:
            write_text(out, to_text(planned.recipe))
    if as_json:
        print_json(
            {"facts": facts, "recipe": planned.recipe.model_dump(mode="json"), "out": out and str(out)}
        )
        return
    print_table(f"Plan for {data}", ("", ""), list(facts.items()))
    if out is not None:
        print_line(f"Recipe: {out}   (edit it, then: seglet train {data} -o RUN --recipe {out})")


app.command()(train)
app.command()(tune)
app.command()(measure)
app.command()(mesh)
app.command()(compare)
app.command()(review)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Run or model folder.")],
    images: Annotated[list[Path], typer.Argument(help="Images, folders or zip archives.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the masks.")],
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Write probabilities too.")] = False,
    engine: Engine = None,
    precision: Precision = None,
    flips: Flips = None,
    max_ram: MaxRam = None,
    profile: WithProfile = False,
    as_json: AsJson = False,
) -> None:
    """Predict masks of any images, at their own size."""
    from seglet import pipeline

    with _door(as_json) as tell, profiling() as spent:
        written = pipeline.predict(
            run,
            images,
            out,
            probabilities,
            tell,
            engine=engine,
            precision=precision,
            flips=flips,
            max_ram=max_ram,
        )
    if as_json:
        print_json({"masks": [str(path) for path in written]} | profile_document(spent if profile else []))
        return
    print_line(f"{len(written)} masks in {out}")
    print_profile(spent if profile else [])


@app.command()
def evaluate(
    predictions: Annotated[
        Path, typer.Argument(help="Folder of masks from any tool, or a run or model folder.")
    ],
    truth: Annotated[Path, typer.Argument(help="Dataset, or a folder of true masks.")],
    protocol: Protocol = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="Say the layout or the masks of the truth."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for scores.json and scores.csv.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score masks, or a run, by a named protocol."""
    from seglet import pipeline
    from seglet.evaluation import is_model
    from seglet.metrics.scores import write_scores

    with _door(as_json) as tell:
        scores = pipeline.evaluate(predictions, truth, protocol, settings or [], tell)
        if out is not None:
            write_scores(scores, out)
    if as_json:
        print_json(scores_document(scores))
    else:
        print_scores(scores, scored_on_words(scores), of_masks=not is_model(predictions))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")], as_json: AsJson = False
) -> None:
    """Write the report of a finished run anew: one HTML page that opens anywhere."""
    from seglet import pipeline

    with _door(as_json) as tell:
        page = pipeline.report(run, tell)
    if as_json:
        print_json({"report": str(page)})
    else:
        print_line(f"Report: {page}")


@app.command()
def pack(
    data: Data,
    out: Annotated[Path, typer.Argument(help="The file to write, data.h5.")],
    recipe: RecipeName = "auto",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Put a dataset into one HDF5 file, which every command takes in place of a folder."""
    from seglet import pipeline

    with _door(as_json) as tell:
        dataset = pipeline.pack(data, out, recipe, settings or [], tell)
    if as_json:
        print_json({"pack": str(out), "cases": len(dataset.cases)})
    else:
        print_line(f"{len(dataset.cases)} cases in {out}")


@app.command()
def convert(
    data: Data,
    out: Annotated[Path, typer.Argument(help="Folder to write, new or empty; a file for hdf5.")],
    to: Annotated[str, typer.Option("--to", help="nnunet, pairs, hdf5, ome-zarr or ctc.")],
    recipe: RecipeName = "auto",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Write a dataset in another layout."""
    from seglet import pipeline

    with _door(as_json) as tell:
        dataset = pipeline.convert(data, out, to, recipe, settings or [], tell)
    if as_json:
        print_json({"out": str(out), "to": to, "cases": len(dataset.cases)})
    else:
        print_line(f"{len(dataset.cases)} cases in {out}, as {to}")


@app.command()
def recipes(as_json: AsJson = False) -> None:
    """List the shipped recipes."""
    from seglet.recipe import recipe_names

    found = recipe_names()
    if as_json:
        print_json(found)
    else:
        print_table("Recipes", ("name", "what it is"), list(found.items()))


@app.command()
def recipe(
    name: Annotated[str, typer.Argument(help="Name of a shipped recipe.")], as_json: AsJson = False
) -> None:
    """Print a shipped recipe, to copy and edit."""
    from seglet.recipe import read_recipe, recipe_text

    with _door(as_json):
        text = recipe_text(name)
    if as_json:
        print_json(read_recipe(name).model_dump(mode="json"))
    else:
        sys.stdout.write(text)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for data, run and masks.")] = Path("demo"),
    budget: Annotated[str, typer.Option(help="Time for training and scoring.")] = "90s",
    as_json: AsJson = False,
) -> None:
    """Make a small dataset of touching cells, train on it, predict, score and report."""
    from seglet import pipeline
    from seglet.data.synthetic import make_dataset

    with _door(as_json) as tell:
        data, run = out / "data", out / "run"
        if run.is_dir() and any(run.iterdir()):
            raise TrainingError(
                out, found="a demo already", expected="a new folder", remedy="Choose another -o."
            )
        if not data.exists():
            make_dataset(data, "cells", n_images=20)
        trained = pipeline.train(data, run, budget=budget, tell=tell)
        pipeline.predict(trained.run.folder, [data / "images"], out / "masks", tell=tell)
    if as_json:
        print_json(scores_document(trained.scores) | {"report": str(trained.run.report)})
        return
    print_scores(trained.scores, scored_on_words(trained.scores, trained.scored_on))
    print_line(f"Masks:  {out / 'masks'}")
    print_line(f"Report: {trained.run.report.resolve()}")


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
) -> None:
    if version:
        print_line(f"seglet {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the command ``seglet``."""
    app()
