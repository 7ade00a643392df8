"""How far figures of all images' pixels together can be trusted: the same figures of images drawn anew."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seglet.metrics.pixels import count_scores
from seglet.metrics.scores import ClassFigures, ClassMeans
from seglet.metrics.statistics import Interval, drawn_interval, drawn_weights

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

AREAS = ("roc_auc", "pr_auc")


def draw_figures(
    matrices: Sequence[Counts],
    images: Sequence[str],
    class_names: tuple[str, ...],
    histograms: Mapping[str, Counts],
    n_draws: int = 10_000,
) -> dict[str, dict[str, Floats]]:
    """Pool the pixels of images drawn anew, with replacement and always the same seed.

    Parameters
    ----------
    matrices : sequence of (k, k) int array
        Pixels of each image, or window of one, by true and predicted class.
    images : sequence of str
        The image of each: its windows are drawn together. The order of images changes nothing.
    class_names : tuple of str
        All classes, background first.
    histograms : mapping
        Of each foreground class whose areas are wanted, the (image, step, 2) pixels as `PixelList.histograms`
        counts them.
    n_draws : int
        How often the images are drawn.

    Returns
    -------
    dict
        Foreground class, then metric: (1 + draws,) values, the first of the images as they are; nan where a
        draw has no such figure. Of fewer than two images the first alone. Areas are as if all pixels within
        a step had the same score, so that the first may differ a little from the exact one.
    """
    of_image = np.unique(np.asarray(images), return_inverse=True)[1]
    n = int(of_image.max()) + 1
    counts = _by_image(np.stack([_class_counts(matrix) for matrix in matrices]), of_image)
    steps = {name: _by_image(found, of_image) for name, found in histograms.items()}
    drawn: dict[str, dict[str, list[Floats]]] = {name: {} for name in class_names[1:]}
    for weights in (np.ones((1, n)), *drawn_weights(n, n_draws=n_draws)):
        summed = (weights @ counts.reshape(n, -1)).reshape(len(weights), -1, 4)
        for index, name in enumerate(class_names[1:], start=1):
            figures = count_scores(*summed[:, index].T)
            if name in steps:
                figures |= zip(AREAS, _areas(weights, steps[name]), strict=True)
            for metric, values in figures.items():
                drawn[name].setdefault(metric, []).append(values)
    return {
        name: {metric: np.concatenate(parts) for metric, parts in of_class.items()}
        for name, of_class in drawn.items()
    }


def pooled_intervals(
    pooled: ClassFigures, drawn: Mapping[str, Mapping[str, Floats]], n_images: int
) -> ClassMeans:
    """Put every pooled figure in its 95 % interval.

    Parameters
    ----------
    pooled : dict
        Foreground class, then metric: the exact figures.
    drawn : mapping
        Of `draw_figures`; a metric that it lacks has no interval.
    n_images : int
        Images, or windows of images.
    """
    return {
        name: {
            metric: _interval(found, drawn[name].get(metric, np.empty(0)), n_images)
            for metric, found in of_class.items()
        }
        for name, of_class in pooled.items()
    }


def pooled_mean_dice_interval(
    found: float, drawn: Mapping[str, Mapping[str, Floats]], n_images: int
) -> Interval:
    """The interval of the mean over foreground classes of pooled Dice, of those that a draw has."""
    dices = np.stack([of_class["dice"] for of_class in drawn.values()])
    n_known = np.count_nonzero(~np.isnan(dices), axis=0)
    sums = np.nansum(dices, axis=0)
    means = np.divide(sums, n_known, out=np.full_like(sums, np.nan), where=n_known > 0)
    return _interval(found, means, n_images)


def _interval(found: float, drawn: Floats, n: int) -> Interval:
    """Around the exact figure: by how much the first value misses it, all others are moved."""
    moved = np.clip(drawn[1:] + (found - drawn[:1]), -1, 1)
    return drawn_interval(found, [moved], n)


def _class_counts(matrix: Counts) -> Floats:
    """(class, 4): true positives, false negatives, false positives and true negatives of each class."""
    tp = matrix.diagonal()
    fn, fp = matrix.sum(axis=1) - tp, matrix.sum(axis=0) - tp
    return np.stack([tp, fn, fp, matrix.sum() - tp - fn - fp], axis=1).astype(np.float64)


def _by_image(rows: NDArray[np.generic], of_image: NDArray[np.intp]) -> Floats:
    """Sum what belongs to one image."""
    summed = np.zeros((int(of_image.max()) + 1, *rows.shape[1:]))
    np.add.at(summed, of_image, rows)
    return summed


def _areas(weights: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Areas under ROC and precision-recall of images that count so often, (draw, image); nan of one class."""
    background, foreground = np.moveaxis(steps[:, ::-1], 2, 0)  # (image, step), the highest scores first
    fp, tp = background.cumsum(axis=1), foreground.cumsum(axis=1)
    n_positive, n_negative = weights @ tp[:, -1], weights @ fp[:, -1]
    # Mann-Whitney: of each two images, how often a foreground pixel of the one beats a background pixel of
    # the other; a tie counts half
    beaten = foreground @ (fp[:, -1:] - fp + background / 2).T
    won = np.sum((weights @ beaten) * weights, axis=1)
    hits = weights @ tp
    marked = hits + weights @ fp
    precision = np.divide(hits, marked, out=np.zeros_like(hits), where=marked > 0)
    average = np.einsum("ds,ds->d", np.diff(hits, prepend=0), precision)
    has_both = (n_positive > 0) & (n_negative > 0)
    return (
        np.divide(won, n_positive * n_negative, out=np.full_like(won, np.nan), where=has_both),
        np.divide(average, n_positive, out=np.full_like(average, np.nan), where=has_both),
    )
