"""What a report says, gathered by whoever ran the experiment; plain values, no drawing."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seglet.data.findings import Finding
from seglet.metrics.scores import Scores

Note = Literal["best", "median", "worst"]
LabelledPicture = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class Example:
    """One scored image to show.

    Attributes
    ----------
    id : str
        Name of the case.
    image : (y, x, 3) uint8 array
        The image as it is shown.
    truth, predicted : (y, x) uint8 array
        Class index per pixel; `IGNORE` where nobody labelled.
    fov : (y, x) bool array or None
        The only pixels that were scored.
    score : float
        Its figure; nan where it has none.
    note : str
        Its place among the scored images: ``best``, ``median`` or ``worst``.
    metric : str
        Name of the figure that it has this place by: ``dice`` of the foreground, or one of objects.
    objects : ((y, x) integer array, (y, x) integer array) or None
        True and predicted object per pixel, of a flat image where both are told apart.
    surfaces : tuple of (str, (y, x, 3) uint8 array)
        Of a volume: what is shown, and the surface of its truth or prediction from one side.
    """

    id: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    fov: NDArray[np.bool_] | None
    score: float
    note: Note
    metric: str = "dice"
    objects: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None
    surfaces: tuple[tuple[str, NDArray[np.uint8]], ...] = ()


@dataclass(frozen=True, eq=False)
class AugmentationPreview:
    """One training image, and what the network is shown of it.

    Attributes
    ----------
    original : (y, x, 3) uint8 array
        The image before augmentation.
    original_labels : (y, x) uint8 array
        Its class indexes.
    patches : tuple of ((y, x, 3) uint8 array, (y, x) uint8 array)
        Augmented patches with their labels.
    """

    original: NDArray[np.uint8]
    original_labels: NDArray[np.uint8]
    patches: tuple[LabelledPicture, ...]


@dataclass(frozen=True, eq=False)
class WeightPreview:
    """What is learned of each pixel of one training image, and how much it counts.

    Attributes
    ----------
    image : (y, x, 3) uint8 array
        The image as it is shown.
    labels : (y, x) uint8 array
        Class per pixel as it is learned: objects drawn apart, their border a class, where that is wished.
    weights : (y, x) float32 array
        Weight per pixel in the loss.
    distances : (y, x) float32 array or None
        Distance to the object's border, 0 to 1, where it is learned.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    weights: NDArray[np.float32]
    distances: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything on the page; what is empty or None is left out of it.

    Attributes
    ----------
    title, created : str
        Heading, and when the page was made, as text.
    data : tuple of (str, str)
        Facts about the dataset, in order: ``("Images", "28, 999 x 960, RGB")``.
    findings : tuple of Finding
        What the doctor found.
    recipe_text : str
        The resolved recipe, YAML.
    split : dict of str to tuple of str
        Case ids of each part: ``train``, ``validation``, ``test``.
    history : tuple of dict
        One row per epoch or validation: ``step``, ``epoch``, ``seconds``, ``learning_rate``, ``train_loss``,
        ``val_loss``, ``val_dice``; any may be missing or None.
    scores : Scores or None
        None where nothing was scored.
    scored_on : str
        Which images the scores are about, in words: ``"8 test images"``.
    environment : tuple of (str, str)
        Versions and hardware.
    class_names : tuple of str
        Class names in order of their index, the background first.
    """

    title: str
    created: str
    class_names: tuple[str, ...]
    data: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    recipe_text: str = ""
    split: dict[str, tuple[str, ...]] | None = None
    history: tuple[dict[str, float | None], ...] = ()
    scores: Scores | None = None
    scored_on: str = ""
    examples: tuple[Example, ...] = ()
    augmentation: AugmentationPreview | None = None
    weights: WeightPreview | None = None
    environment: tuple[tuple[str, str], ...] = ()
