"""How masks are written anew: one file with a value for each class, or a number for each object."""

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import IGNORE, LabelClass, Labels, Sample
from seglet.data.cases import Dataset
from seglet.data.masks import encode

UNLABELLED = 2**31 - 1  # object number of pixels that nobody labelled
LARGEST = 2**16 - 1  # value of a class


def labels_as_written(dataset: Dataset, labels: Labels, *, keep_colors: bool = False) -> Labels:
    """Say how masks of a dataset are written anew.

    Objects by their numbers; classes by the masks' own values where these are whole numbers (or, if they may
    be kept, colors), else by their indexes.

    Parameters
    ----------
    dataset : Dataset
        Whose cases they are.
    labels : Labels
        How its masks are written.
    keep_colors : bool
        Whether masks may be written in color.
    """
    has_unlabelled = labels.ignore is not None or any(case.tracks is not None for case in dataset.cases)
    if labels.encoding in ("objects", "instances"):
        ignore = UNLABELLED if has_unlabelled else None
        return Labels(encoding="instances", classes=_indexed(labels), ignore=ignore, is_numbered=True)
    values = [one.value for one in labels.classes]
    if labels.encoding == "colors" and keep_colors:
        return labels
    is_kept = all(isinstance(value, int) and 0 <= value <= LARGEST for value in values)
    classes = labels.classes if is_kept and labels.encoding != "colors" else _indexed(labels)
    return Labels(classes=classes, ignore=_free_value(classes, labels) if has_unlabelled else None)


def labels_as_indexes(dataset: Dataset, labels: Labels) -> Labels:
    """Say how masks are written whose values are 0, 1, 2 …: pixels that nobody labelled have the highest."""
    has_unlabelled = labels.ignore is not None or any(case.tracks or case.fov for case in dataset.cases)
    return Labels(classes=_indexed(labels), ignore=labels.n_classes if has_unlabelled else None)


def masks_of(sample: Sample, written: Labels | None) -> dict[str, NDArray[np.integer]]:
    """Give all masks of a sample as they are written.

    Returns
    -------
    dict
        ``labels``, ([z,] y, x) or in color (y, x, 3); ``second``, alike, but of objects it says only where
        they are; ``fov``, 255 inside and 0 outside. What the sample lacks is left out.
    """
    found: dict[str, NDArray[np.integer]] = {}
    if written is not None and sample.labels is not None:
        found["labels"] = mask_values(sample, written)
    if written is not None and sample.second is not None:
        found["second"] = encode(sample.second, written)
    if sample.fov is not None:
        found["fov"] = sample.fov.astype(np.uint8) * np.uint8(255)
    return found


def mask_values(sample: Sample, written: Labels) -> NDArray[np.integer]:
    """The mask of a labelled sample as it is written: ([z,] y, x), or (y, x, 3) in color."""
    indexes = np.asarray(sample.labels)
    if written.encoding == "instances" and sample.objects is not None:
        return np.where(indexes == IGNORE, UNLABELLED, sample.objects).astype(np.int32)
    return encode(indexes, written)


def _indexed(labels: Labels) -> tuple[LabelClass, ...]:
    return tuple(LabelClass(name=name, value=index) for index, name in enumerate(labels.names))


def _free_value(classes: tuple[LabelClass, ...], labels: Labels) -> int:
    taken = {one.value for one in classes}
    own = labels.ignore
    if isinstance(own, int) and 0 <= own <= LARGEST and own not in taken:
        return own
    free: int = next(value for value in (IGNORE, *range(IGNORE)) if value not in taken)
    return free
