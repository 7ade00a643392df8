"""What training takes of the memory beside the images, foretold: a step's activations, weights, windows."""

from math import prod

from seglet.networks.hardware import best_device
from seglet.preprocessing.levels import BYTES_PER_VALUE, total_stride
from seglet.preprocessing.plan import Plan
from seglet.training.settings import FitConfig

MOMENTS = {"adamw": 2, "adam": 2, "sgd": 1}  # values that an optimizer keeps of each weight
LABEL_BYTES = 8  # class indexes of a window are int64
KEPT_BLOCKS = 2  # per level: what the blocks on the way down and up are given
BLOCK = 13  # values per pixel and channel of the block that is computed again: joined, computed, gradients
MAKING = 8  # values per pixel of a patch while it is cut and warped: places in two orders, boxes, results


def step_memory(plan: Plan, fit: FitConfig, n_weights: int) -> int:
    """Bytes that steps take beside the images: activations, gradients, weights, and windows that validate.

    On a CUDA device activations are not in the memory that is meant.

    Parameters
    ----------
    plan : Plan
        Says the patches.
    fit : FitConfig
        How the network is trained.
    n_weights : int
        Of the network.
    """
    is_here = best_device().type != "cuda"
    batch = plan.batch_size * (_activations(plan, fit) + making_memory(plan)) if is_here else 0
    return batch + weights_memory(n_weights, fit) + windows_memory(plan, fit)


def weights_memory(n_weights: int, fit: FitConfig) -> int:
    """Bytes of the weights in all their copies.

    In training there are the weights, their gradients, their average and the optimizer's moments; all but the
    gradients are in a checkpoint too, which is written in one piece, and read back in the end.
    """
    saved = 2 + MOMENTS[fit.optimizer]
    return (2 * saved + 1) * n_weights * BYTES_PER_VALUE


def windows_memory(plan: Plan, fit: FitConfig) -> int:
    """Bytes of the windows that validate: as they are cut, and in batches."""
    per_pixel = BYTES_PER_VALUE * (plan.n_channels + 1) + LABEL_BYTES
    return 2 * fit.validation_windows * prod(plan.patch_size) * per_pixel


def making_memory(plan: Plan) -> int:
    """Bytes that one patch takes while it is made."""
    return MAKING * BYTES_PER_VALUE * (plan.n_channels + 2) * prod(plan.patch_size)


def _activations(plan: Plan, fit: FitConfig) -> int:
    """Of one patch."""
    if not fit.checkpointing:
        return plan.training_memory // plan.batch_size
    n_axes = len(plan.patch_size)
    strides = (total_stride(plan.strides[:level], n_axes) for level in range(len(plan.channels)))
    pixels = [prod(plan.patch_size) // prod(stride) for stride in strides]
    kept = KEPT_BLOCKS * sum(width * n for width, n in zip(plan.channels, pixels, strict=True))
    again = BLOCK * max(width * n for width, n in zip(plan.channels, pixels, strict=True))
    return (kept + again) * BYTES_PER_VALUE
