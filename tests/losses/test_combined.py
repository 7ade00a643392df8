"""The sum of the terms, the weights of the classes, and what every term must hold to."""

import math
from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from seglet.core.errors import ConfigError, GeometryError
from seglet.losses.centerline import cl_dice_loss, soft_skeleton
from seglet.losses.combined import CLASS_TERMS, CombinedLoss, LossConfig
from seglet.losses.lovasz import lovasz_loss
from seglet.losses.pixelwise import cross_entropy, distance_loss, focal_loss
from seglet.losses.region import dice_loss, jaccard_loss, tversky_loss

each_term = pytest.mark.parametrize("term", CLASS_TERMS)


def _random(k: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 5, 6, generator=generator)
    labels = torch.randint(0, max(2, k), (2, 5, 6), generator=generator)
    return logits, labels, 0.5 + torch.rand(2, 5, 6, generator=generator)


def _loss(**changed: object) -> CombinedLoss:
    return CombinedLoss(LossConfig(**({"cross_entropy": 1, "dice": 1} | changed)))  # type: ignore[arg-type]


def _only(term: str, **changed: object) -> CombinedLoss:
    return _loss(**({"cross_entropy": 0, "dice": 0, "distance": 0, term: 1} | changed))


def _sure(labels: Tensor, k: int, height: float = 50.0) -> Tensor:
    """Logits that are certain of these labels."""
    one_hot = F.one_hot(labels, max(2, k)).movedim(-1, 1).float()
    return 2 * height * ((one_hot[:, 1:] if k == 1 else one_hot) - 0.5)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 0.5), (0, 1), (1, 0)])
def test_terms_are_added_with_their_factors(a: float, b: float) -> None:
    batch = _random()
    expected = a * cross_entropy(*batch) + b * dice_loss(*batch)
    torch.testing.assert_close(_loss(cross_entropy=a, dice=b)(*batch), expected)


def test_class_weights_equal_those_of_torch() -> None:
    logits, labels, _ = _random()
    factors = (0.5, 2.0, 5.0)
    found = _loss(dice=0, class_weights=factors)(logits, labels, torch.ones(2, 5, 6))
    torch.testing.assert_close(found, F.cross_entropy(logits, labels, weight=torch.tensor(factors)))


def test_class_weights_by_hand_for_two_classes() -> None:
    logits = torch.tensor([[[[0.0, math.log(3)]]]])  # probabilities 1/2 and 3/4
    labels = torch.tensor([[[1, 0]]])
    found = _loss(dice=0, class_weights=(1, 3))(logits, labels, torch.ones(1, 1, 2))
    assert float(found) == pytest.approx((3 * math.log(2) + math.log(4)) / 4)


def test_class_weights_leave_dice_alone() -> None:
    batch = _random()
    plain = _loss(cross_entropy=0)(*batch)
    torch.testing.assert_close(_loss(cross_entropy=0, class_weights=(0, 1, 9))(*batch), plain)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("class_weights", [None, (1.0, 4.0, 2.0)])
def test_pixel_of_weight_zero_reaches_no_gradient(k: int, class_weights: tuple[float, ...] | None) -> None:
    logits, labels, weights = _random(k)
    weights[:, 3] = 0
    loss = _loss(class_weights=class_weights)(logits.requires_grad_(), labels, weights)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[:, :, 3].any()
    assert gradient[:, :, :3].any()


def test_descent_lowers_the_loss() -> None:
    logits, labels, weights = _random()
    loss = _loss()
    first = loss(logits.requires_grad_(), labels, weights)
    (gradient,) = torch.autograd.grad(first, logits)
    assert loss(logits - gradient, labels, weights).item() < first.item()


def test_class_weights_are_no_part_of_a_checkpoint() -> None:
    assert not _loss(class_weights=(1, 2, 3)).state_dict()


@pytest.mark.parametrize(
    ("term", "alone"),
    [
        ("cross_entropy", cross_entropy),
        ("focal", lambda *batch: focal_loss(*batch, gamma=3)),
        ("dice", dice_loss),
        ("tversky", lambda *batch: tversky_loss(*batch, alpha=0.2, beta=0.9)),
        ("jaccard", jaccard_loss),
        ("lovasz", lovasz_loss),
        ("cl_dice", lambda *batch: cl_dice_loss(*batch, iterations=2)),
    ],
)
def test_every_term_is_added_with_its_settings(term: str, alone: Callable[..., Tensor]) -> None:
    batch = _random()
    settings = {"focal_gamma": 3, "tversky_alpha": 0.2, "tversky_beta": 0.9, "cl_dice_iterations": 2}
    found = _loss(**({"cross_entropy": 0, "dice": 0, term: 3} | settings))(*batch)
    torch.testing.assert_close(found, 3 * alone(*batch))


def test_class_weights_are_added_to_the_border_not_multiplied() -> None:
    logits, labels, _ = _random()
    border = 9 * torch.rand(2, 5, 6)
    border[:, 2] = -1  # left out
    factors = torch.tensor([0.5, 2.0, 5.0])
    expected = torch.where(border < 0, 0, factors[labels] + border)
    found = _only("cross_entropy", class_weights=(0.5, 2, 5))(logits, labels, 1 + border)
    torch.testing.assert_close(found, cross_entropy(logits, labels, expected))


@each_term
def test_one_logit_costs_what_two_cost(term: str) -> None:
    logits, labels, weights = _random(1)
    generator = torch.Generator().manual_seed(1)
    background = torch.randn(logits.shape, generator=generator)
    two = torch.cat([background, background + logits], dim=1)
    loss = _only(term, class_weights=(1, 3))
    torch.testing.assert_close(loss(two, labels, weights), loss(logits, labels, weights))


@each_term
@pytest.mark.parametrize("k", [1, 2, 3])
def test_every_term_costs_nothing_where_all_is_right(term: str, k: int) -> None:
    _, labels, weights = _random(k)
    assert float(_only(term)(_sure(labels, k), labels, weights)) == pytest.approx(0, abs=1e-5)
    assert float(_only(term)(_sure((labels + 1) % max(2, k), k), labels, weights)) > 0.2


def _extremes(k: int) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    logits, labels, weights = _random(k)
    return {
        "nothing counted": (logits, labels, torch.zeros_like(weights)),
        "all background": (logits, torch.zeros_like(labels), weights),
        "all one class": (logits, torch.ones_like(labels), weights),
        "certain and right": (_sure(labels, k), labels, weights),
        "certain and wrong": (_sure((labels + 1) % max(2, k), k), labels, weights),
        "certain, nothing there": (_sure(torch.zeros_like(labels), k), torch.zeros_like(labels), weights),
        "certain, all there": (_sure(torch.ones_like(labels), k), torch.ones_like(labels), weights),
        "flat": (torch.zeros_like(logits), labels, weights),
    }


@each_term
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("case", _extremes(1))
def test_every_term_and_its_gradient_are_finite(term: str, k: int, case: str) -> None:
    logits, labels, weights = _extremes(k)[case]
    loss = _only(term)(logits.requires_grad_(), labels, weights)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert math.isfinite(loss.item())
    assert gradient.isfinite().all()
    assert loss.item() > -1e-6
    if case == "nothing counted":
        assert loss.item() == pytest.approx(0, abs=1e-6)
        assert not gradient.any()


@each_term
@pytest.mark.parametrize("k", [1, 2])
def test_descent_on_any_term_alone_finds_the_mask(term: str, k: int) -> None:
    labels = torch.zeros(1, 12, 12, dtype=torch.int64)
    labels[:, 5, 2:10] = 1  # a line: clDice says nothing of thickness
    weights = torch.ones(1, 12, 12)
    logits = torch.randn(1, k, 12, 12, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss, optimizer = _only(term), torch.optim.Adam([logits], lr=0.3)
    for _ in range(150):
        optimizer.zero_grad()
        loss(logits, labels, weights).backward()
        optimizer.step()
    found = logits[:, 0] > 0 if k == 1 else logits.argmax(1) > 0
    if term == "cl_dice":
        found &= soft_skeleton(found[:, None].float(), 5)[:, 0] > 0
    assert torch.equal(found, labels > 0)


def test_descent_on_the_distance_finds_it() -> None:
    distances = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0))
    logits = torch.zeros(1, 2, 6, 6, requires_grad=True)
    loss, optimizer = _loss(), torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        loss(logits, (distances > 0.5).long(), torch.ones(1, 6, 6), distances).backward()
        optimizer.step()
    torch.testing.assert_close(torch.sigmoid(logits[:, 1]), distances, atol=0.03, rtol=0)
    assert torch.equal(logits[:, 0] > 0, distances > 0.5)


def test_last_channel_is_the_distance_only_where_there_is_one() -> None:
    logits, labels, weights = _random(3)
    labels = labels.clamp(max=1)
    distances = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(1))
    found = _loss(distance=0.5)(logits, labels, weights, distances)
    expected = _loss()(logits[:, :2], labels, weights) + 0.5 * distance_loss(logits[:, 2], distances, weights)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        _loss(distance=0)(logits, labels, weights, distances), _loss()(logits[:, :2], labels, weights)
    )
    torch.testing.assert_close(_loss(distance=9)(logits, labels, weights), _loss()(logits, labels, weights))


def test_coarser_outputs_count_half_each_against_the_truth_of_their_size() -> None:
    generator = torch.Generator().manual_seed(0)
    fine, middle, coarse = (
        torch.randn(2, 2, *size, generator=generator) for size in [(8, 12), (4, 6), (2, 6)]
    )
    labels = torch.randint(0, 2, (2, 8, 12), generator=generator)
    weights, distances = torch.rand(2, 2, 8, 12, generator=generator).round(decimals=1)
    loss = _loss()
    truth = (labels, weights, distances)
    expected = (
        4 * loss(fine, *truth)
        + 2 * loss(middle, *(t[:, ::2, ::2] for t in truth))
        + loss(coarse, *(t[:, 1::4, ::2] for t in truth))
    ) / 7
    torch.testing.assert_close(loss([fine, middle, coarse], *truth), expected)
    torch.testing.assert_close(loss([fine], *truth), loss(fine, *truth))


def test_output_of_another_size_is_refused() -> None:
    logits, labels, weights = _random()
    with pytest.raises(GeometryError, match="divide"):
        _loss()(logits[..., :4], labels, weights)


def test_rule_without_its_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match="class_balance"):
        CombinedLoss(LossConfig(class_balance="enet"))


def test_classes_are_weighted_in_one_way() -> None:
    with pytest.raises(ValidationError, match="not both"):
        LossConfig(class_weights=(1, 2), class_balance="enet")


def test_distance_alone_is_no_loss() -> None:
    with pytest.raises(ValidationError, match="cross_entropy, focal, dice"):
        LossConfig(cross_entropy=0, dice=0, distance=1)


@pytest.mark.parametrize(
    "setting",
    [
        *({term: -1} for term in (*CLASS_TERMS, "distance", "focal_gamma")),
        {"class_weights": (1, -1)},
        {"class_balance": "log"},
        {"tversky_alpha": 0},
        {"tversky_beta": 0},
        {"cl_dice_iterations": 0},
    ],
    ids=str,
)
def test_impossible_setting_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        LossConfig(**setting)  # type: ignore[arg-type]
