"""What prediction takes of the memory, foretold: by the network, by an image in one piece, by its blocks."""

import sys
from math import prod

from seglet.core.image import StoredImage
from seglet.core.orientation import UNTURNED
from seglet.model import Model, ModelCard
from seglet.networks.registry import n_parameters
from seglet.prediction.blocks import blocks_of
from seglet.prediction.outputs import n_planes
from seglet.prediction.tiling import extent_of, tiling_of
from seglet.preprocessing.intensity import COUNTED
from seglet.preprocessing.levels import BYTES_PER_VALUE
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.spacing import turn_of
from seglet.preprocessing.target import network_axes
from seglet.preprocessing.transform import grid_shape

MIB = 1 << 20
PROCESS = 500 * MIB  # Python, PyTorch and seglet once they are imported: 494 MiB with PyTorch 2 for CPUs
LIBRARY = 60 * MIB  # what an engine's library allocates on its first window, whatever the network
TRYING = 350 * MIB  # to convert a network for other engines, and to compare them
STORE = 64 * MIB  # Zarr, and the blocks of it that are packed and unpacked
LIVE = 7  # values per pixel and channel of the finest level that a U-Net keeps at once: 5 to 7.5 measured
WEIGHTS = 2  # copies: as they are trained, and in the order or the arithmetic that is fastest
READING = 4  # times its pixels that reading a picture takes: packed, unpacked, by channels
MEASURING = 9  # bytes per pixel to measure one channel: in float32, clipped, and whether it is finite
DECODING = 40  # bytes per pixel to tell objects apart: distances, seeds, a queue, numbers
MASK = 4  # bytes per pixel of class indexes, the values that stand for them, and their packed file


def network_memory(model: Model, image: StoredImage | None = None) -> int:
    """Bytes that running a network takes beside the images: its weights, and the batches of windows in it.

    Parameters
    ----------
    model : Model
        Whose network it is.
    image : StoredImage or None
        What is cut into windows; where None, whatever takes most.
    """
    card, tiling = model.card, tiling_of(model.card)
    n_pixels, lanes = tiling.largest_batch, tiling.lanes(sys.maxsize, tiling.window)
    if image is not None:
        seen = _seen(image, card.plan)
        along = tiling.stripes(seen)
        n_slices = prod(grid_shape(image, card.plan)) // prod(seen)
        extent, n_windows = extent_of(along), n_slices * prod(map(len, along))
        n_pixels = min(tiling.windows_at_once(extent), n_windows) * prod(extent)
        lanes = tiling.lanes(n_windows, extent)
    if card.predict.engine in ("torch", "onnx"):
        lanes = 1
    activations = LIVE * card.plan.channels[0] * n_pixels * lanes * BYTES_PER_VALUE
    return LIBRARY + WEIGHTS * n_parameters(model.network) * BYTES_PER_VALUE + activations


def image_memory(image: StoredImage, card: ModelCard) -> int:
    """Bytes that predicting an image in one piece takes, from file to mask, at its worst moment.

    Parameters
    ----------
    image : StoredImage
        Only its extent, grid and type are asked.
    card : ModelCard
        Of the model.
    """
    plan, n_pixels = card.plan, prod(image.shape)
    n_inside = prod(grid_shape(image, plan))
    pixels = prod(image.extent) * image.dtype.itemsize
    planes = n_planes(card) * BYTES_PER_VALUE
    predicted = planes * (n_inside + n_pixels * _n_restored(image, card))
    prepared = n_inside * BYTES_PER_VALUE * plan.n_channels * 2 if _is_prepared_whole(card) else 0
    decided = planes * n_pixels + n_pixels * (MASK + (DECODING if card.decoding is not None else 0))
    is_counted = image.dtype in COUNTED and image.n_channels in (1, plan.n_channels)
    measured = 0 if is_counted else MEASURING * n_pixels
    worst = max((READING - 1) * pixels, measured, prepared + predicted, decided)
    return pixels + worst


def block_memory(model: Model, image: StoredImage | None = None) -> int:
    """Bytes that an image predicted block by block takes, however large it is, beside the network.

    Parameters
    ----------
    model : Model
        What predicts it.
    image : StoredImage or None
        What is cut into blocks; where None, one on the plan's own grid, seen whole.
    """
    card = model.card
    per_pixel = 4 * (card.plan.n_channels + n_planes(card)) * BYTES_PER_VALUE
    n_pixels = prod(tiling_of(card).window)
    if image is not None:
        n_pixels = max(prod(block.shape) for block, _ in blocks_of(image, card))
        n_pixels = max(n_pixels, n_pixels * prod(grid_shape(image, card.plan)) // prod(image.shape))
    return STORE + per_pixel * n_pixels


def _n_restored(image: StoredImage, card: ModelCard) -> int:
    """Copies that are made to bring a prediction back to the image's own grid, and to its axes."""
    plan = card.plan
    is_resampled = prod(grid_shape(image, plan)) != prod(image.shape)
    is_turned = turn_of(image) != UNTURNED
    if plan.mode == "slices":
        is_turned = is_turned or n_planes(card) > 1 or plan.slice_axis > 0
    return is_resampled + is_turned


def _seen(image: StoredImage, plan: Plan) -> tuple[int, ...]:
    """Extent of an image on the plan's grid, along the axes that the network sees."""
    shape = grid_shape(image, plan)
    return tuple(shape[axis] for axis in network_axes(plan.mode, plan.slice_axis))


def _is_prepared_whole(card: ModelCard) -> bool:
    plan = card.plan
    is_resampled = plan.resize is not None or plan.spacing is not None
    return is_resampled or plan.needs_whole or plan.mode == "slices" or card.predict.rotations > 1
