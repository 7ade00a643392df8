import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglet.model import ModelCard
from seglet.prediction.engines.engine import NetworkEngine, flips_of


class Brightness(NetworkEngine):
    """Logits that say where an image is bright, and bright above all on its left."""

    name = "brightness"

    def _logits(self, images: Tensor) -> Tensor:
        slope = torch.linspace(1, -1, images.shape[-1])
        return images[:, :1] + slope


def test_mirrored_versions_are_mirrored_back(make_model) -> None:  # type: ignore[no-untyped-def]
    images: NDArray[np.float32] = np.random.default_rng(0).random((2, 1, 8, 12), np.float32)
    card: ModelCard = make_model(flips=True).card
    found = Brightness(card).run(images)
    slope = np.linspace(1, -1, 12, dtype=np.float32)
    both = [1 / (1 + np.exp(-(images + sign * slope))) for sign in (1, -1)]
    np.testing.assert_allclose(found, np.mean(both, axis=0), atol=1e-6)


def test_logits_are_of_the_windows_as_they_lie(make_model) -> None:  # type: ignore[no-untyped-def]
    images = np.zeros((1, 1, 4, 4), np.float32)
    found = Brightness(make_model(flips=True).card).logits(images)
    np.testing.assert_allclose(found[0, 0, 0], np.linspace(1, -1, 4), atol=1e-6)


def test_no_version_twice() -> None:
    assert flips_of(4) == [(), (2,), (3,), (2, 3)]
    assert len(set(flips_of(5))) == 8
