"""Windows beside one pass."""

from collections.abc import Callable

import numpy as np
import pytest

from seglet.core.image import Image
from seglet.model import Model, PredictConfig, untrained
from seglet.networks.unet2015 import UNet2015Config
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.seams import Seams, seam_error

MakeModel = Callable[..., Model]


def image_of(*shape: int) -> Image:
    return Image(np.random.default_rng(0).random((1, *shape), np.float32))


def found_in(model: Model, image: Image) -> Seams | None:
    return seam_error(image, model, TorchEngine(model, "fp32"))


def test_a_wider_margin_leaves_smaller_seams(make_model: MakeModel) -> None:
    narrow, wide = (found_in(make_model(margin=margin), image_of(150, 130)) for margin in (0, 16))
    assert narrow is not None
    assert wide is not None
    assert narrow.largest > 0.01
    assert wide.mean < narrow.mean / 3
    assert 0 <= wide.mean < wide.largest < 1
    assert wide.n_windows > 1


def test_a_margin_as_wide_as_the_network_looks_leaves_none(make_model: MakeModel) -> None:
    """Blended over twice 32 px, of which the network looks 5: what is left is the windows' outermost 5."""
    found = found_in(make_model(window=128, margin=32), image_of(300, 40))
    assert found is not None
    assert found.mean < 2e-4
    assert found.share_changed < 2e-3


def test_changed_pixels_are_those_of_another_class(make_model: MakeModel) -> None:
    model = make_model(margin=0)
    probabilities = TorchEngine(model, "fp32").run(np.asarray(image_of(150, 130).pixels)[None])
    card = model.card.model_copy(update={"threshold": float(np.median(probabilities))})
    found = found_in(Model(model.network, card), image_of(150, 130))
    certain = found_in(Model(model.network, card.model_copy(update={"threshold": 0.0})), image_of(150, 130))
    assert found is not None
    assert certain is not None
    assert 0 < found.share_changed < 0.2
    assert certain.share_changed == 0
    assert certain.largest == found.largest


def test_unpadded_convolutions_have_none(make_model: MakeModel) -> None:
    card = make_model(is_valid=True, patch_size=(44, 44)).card
    model = untrained(card.model_copy(update={"network": UNet2015Config(), "predict": PredictConfig()}))
    model.network.eval()
    found = found_in(model, image_of(100, 70))
    assert found is not None
    assert found.largest < 1e-6
    assert found.n_windows == 4 * 3


def test_slices_are_compared_by_the_middle_one(make_model: MakeModel) -> None:
    image = image_of(5, 150, 130)
    flat, sliced = make_model(), make_model(mode="slices")
    sliced.network.load_state_dict(flat.network.state_dict())
    assert found_in(sliced, image) == found_in(flat, Image(image.pixels[:, 2]))


def test_volumes_are_compared(make_volume_model: MakeModel) -> None:
    found = found_in(make_volume_model(3), image_of(20, 60, 50))
    assert found is not None
    assert found.largest > 0


@pytest.mark.parametrize("said", [{"window": 128}, {"window": 32, "stride": 8}])
def test_there_is_nothing_to_compare(make_model: MakeModel, said: dict[str, int]) -> None:
    model = make_model()
    card = model.card.model_copy(update={"predict": PredictConfig(**said)})  # type: ignore[arg-type]
    assert found_in(Model(model.network, card), image_of(100, 100)) is None


def test_images_too_large_for_one_pass_are_left_out(make_model: MakeModel) -> None:
    model, image = make_model(), image_of(160, 150)
    assert seam_error(image, model, TorchEngine(model, "fp32"), most_values=150 * 130 * 4) is None
