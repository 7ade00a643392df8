"""A tiny U-Net with drawn weights, as a model."""

from collections.abc import Callable

import pytest
import torch

from seglet.core.image import LabelClass, Labels
from seglet.model import Model, ModelCard, PredictConfig, untrained
from seglet.networks.unet import UNetConfig
from seglet.preprocessing.plan import Plan

MakeModel = Callable[..., Model]


@pytest.fixture
def make_model() -> MakeModel:
    """A tiny U-Net in evaluation mode, its batch norms having seen something; of images, unless said."""

    def make(
        n_classes: int = 2,
        channels: tuple[int, ...] = (4, 8),
        window: int | None = 64,
        margin: int | None = 16,
        flips: bool = False,
        **plan: object,
    ) -> Model:
        said: dict[str, object] = {
            "color": "gray",
            "normalization": "divide",
            "resize": None,
            "patch_size": (32, 32),
            "batch_size": 2,
            "n_channels": 1,
            "training_memory": 1,
            "strides": ((2, 2),) * (len(channels) - 1),
            "kernels": ((3, 3),) * len(channels),
        }
        classes = tuple(LabelClass(name=f"class{i}", value=i) for i in range(n_classes))
        card = ModelCard(
            recipe="test",
            network=UNetConfig(n_convolutions=1),
            plan=Plan(**(said | {"channels": channels, "n_classes": n_classes} | plan)),  # type: ignore[arg-type]
            labels=Labels(classes=classes),
            predict=PredictConfig(window=window, margin=margin, flips=flips),
        )
        model = untrained(card)
        generator = torch.Generator().manual_seed(3)
        for module in model.network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
                module.running_mean.copy_(torch.randn(len(module.running_mean), generator=generator) / 4)
                module.running_var.copy_(torch.rand(len(module.running_var), generator=generator) + 0.5)
        model.network.eval()
        return model

    return make


@pytest.fixture
def make_volume_model(make_model: MakeModel) -> MakeModel:
    """The same for volumes; the first axis is not halved."""

    def make(n_classes: int = 2, **changed: object) -> Model:
        said: dict[str, object] = {
            "n_classes": n_classes,
            "mode": "3d",
            "patch_size": (8, 16, 16),
            "strides": ((1, 2, 2),),
            "kernels": ((1, 3, 3), (3, 3, 3)),
            "window": None,
            "margin": None,
        }
        return make_model(**(said | changed))  # type: ignore[arg-type]

    return make
