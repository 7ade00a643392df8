"""How much the cutting into windows changes what the network says."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from seglet.core.grid import read_mirrored
from seglet.core.image import Image
from seglet.core.tiling import Stripe
from seglet.model import Model, Seams
from seglet.postprocessing.labels import to_labels
from seglet.prediction.engines.engine import Engine
from seglet.prediction.outputs import calibrated, class_probabilities
from seglet.prediction.scenes import Scene
from seglet.prediction.tiled import predict_windows, region_of
from seglet.prediction.tiling import tiling_of
from seglet.preprocessing.transform import preprocess_image

MOST_VALUES = 2**25  # of the finest level's features in one pass: about a gigabyte in all


def seam_error(image: Image, model: Model, engine: Engine, most_values: int = MOST_VALUES) -> Seams | None:
    """Compare windows with one pass over the image, mirrored as far as its outer windows reach.

    Versions that are turned are left out. What an engine rounds differs too: bfloat16 adds a hundredth or so,
    with ``fp32`` seams alone are seen.

    Parameters
    ----------
    image : Image
        As read from its file; of a volume that is predicted in slices the middle one is compared.
    model : Model
        What was trained.
    engine : Engine
        What runs it.
    most_values : int
        Of the finest level's features in the one pass.

    Returns
    -------
    Seams or None
        None where one window suffices, where windows are a stride apart (each pixel is then a mean of many),
        and where the image is too large for one pass.
    """
    card, tiling = model.card, tiling_of(model.card)
    pixels = preprocess_image(image, card.plan)
    if card.plan.mode == "slices":
        pixels = pixels[:, pixels.shape[1] // 2]
    along = tiling.stripes(pixels.shape[1:])
    n_windows, whole = prod(map(len, along)), [_joined(stripes) for stripes in along]
    n_values = prod(stripe.extent for stripe in whole) * card.plan.channels[0]
    if n_windows == 1 or tiling.stride is not None or n_values > most_values:
        return None
    cut = predict_windows([Scene(pixels)], engine, tiling)[0]
    said = engine.run(read_mirrored(pixels, region_of(whole))[None])[0]
    inside = tuple(s.inside(n)[1] for s, n in zip(whole, cut.shape[1:], strict=True))
    both = (calibrated(raw, card) for raw in (cut, said[(slice(None), *inside)]))
    windows, one = (class_probabilities(raw, card) for raw in both)
    difference = np.abs(windows - one)
    changed = to_labels(windows, card.threshold) != to_labels(one, card.threshold)
    return Seams(
        largest=float(difference.max()),
        mean=float(difference.mean()),
        share_changed=float(changed.mean()),
        n_windows=n_windows,
    )


def _joined(stripes: list[Stripe]) -> Stripe:
    """One window in place of all; its weights are not asked for."""
    first, last = stripes[0], stripes[-1]
    extent = last.start + last.extent - first.start
    everywhere: NDArray[np.float32] = np.ones(extent - 2 * first.lost, np.float32)
    return Stripe(first.start, extent, everywhere, first.lost)
