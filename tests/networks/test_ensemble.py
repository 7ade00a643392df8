"""The mean of several networks, as logits."""

import pytest
import torch
from torch import nn

from seglet.networks.ensemble import Ensemble


class Says(nn.Module):
    """Gives the same logits whatever it sees."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images), *self.logits.shape[1:])


def _logits(k: int, seed: int, *size: int) -> torch.Tensor:
    return 4 * torch.randn(1, k, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(3, 4), (2, 3, 4)])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_probabilities_are_the_mean_of_the_members(k: int, size: tuple[int, ...]) -> None:
    each = [_logits(k, seed, *size) for seed in range(3)]
    found = Ensemble([Says(logits) for logits in each])(torch.zeros(2, 1, *size))
    probabilities = torch.sigmoid if k == 1 else lambda logits: torch.softmax(logits, 1)
    expected = torch.stack([probabilities(logits) for logits in each]).mean(0)
    assert found.shape == (2, k, *size)
    torch.testing.assert_close(probabilities(found)[:1], expected)


@pytest.mark.parametrize("k", [1, 3])
def test_certain_members_leave_no_undefined_number(k: int) -> None:
    certain = torch.full((1, k, 2, 2), -1e4)
    certain[:, 0] = 1e4
    for pair in ([certain, certain], [certain, -certain]):
        assert bool(
            torch.isfinite(Ensemble([Says(logits) for logits in pair])(torch.zeros(1, 1, 2, 2))).all()
        )


def test_two_members_that_contradict_each_other_are_undecided() -> None:
    says = torch.full((1, 1, 1, 1), 30.0)
    found = Ensemble([Says(says), Says(-says)])(torch.zeros(1, 1, 1, 1))
    assert torch.sigmoid(found).item() == pytest.approx(0.5)


def test_half_precision_members_are_averaged_in_full() -> None:
    found = Ensemble([Says(_logits(1, 0, 2, 2).bfloat16())])(torch.zeros(1, 1, 2, 2))
    assert found.dtype == torch.float32


@pytest.mark.parametrize("k", [2, 4])
def test_the_distance_channel_is_a_mean_of_its_own(k: int) -> None:
    """The last of k channels; what is left is one class plane, or several."""
    each = [_logits(k, seed, 3, 4) for seed in range(3)]
    found = Ensemble([Says(logits) for logits in each], has_distance=True)(torch.zeros(1, 1, 3, 4))
    assert found.shape == (1, k, 3, 4)
    distances = torch.stack([torch.sigmoid(logits[:, -1:]) for logits in each]).mean(0)
    torch.testing.assert_close(torch.sigmoid(found[:, -1:]), distances)
    alone = Ensemble([Says(logits[:, :-1]) for logits in each])(torch.zeros(1, 1, 3, 4))
    torch.testing.assert_close(found[:, :-1], alone)


@pytest.mark.parametrize("k", [1, 3])
def test_each_member_has_its_temperature(k: int) -> None:
    torch.manual_seed(0)
    first, second = torch.nn.Conv2d(1, k, 1), torch.nn.Conv2d(1, k, 1)
    images = torch.randn(2, 1, 4, 5)
    together = Ensemble([first, second], temperatures=[0.5, 3.0])

    def said(logits: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(logits) if k == 1 else torch.softmax(logits, 1)

    expected = (said(first(images) / 0.5) + said(second(images) / 3.0)) / 2
    assert torch.allclose(said(together(images)), expected, atol=1e-6)


def test_a_temperature_leaves_distances_alone() -> None:
    torch.manual_seed(0)
    member, images = torch.nn.Conv2d(1, 2, 1), torch.randn(1, 1, 3, 3)
    warm = Ensemble([member], has_distance=True, temperatures=[2.0])(images)
    assert torch.allclose(warm[:, :1], member(images)[:, :1] / 2, atol=1e-6)
    assert torch.allclose(warm[:, 1:], member(images)[:, 1:], atol=1e-6)
