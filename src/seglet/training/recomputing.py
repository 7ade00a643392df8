"""Gradient checkpointing: what a block computes is forgotten, and computed again for the gradient."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from functools import partial

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from seglet.networks.blocks import ConvBlock
from seglet.networks.residual_unet import ResidualBlock


@contextmanager
def recomputing(network: nn.Module) -> Iterator[None]:
    """Forward passes in here keep no more than the input of each block for the backward pass [1]_.

    Gradients, dropout and running statistics are those of a network that keeps everything.

    Parameters
    ----------
    network : Module
        Unchanged afterwards.

    References
    ----------
    .. [1] Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", arXiv 1604.06174.
    """
    blocks = [block for block in network.modules() if isinstance(block, ConvBlock | ResidualBlock)]
    for block in blocks:
        again = partial(_once_more, block)
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, context_fn=again)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for block in blocks:
            del block.forward  # of this one alone; that of its class is seen again


def _once_more(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What the first and the second computation of a block take place in."""
    return nullcontext(), _keeping_statistics(block)


@contextmanager
def _keeping_statistics(block: nn.Module) -> Iterator[None]:
    """Batches that pass through in here do not move the running statistics: they have done so before."""
    norms = [each for each in block.modules() if isinstance(each, _BatchNorm)]
    before = [(norm.momentum, deepcopy(norm.num_batches_tracked)) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, n_batches) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, n_batches
