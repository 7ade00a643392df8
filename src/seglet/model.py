"""The only hand-over between training and all that follows: one folder, safetensors and YAML, no pickle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator
from safetensors.torch import load_file, save
from torch import nn

from seglet import __version__
from seglet.core.config import Config
from seglet.core.errors import ModelError
from seglet.core.image import Labels
from seglet.core.storage import whole_folder
from seglet.data.layouts import Layout
from seglet.networks.ensemble import Ensemble
from seglet.networks.registry import NetworkConfig, make_network
from seglet.patches.targets import TargetConfig
from seglet.postprocessing.settings import DecodingConfig
from seglet.preprocessing.plan import Plan

EngineName = Literal["auto", "torch", "openvino", "onnx"]
EnginePrecision = Literal["auto", "fp32", "bf16", "fp16", "int8"]

FORMAT_VERSION = 1
WEIGHTS, CARD = "weights.safetensors", "model.yaml"


class PredictConfig(Config):
    """How images larger than a window are put together; kept with the model, which was scored so.

    Attributes
    ----------
    window : int or None
        Side of the windows that large images are cut into, in pixels of the plan's grid; where None, 512,
        and for a network of volumes up to twice its patch.
    margin : int or None
        Half of what neighboring windows share and blend; where None, 32, and for a network of volumes a
        quarter of its patch.
    stride : int or None
        Where said, windows start every so many pixels, and each pixel gets the plain mean of all windows that
        show it; in place of a margin.
    batch : int or None
        Windows that the network sees at once; where None, as many as have 512x512 pixels, at least one.
    flips : bool or None
        Whether the mean over all mirrored versions is taken, four of an image and eight of a volume, at as
        many times the cost. Where None, of images whose patches are mirrored in training; never of volumes.
    rotations : int
        Versions of the image, turned by equal parts of the full circle, that the mean is taken over; 1 is the
        image alone. Volumes are turned within their slices.
    align : bool or None
        Whether it is measured how far annotations stand beside what they annotate, and predictions are moved
        there. Where None, of images whose patches are mirrored in training (other networks learn it), unless
        the threshold is said.
    threshold : float or None
        Probability above which a pixel is foreground; chosen on validation images where None.
    engine : str
        What runs the network on a CPU: ``torch``, ``openvino`` or ``onnx`` (their extras ``fast`` and
        ``onnx``); ``auto`` takes the fastest, as it was measured on this machine, where no precision is
        said. GPUs run ``torch``.
    precision : str
        ``fp32``, ``bf16``, ``fp16`` (of GPUs), or ``int8`` of a model that was quantized; ``auto`` takes
        what is fastest. Where results are to be repeated to the last digit, say engine and precision.
    """

    window: Annotated[int, Field(gt=0)] | None = None
    margin: Annotated[int, Field(ge=0)] | None = None
    stride: Annotated[int, Field(gt=0)] | None = None
    batch: Annotated[int, Field(gt=0)] | None = None
    flips: bool | None = None
    rotations: Annotated[int, Field(ge=1)] = 1
    align: bool | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    engine: EngineName = "auto"
    precision: EnginePrecision = "auto"

    @model_validator(mode="after")
    def _window_has_core(self) -> Self:
        if self.window is not None and self.margin is not None and self.window <= 2 * self.margin:
            raise ValueError(f"a window larger than twice the margin, {2 * self.margin + 1} or more")
        if self.stride is not None and (self.window is None or self.margin is not None):
            raise ValueError("a window and no margin where there is a stride")
        if self.stride is not None and self.window is not None and self.stride > self.window:
            raise ValueError(f"a stride of at most the window, {self.window}")
        return self


class Seams(Config):
    """An image predicted window by window beside the same image in one pass.

    Attributes
    ----------
    largest, mean : float
        Absolute difference of the classes' probabilities.
    share_changed : float
        Part of the pixels whose class differs.
    n_windows : int
        Into which it was cut.
    """

    largest: float
    mean: float
    share_changed: float
    n_windows: int


class ModelCard(Config):
    """What a model folder says beside its weights.

    Attributes
    ----------
    format_version : int
        Of the folder's layout.
    seglet : str
        Version that wrote it.
    recipe : str
        Name of the recipe it was trained by.
    network, plan, labels, targets, predict
        How to build the network, prepare images, write masks, read what the network says and cover large
        images.
    channels : Layout or None
        How the files of an image are named where each channel has its own.
    members : int
        Networks whose probabilities are averaged; each is as `network` and `plan` say.
    offset : tuple of float or None
        Where annotations stand, seen from what the network finds: pixels of the plan's grid along the
        network's axes, negative towards the first pixel. Predictions are moved by it.
    temperature : float
        What the logits are divided by, so that probabilities are as bold as they are right.
    threshold : float
        Probability above which a pixel is foreground; for two classes.
    threshold_from : str
        How the threshold, and the way to objects with it, was chosen, in words.
    decoding : DecodingConfig or None
        How probabilities become objects, at that threshold; None where objects are not told apart.
    rules : DecodingConfig or None
        What is filled and removed of each class, where the recipe says so and objects are not told apart.
    seams : Seams or None
        What cutting into windows changes, on one image; None where nothing is cut.
    scores : dict
        Headline figures at the time of training, by name.
    """

    format_version: int = FORMAT_VERSION
    seglet: str = __version__
    recipe: str
    network: NetworkConfig
    plan: Plan
    labels: Labels
    targets: TargetConfig = TargetConfig()
    predict: PredictConfig = PredictConfig()
    channels: Layout | None = None
    members: Annotated[int, Field(gt=0)] = 1
    offset: tuple[float, ...] | None = None
    temperature: Annotated[float, Field(gt=0)] = 1.0
    threshold: float = 0.5
    threshold_from: str = "default"
    decoding: DecodingConfig | None = None
    rules: DecodingConfig | None = None
    seams: Seams | None = None
    scores: dict[str, float | None] = Field(default_factory=dict)

    def predicting(self, **changes: Any) -> "ModelCard":
        """The same card with other settings of `PredictConfig`."""
        return self.model_copy(update={"predict": self.predict.model_copy(update=changes)})


@dataclass(frozen=True, eq=False)
class Model:
    """A network and all that is needed to use it; `folder` is where it was read from, if it was."""

    network: nn.Module
    card: ModelCard
    folder: Path | None = None

    @property
    def threshold(self) -> float | None:
        """Probability above which a pixel is foreground; None for several classes."""
        return self.card.threshold if self.card.plan.n_classes == 2 else None


def untrained(card: ModelCard, *, seed: int = 0) -> Model:
    """A model with freshly drawn weights."""
    outputs = n_outputs(card)
    members = [make_network(card.network, card.plan, outputs, seed=seed + n) for n in range(card.members)]
    return Model(joined(members, card) if card.members > 1 else members[0], card)


def joined(members: Sequence[nn.Module], card: ModelCard, temperatures: Sequence[float] = ()) -> Ensemble:
    """One network of several, that averages their probabilities."""
    has_distance = card.targets.kind == "distance"
    return Ensemble(members, has_distance=has_distance, temperatures=temperatures)


def n_outputs(card: ModelCard) -> int:
    """Channels of the logits.

    For two classes 1 (sigmoid) or 2 (softmax), as the network's head says; of more, one per class; one more
    for the border class, and for the distance to the border.
    """
    n_classes = card.plan.n_classes
    if card.targets.kind == "borders":
        return n_classes + 1
    of_classes = 1 if n_classes == 2 and card.network.head == "sigmoid" else n_classes
    return of_classes + (card.targets.kind == "distance")


def save_model(model: Model, folder: Path) -> Path:
    """Write the model's folder, whole or not at all."""
    with whole_folder(folder) as aside:
        weights = {
            name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()
        }
        (aside / WEIGHTS).write_bytes(save(weights))  # save_file would hide the system's error of a full disk
        card = yaml.safe_dump(model.card.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        (aside / CARD).write_text(card, encoding="utf-8")
    return folder


def load_model(folder: Path) -> Model:
    """Read a model's folder, or the run folder that holds it.

    Raises
    ------
    ModelError
        If the folder is none, is damaged, or was written by a newer version.
    """
    folder = folder / "model" if (folder / "model" / CARD).is_file() else folder
    card = read_card(folder)
    model = untrained(card)
    try:
        weights = load_file(folder / WEIGHTS)
        if isinstance(model.network, Ensemble):
            weights.setdefault("temperatures", model.network.temperatures)  # older models have none
        model.network.load_state_dict(weights)
    except Exception as error:  # safetensors raises its own, Python's and the system's errors
        raise ModelError(
            folder / WEIGHTS,
            found=f"weights that cannot be read ({_first_line(error)})",
            expected="the weights of the network that model.yaml describes",
            remedy="Copy the whole model folder again, or train anew.",
        ) from error
    model.network.eval()
    return replace(model, folder=folder)


def read_card(folder: Path) -> ModelCard:
    """Read what a model folder says beside its weights.

    Raises
    ------
    ModelError
        If it cannot be read, or was written by a newer version.
    """
    try:
        content: dict[str, Any] = yaml.safe_load((folder / CARD).read_text(encoding="utf-8"))
        version = content["format_version"]
        if version > FORMAT_VERSION:
            raise ModelError(
                folder,
                found=f"model format {version}",
                expected=f"at most {FORMAT_VERSION}",
                remedy="Install a newer seglet.",
            )
        return ModelCard(**content)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            folder,
            found=f"no readable {CARD}",
            expected="the model folder of a run, or the run folder itself",
            remedy="Give the folder that `seglet train -o` wrote; an interrupted run has no model yet.",
        ) from error
    except (yaml.YAMLError, ValidationError, TypeError, KeyError) as error:
        raise ModelError(
            folder / CARD,
            found=f"a description that cannot be understood ({_first_line(error)})",
            expected="the file as `seglet train` wrote it",
            remedy="Copy the model folder again, or train anew.",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
