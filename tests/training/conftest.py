"""A tiny model and prepared cases, without any file."""

from collections.abc import Callable

import numpy as np
import pytest

from seglet.core.image import LabelClass, Labels
from seglet.model import Model, ModelCard, untrained
from seglet.networks.unet import UNetConfig
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.transform import Prepared

MakeModel = Callable[..., Model]


def disk(number: int) -> Prepared:
    """A bright disk on noise."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:40, :44]
    inside = (y - 15 - number) ** 2 + (x - 20) ** 2 < 100
    image = (inside * 2 - 1 + 0.3 * rng.normal(size=inside.shape)).astype(np.float32)
    return Prepared(f"disk{number}", image[None], inside.astype(np.uint8))


@pytest.fixture(scope="session")
def disks() -> list[Prepared]:
    """Three training cases."""
    return [disk(number) for number in range(3)]


@pytest.fixture
def make_model() -> MakeModel:
    """A freshly drawn tiny U-Net; arguments are settings of its blocks."""

    def make(n_classes: int = 2, seed: int = 0, volumes: bool = False, **style: object) -> Model:
        sizes: dict[str, object] = {
            "mode": "3d",
            "patch_size": (8, 16, 16),
            "strides": ((1, 2, 2),),
            "kernels": ((1, 3, 3), (3, 3, 3)),
        }
        plan = Plan(
            color="gray",
            normalization="standardize",
            resize=None,
            patch_size=(32, 32),
            batch_size=2,
            channels=(4, 8),
            strides=((2, 2),),
            kernels=((3, 3), (3, 3)),
            n_channels=1,
            n_classes=n_classes,
            training_memory=1,
        )
        plan = plan.model_copy(update=sizes if volumes else {})
        classes = tuple(LabelClass(name=f"class{i}", value=i) for i in range(n_classes))
        network = UNetConfig(**style)  # type: ignore[arg-type]
        return untrained(
            ModelCard(recipe="test", network=network, plan=plan, labels=Labels(classes=classes)), seed=seed
        )

    return make
