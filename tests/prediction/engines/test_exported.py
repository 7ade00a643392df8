import pytest
import torch

from seglet.networks.ensemble import Ensemble
from seglet.networks.unet2015 import UNet2015, UNet2015Config
from seglet.prediction.engines.exported import exported, step_of


def test_one_graph_for_all_sizes(make_model) -> None:  # type: ignore[no-untyped-def]
    network = make_model().network
    program = exported(network, torch.zeros(1, 1, 32, 48)).module()
    for shape in ((1, 1, 32, 48), (3, 1, 64, 16)):
        images = torch.rand(shape)
        with torch.no_grad():
            torch.testing.assert_close(program(images), network(images), atol=1e-6, rtol=0)


def test_one_graph_for_volumes(make_volume_model) -> None:  # type: ignore[no-untyped-def]
    network = make_volume_model(3).network
    program = exported(network, torch.zeros(1, 1, 6, 16, 24)).module()
    volumes = torch.rand(1, 1, 9, 32, 16)
    with torch.no_grad():
        torch.testing.assert_close(program(volumes), network(volumes), atol=1e-6, rtol=0)


def test_unpadded_networks_keep_their_size() -> None:
    network = UNet2015(UNet2015Config(), 1, 2, (4, 8), ((2, 2),), ((3, 3),) * 2).eval()
    assert step_of(network) is None
    program = exported(network, torch.zeros(1, 1, 60, 44)).module()
    images = torch.rand(5, 1, 60, 44)
    with torch.no_grad():
        torch.testing.assert_close(program(images), network(images), atol=1e-6, rtol=0)


@pytest.mark.parametrize("n", [1, 3])
def test_an_ensemble_has_the_step_of_its_members(make_model, n: int) -> None:  # type: ignore[no-untyped-def]
    assert step_of(Ensemble([make_model().network for _ in range(n)])) == (2, 2)
