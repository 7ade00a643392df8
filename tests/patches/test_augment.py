"""What is drawn has the promised statistics; what is applied is what was drawn."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter
from torch import Generator, Tensor

from seglet.patches.augment import (
    AugmentConfig,
    IntensityDraw,
    apply_intensity,
    draw_intensity,
    draw_spatial,
)

NONE: dict[str, Any] = {
    "rotation": 0,
    "tilt": 0,
    "flip": 0,
    "scale": (1, 1),
    "shift": 0,
    "elastic": 0,
    "elastic_grid": 4,
    "probability": 1,
    "brightness": 0,
    "contrast": (1, 1),
    "gamma": (1, 1),
    "noise": 0,
    "blur": 0,
    "channel_dropout": 0,
}
N = 2000


def _config(**changed: Any) -> AugmentConfig:
    return AugmentConfig(**(NONE | changed))


def _spatial(**changed: Any):  # type: ignore[no-untyped-def]
    return draw_spatial(torch.zeros(N, 2), _config(**changed), Generator().manual_seed(0))


def _intensity(**changed: Any) -> IntensityDraw:
    return draw_intensity(N, 3, _config(**changed), Generator().manual_seed(0))


def _images(n: int = 2, c: int = 1, side: int = 16) -> Tensor:
    return torch.randn(n, c, side, side, generator=Generator().manual_seed(1))


def _plain(n: int = 2, c: int = 1, **changed: Tensor) -> IntensityDraw:
    values = {
        "brightness": torch.zeros(n, c),
        "contrast": torch.ones(n, c),
        "gamma": torch.ones(n),
        "noise": torch.zeros(n),
        "blur": torch.zeros(n),
        "kept": torch.ones(n, c),
    }
    return IntensityDraw(**(values | changed), seed=3)


def test_nothing_wished_draws_the_identity() -> None:
    draw = draw_spatial(torch.tensor([[3.0, 4.0]]), _config(), Generator().manual_seed(0))
    assert draw.center.tolist() == [[3, 4]]
    assert draw.matrix.tolist() == [[[1, 0], [0, 1]]]
    assert not draw.elastic.any()


def test_same_seed_draws_the_same() -> None:
    config = _config(rotation=90, scale=(0.5, 2), elastic=3, shift=2, flip=0.5)
    first, again = (draw_spatial(torch.zeros(5, 2), config, Generator().manual_seed(7)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(vars(first).values(), vars(again).values(), strict=True))


def test_drawing_leaves_the_global_randomness_alone() -> None:
    before = torch.get_rng_state()
    _spatial(rotation=90)
    _intensity(noise=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_rotation_is_uniform_to_both_sides() -> None:
    matrix = _spatial(rotation=30).matrix
    angle = torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert float(angle.abs().max()) <= 30
    assert float(angle.mean()) == pytest.approx(0, abs=1.5)
    assert float(angle.std()) == pytest.approx(60 / math.sqrt(12), rel=0.06)
    np.testing.assert_allclose(torch.linalg.det(matrix), 1, atol=1e-5)


def test_zoom_stays_in_its_range_and_is_symmetric_on_a_log_scale() -> None:
    zoom = torch.linalg.det(_spatial(scale=(0.5, 2)).matrix) ** -0.5
    assert 0.5 <= float(zoom.min()) < 0.55
    assert 1.9 < float(zoom.max()) <= 2.0001
    assert float(zoom.log().mean()) == pytest.approx(0, abs=0.04)


def test_zoom_above_one_looks_at_a_smaller_part() -> None:
    np.testing.assert_allclose(_spatial(scale=(2, 2)).matrix[0], [[0.5, 0], [0, 0.5]], atol=1e-6)


def test_each_axis_is_flipped_in_its_share_of_patches() -> None:
    diagonal = torch.diagonal(_spatial(flip=0.25).matrix, dim1=1, dim2=2)
    assert set(diagonal.flatten().tolist()) == {-1, 1}
    flipped = (diagonal < 0).float()
    np.testing.assert_allclose(flipped.mean(0), 0.25, atol=0.04)
    assert float(flipped.prod(1).mean()) == pytest.approx(0.25**2, abs=0.02)  # independent


def test_shift_is_uniform_around_the_center() -> None:
    center = _spatial(shift=5).center
    assert float(center.abs().max()) <= 5
    np.testing.assert_allclose(center.std(0), 10 / math.sqrt(12), rtol=0.06)


def test_elastic_displacements_have_the_wished_deviation() -> None:
    elastic = _spatial(elastic=6, elastic_grid=5).elastic
    assert elastic.shape == (N, 2, 5, 5)
    assert float(elastic.std()) == pytest.approx(6, rel=0.02)
    assert float(elastic.mean()) == pytest.approx(0, abs=0.1)


def test_shapes_are_changed_in_their_share_of_patches_independently() -> None:
    draw = _spatial(rotation=90, elastic=3, probability=0.3)
    turned = draw.matrix[:, 0, 1] != 0
    bent = draw.elastic.flatten(1).any(1)
    assert float(turned.float().mean()) == pytest.approx(0.3, abs=0.04)
    assert float(bent.float().mean()) == pytest.approx(0.3, abs=0.04)
    assert float((turned & bent).float().mean()) == pytest.approx(0.09, abs=0.025)


def _volume(spacing: tuple[float, ...] | None = None, **changed: Any):  # type: ignore[no-untyped-def]
    return draw_spatial(torch.zeros(N, 3), _config(**changed), Generator().manual_seed(0), spacing)


def test_volumes_turn_within_their_slices_and_tilt_a_little() -> None:
    matrix = _volume(rotation=90, tilt=10).matrix
    np.testing.assert_allclose(torch.linalg.det(matrix), 1, atol=1e-5)
    np.testing.assert_allclose(matrix @ matrix.mT, torch.eye(3).expand(N, 3, 3), atol=1e-5)
    tilted = torch.rad2deg(torch.acos(matrix[:, 0, 0].clamp(-1, 1)))  # of the axis through the slices
    assert 10 < float(tilted.max()) < math.sqrt(2) * 10 + 0.1
    turned = torch.rad2deg(torch.atan2(matrix[:, 2, 1], matrix[:, 1, 1])).abs()
    assert 85 < float(turned.max()) <= 92


@pytest.mark.parametrize(("spacing", "through"), [((5.0, 1.0, 1.0), 0), ((0.8, 0.8, 3.0), 2)])
def test_slices_that_are_far_apart_are_not_tilted(spacing: tuple[float, ...], through: int) -> None:
    matrix = _volume(spacing, rotation=90, tilt=30).matrix
    expected = torch.eye(3)[through].expand(N, 3)
    np.testing.assert_allclose(matrix[:, through], expected, atol=1e-6)
    np.testing.assert_allclose(matrix[:, :, through], expected, atol=1e-6)


def test_volumes_turn_as_bodies_whatever_their_spacing() -> None:
    """In millimeters the drawn matrix is a rotation."""
    spacing = (1.4, 1.0, 1.2)
    matrix = _volume(spacing, rotation=90, tilt=30).matrix
    pitch = torch.tensor(spacing)
    in_mm = matrix * pitch[:, None] / pitch
    np.testing.assert_allclose(in_mm @ in_mm.mT, torch.eye(3).expand(N, 3, 3), atol=1e-5)
    assert float((matrix @ matrix.mT - torch.eye(3)).abs().max()) > 0.1


def test_displacements_are_as_many_millimeters_along_every_axis() -> None:
    draw = _volume((4.0, 1.0, 1.0), elastic=6, shift=5)
    deviation = draw.elastic.transpose(0, 1).flatten(1).std(1)
    np.testing.assert_allclose(deviation, [1.5, 6, 6], rtol=0.03)
    np.testing.assert_allclose(draw.center.abs().amax(0), [1.25, 5, 5], rtol=0.02)


def test_intensities_are_drawn_in_their_ranges() -> None:
    draw = _intensity(contrast=(0.5, 2), gamma=(0.7, 1.5), noise=0.2, blur=1.5, brightness=0.4)
    for drawn, (low, high) in [
        (draw.contrast, (0.5, 2)),
        (draw.gamma, (0.7, 1.5)),
        (draw.noise, (0, 0.2)),
        (draw.blur, (0, 1.5)),
    ]:
        span = high - low
        assert low - 1e-6 <= float(drawn.min()) < low + 0.05 * span
        assert high - 0.05 * span < float(drawn.max()) <= high + 1e-6
    assert float(draw.brightness.std()) == pytest.approx(0.4, rel=0.05)
    assert draw.brightness.shape == draw.contrast.shape == (N, 3)


def test_probability_zero_changes_no_intensity() -> None:
    draw = _intensity(contrast=(0.5, 2), gamma=(0.7, 1.5), noise=0.2, blur=1.5, brightness=0.4, probability=0)
    assert (draw.contrast == 1).all()
    assert (draw.gamma == 1).all()
    assert not (draw.noise.any() or draw.blur.any() or draw.brightness.any())


def test_changes_that_were_drawn_for_no_patch_cost_nothing() -> None:
    images = _images()
    assert apply_intensity(images, _plain()) is images
    off = draw_intensity(2, 1, _config(), Generator().manual_seed(0))
    assert apply_intensity(images, off) is images, "every change of intensities can be switched off"


def test_patches_are_left_alone_beside_others_that_change() -> None:
    draw = _plain(
        gamma=torch.tensor([1.0, 2.0]),
        contrast=torch.tensor([[1.0], [2.0]]),
        noise=torch.tensor([0.0, 0.3]),
    )
    images = _images()
    changed = apply_intensity(images, draw)
    np.testing.assert_allclose(changed[0], images[0], atol=1e-5)
    assert float((changed[1] - images[1]).abs().max()) > 0.5


@pytest.mark.parametrize("dropout", [0.0, 0.3, 0.9])
def test_channels_are_lost_in_their_share_and_one_is_always_left(dropout: float) -> None:
    kept = _intensity(channel_dropout=dropout).kept
    assert kept.shape == (N, 3)
    assert set(kept.unique().tolist()) <= {0, 1}
    assert bool((kept.sum(1) >= 1).all())
    lost = dropout - dropout**3 / 3  # of the patches that would lose all three, one channel comes back
    np.testing.assert_allclose(1 - kept.mean(0), lost, atol=0.04)


def test_the_only_channel_is_never_lost() -> None:
    draw = draw_intensity(N, 1, _config(channel_dropout=0.9), Generator().manual_seed(0))
    assert bool((draw.kept == 1).all())


def test_lost_channels_are_zero_whatever_else_changes() -> None:
    kept = torch.tensor([[1.0, 0, 1], [0, 0, 1]])
    draw = _plain(2, 3, kept=kept, brightness=torch.ones(2, 3), noise=torch.full((2,), 0.5))
    for images in (_images(2, 3), torch.randn(2, 3, 4, 5, 6)):
        changed = apply_intensity(images, draw)
        assert torch.equal(changed.flatten(2).any(2), kept > 0)


def test_channel_dropout_leaves_all_other_draws_alone() -> None:
    off, on = (_intensity(noise=0.2, brightness=0.4, channel_dropout=p) for p in (0, 0.5))
    assert torch.equal(off.noise, on.noise)
    assert torch.equal(off.brightness, on.brightness)
    assert off.seed == on.seed


def test_constant_image_survives_every_change() -> None:
    draw = _plain(gamma=torch.full((2,), 0.5), contrast=torch.full((2, 1), 2.0), blur=torch.ones(2))
    np.testing.assert_allclose(apply_intensity(torch.full((2, 1, 8, 8), 3.0), draw), 3, atol=1e-5)


def test_brightness_is_added_to_its_own_channel() -> None:
    images = _images(1, 2)
    result = apply_intensity(images, _plain(1, 2, brightness=torch.tensor([[0.5, -1.0]])))
    np.testing.assert_allclose(
        result - images, torch.tensor([0.5, -1.0])[:, None, None].expand(2, 16, 16)[None], atol=1e-5
    )


def test_contrast_stretches_around_the_mean() -> None:
    images = _images(1)
    result = apply_intensity(images, _plain(1, contrast=torch.tensor([[2.0]])))
    assert float(result.mean()) == pytest.approx(float(images.mean()), abs=1e-5)
    np.testing.assert_allclose(result.std(), 2 * images.std(), rtol=1e-4)


def test_gamma_keeps_the_ends_and_bends_between() -> None:
    images = torch.linspace(-1, 3, 64).reshape(1, 1, 8, 8)
    result = apply_intensity(images, _plain(1, gamma=torch.tensor([2.0])))
    expected = ((images + 1) / 4) ** 2 * 4 - 1
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_blur_is_a_gaussian_with_its_own_width_per_patch() -> None:
    images = _images(3, 2, 24)
    sigma = torch.tensor([1.5, 0.0, 0.7])
    result = apply_intensity(images, _plain(3, 2, blur=sigma))
    np.testing.assert_allclose(result[1], images[1], atol=1e-5)
    for patch, width in [(0, 1.5), (2, 0.7)]:
        expected = gaussian_filter(images[patch].numpy(), (0, width, width), mode="mirror", radius=(0, 5, 5))
        np.testing.assert_allclose(result[patch], expected, atol=1e-4)


def test_blur_of_volumes_is_a_gaussian_along_every_axis() -> None:
    volumes = torch.randn(2, 2, 12, 14, 16, generator=Generator().manual_seed(1))
    result = apply_intensity(volumes, _plain(2, 2, blur=torch.tensor([1.0, 0.0])))
    np.testing.assert_allclose(result[1], volumes[1], atol=1e-5)
    expected = gaussian_filter(volumes[0].numpy(), (0, 1, 1, 1), mode="mirror", radius=(0, 3, 3, 3))
    np.testing.assert_allclose(result[0], expected, atol=1e-4)


def test_volumes_change_like_images() -> None:
    """A volume of one slice comes out as that slice."""
    images = _images(2, 3)
    draw = _plain(
        2,
        3,
        brightness=torch.randn(2, 3),
        contrast=1 + torch.rand(2, 3),
        gamma=torch.tensor([0.7, 1.4]),
        blur=torch.tensor([0.9, 0.0]),
        noise=torch.tensor([0.2, 0.1]),
    )
    flat = apply_intensity(images, draw)
    np.testing.assert_allclose(apply_intensity(images[:, :, None], draw)[:, :, 0], flat, atol=1e-5)


def test_blur_of_a_tiny_patch_works() -> None:
    result = apply_intensity(_images(1, 1, 2), _plain(1, blur=torch.tensor([3.0])))
    assert result.shape == (1, 1, 2, 2)
    assert bool(torch.isfinite(result).all())


def test_noise_has_the_drawn_deviation_and_is_repeatable() -> None:
    draw = _plain(2, noise=torch.tensor([0.3, 0.0]))
    images = torch.zeros(2, 1, 64, 64)
    result = apply_intensity(images, draw)
    assert float(result[0].std()) == pytest.approx(0.3, rel=0.05)
    assert not result[1].any()
    assert torch.equal(result, apply_intensity(images, draw))


@pytest.mark.parametrize(
    "setting",
    [
        {"rotation": 181},
        {"tilt": -1},
        {"flip": 1.5},
        {"scale": (0, 1)},
        {"elastic": -1},
        {"elastic_grid": 1},
        {"probability": -0.1},
        {"gamma": (-1, 1)},
        {"noise": -1},
        {"blur": -1},
        {"channel_dropout": 1},
    ],
)
def test_impossible_setting_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        AugmentConfig(**setting)


def test_what_is_left_open_follows_from_the_data_and_what_is_said_stays() -> None:
    photograph = AugmentConfig().settled((128, 128), is_oriented=False)
    assert (photograph.rotation, photograph.flip, photograph.elastic) == (180, 0.5, 6)
    patient = AugmentConfig().settled((40, 56, 40), is_oriented=True)
    assert (patient.rotation, patient.flip) == (15, 0)
    assert patient.elastic == pytest.approx(40 * 6 / 128, abs=1e-3)
    thick = AugmentConfig().settled((16, 96, 96), is_oriented=True, spacing=(5, 1, 1))
    assert thick.elastic == pytest.approx(80 * 6 / 128, abs=1e-3), "of the shortest side in millimeters"
    said = AugmentConfig(rotation=90, flip=0.2, elastic=0).settled((128, 128), is_oriented=True)
    assert (said.rotation, said.flip, said.elastic) == (90, 0.2, 0)
