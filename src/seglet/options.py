"""The arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path, typer.Argument(help="Folder, zip archive, CSV table or HDF5 pack of images and masks.")
]
RecipeName = Annotated[str, typer.Option("--recipe", "-r", help="Name of a shipped recipe, or a YAML file.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change one setting.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Protocol = Annotated[str, typer.Option(help="Rule of scoring; auto takes the dataset's own.")]
Engine = Annotated[
    str | None,
    typer.Option(help="What runs the network: auto, torch, openvino, onnx.", show_default="auto"),
]
Precision = Annotated[
    str | None, typer.Option(help="Its arithmetic: auto, fp32, bf16, fp16, int8.", show_default="auto")
]
Flips = Annotated[
    bool | None,
    typer.Option(
        "--flips/--no-flips",
        help="Average mirrored versions: a little better, four times as long.",
        show_default="as the model was scored",
    ),
]
WithProfile = Annotated[bool, typer.Option("--profile", help="Say where the time went.")]
MaxRam = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory that this may take in all: 2G, 500M.")
]
