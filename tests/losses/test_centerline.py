"""Skeletons by hand and against a slow literal version; clDice tells a broken vessel from a thin one."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglet.losses.centerline import _dilated, cl_dice_loss, soft_skeleton
from seglet.losses.region import SMOOTHING, dice_loss

Array = NDArray[np.float64]


def _neighbors(n_axes: int, most: int) -> list[tuple[int, ...]]:
    """Steps to a pixel itself and to its neighbors along at most so many axes at once."""
    return [step for step in itertools.product((-1, 0, 1), repeat=n_axes) if np.abs(step).sum() <= most]


def _extreme(mask: Array, steps: list[tuple[int, ...]], choose: type[np.minimum] | np.ufunc) -> Array:
    found = np.empty_like(mask)
    for place in np.ndindex(mask.shape):
        there = [tuple(np.add(place, step)) for step in steps]
        inside = [p for p in there if all(0 <= a < n for a, n in zip(p, mask.shape, strict=True))]
        found[place] = choose.reduce([mask[p] for p in inside])
    return found


def _slow_skeleton(mask: Array, iterations: int) -> Array:
    along, around = _neighbors(mask.ndim, 1), _neighbors(mask.ndim, mask.ndim)
    skeleton = np.zeros_like(mask)
    for _ in range(iterations + 1):
        eroded = _extreme(mask, along, np.minimum)
        opened = _extreme(eroded, around, np.maximum)
        skeleton = skeleton + (1 - skeleton) * np.maximum(mask - opened, 0)
        mask = eroded
    return skeleton


def _logits(mask: Tensor) -> Tensor:
    return 100 * (mask.float()[:, None] - 0.5)


def _vessel(rows: slice) -> Tensor:
    labels = torch.zeros(1, 15, 40, dtype=torch.int64)
    labels[:, rows] = 1
    return labels


@pytest.mark.parametrize("shape", [(9, 11), (6, 7, 8)], ids=["2D", "3D"])
@pytest.mark.parametrize("iterations", [1, 4])
def test_soft_skeleton_equals_the_slow_one(shape: tuple[int, ...], iterations: int) -> None:
    mask = np.random.default_rng(0).random(shape)
    found = soft_skeleton(torch.from_numpy(mask)[None, None], iterations)
    np.testing.assert_allclose(found[0, 0].numpy(), _slow_skeleton(mask, iterations), atol=1e-12)


@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 1)], ids=["2D", "3D"])
def test_its_gradient_is_that_of_finite_differences(shape: tuple[int, ...]) -> None:
    mask = torch.from_numpy(np.random.default_rng(0).random(shape))[None, None].requires_grad_()
    assert torch.autograd.gradcheck(lambda each: soft_skeleton(each, 2), (mask,))


def test_equal_neighbors_share_the_gradient() -> None:
    """What a pixel gains where all are alike is lost by no other: sums stay what they are."""
    flat = torch.full((1, 1, 4, 5), 0.5, requires_grad=True)
    pooled = torch.nn.functional.max_pool2d(flat, 3, 1, 1)
    (expected,) = torch.autograd.grad(pooled.sum(), flat)
    (found,) = torch.autograd.grad(_dilated(flat).sum(), flat)
    assert float(found.sum()) == pytest.approx(float(expected.sum()))
    torch.testing.assert_close(found, found.flip(2, 3))


def test_skeleton_of_a_bar_is_its_middle_line() -> None:
    bar = torch.zeros(1, 1, 13, 16)
    bar[..., 4:9, 2:14] = 1  # 5 pixels wide
    expected = torch.zeros(1, 1, 13, 16)
    expected[..., 6, 4:12] = 1
    assert torch.equal(soft_skeleton(bar, 10), expected)


def test_skeleton_of_a_square_rod_is_its_axis() -> None:
    rod = torch.zeros(1, 1, 9, 9, 9)
    rod[..., 3:6, 3:6, :] = 1
    expected = torch.zeros(1, 1, 9, 9, 9)
    expected[..., 4, 4, :] = 1
    assert torch.equal(soft_skeleton(rod, 3), expected)


def test_too_few_iterations_leave_no_skeleton_of_a_thick_vessel() -> None:
    thick = torch.zeros(1, 1, 20, 30)
    thick[..., 3:14, :] = 1  # 11 pixels wide: 5 erosions reach its middle
    assert not soft_skeleton(thick, 4).any()
    assert soft_skeleton(thick, 5)[0, 0, 8].all()


def test_hole_costs_clDice_more_than_a_thinner_vessel_and_dice_less() -> None:
    labels, weights = _vessel(slice(6, 9)), torch.ones(1, 15, 40)
    thin, broken = _vessel(slice(7, 8)), labels.clone()
    broken[:, :, 15:22] = 0
    both = [_logits(thin), _logits(broken)]
    of_thin, of_broken = (float(cl_dice_loss(each, labels, weights, 5)) for each in both)
    assert of_thin == pytest.approx(0, abs=1e-6)
    assert of_broken > 0.05
    assert float(dice_loss(both[0], labels, weights)) > float(dice_loss(both[1], labels, weights))


def test_cl_dice_by_hand() -> None:
    """A line of 40 of which 10 pixels are predicted, and 5 pixels of a line elsewhere."""
    labels, predicted = _vessel(slice(7, 8)), torch.zeros(1, 15, 40, dtype=torch.int64)
    predicted[:, 7, :10] = 1
    predicted[:, 2, 30:35] = 1
    precision, sensitivity = (10 + SMOOTHING) / (15 + SMOOTHING), (10 + SMOOTHING) / (40 + SMOOTHING)
    expected = 1 - 2 * precision * sensitivity / (precision + sensitivity)
    found = cl_dice_loss(_logits(predicted), labels, torch.ones(1, 15, 40), iterations=3)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_several_classes_are_a_mean_over_the_foreground() -> None:
    labels = torch.zeros(1, 15, 40, dtype=torch.int64)
    labels[:, 3], labels[:, 10] = 1, 2
    logits = torch.zeros(1, 3, 15, 40)
    logits[:, 0] = 50  # all background but the line of class 1
    logits[:, :, 3] = torch.tensor([0.0, 50, 0])[None, :, None]
    missed = 2 * SMOOTHING / (40 + SMOOTHING) / (1 + SMOOTHING / (40 + SMOOTHING))
    found = cl_dice_loss(logits, labels, torch.ones(1, 15, 40), iterations=3)
    assert float(found) == pytest.approx((1 - missed) / 2, rel=1e-4)


@pytest.mark.parametrize("k", [1, 3])
def test_pixel_of_weight_zero_changes_nothing(k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 9, 10, generator=generator, requires_grad=True)
    labels = torch.randint(0, max(2, k), (2, 9, 10), generator=generator)
    weights = torch.ones(2, 9, 10)
    weights[1, :, 5:] = 0
    before = cl_dice_loss(logits, labels, weights, 3)
    (gradient,) = torch.autograd.grad(before, logits)
    assert not gradient[1, :, :, 5:].any()
    assert gradient[1, :, :, :5].any()
    with torch.no_grad():
        logits[1, :, :, 5:] = 50
    labels[1, :, 5:] = 0
    torch.testing.assert_close(cl_dice_loss(logits, labels, weights, 3), before)
