"""The extent of a patch and the levels of the network."""

import pytest

from seglet.core.errors import ConfigError
from seglet.preprocessing.settings import PlanConfig
from seglet.preprocessing.sizes import CHANNELS, choose_sizes, valid_axes
from seglet.preprocessing.target import Target


def _flat(*extent: int) -> Target:
    return Target("2d", 0, None, (1.0, 1.0), extent, extent[0] * extent[1])


def test_a_large_image_gets_the_standard_network() -> None:
    patch, channels, strides, kernels = choose_sizes(_flat(900, 700), PlanConfig(), is_valid=False)
    assert patch == (128, 128)
    assert channels == CHANNELS
    assert strides == ((2, 2),) * 3
    assert kernels == ((3, 3),) * 4


@pytest.mark.parametrize("extent", [(900, 700), (64, 64), (30, 200)])
def test_what_comes_out_of_an_unpadded_network_is_as_large_as_a_patch_of_a_padded_one(
    extent: tuple[int, int],
) -> None:
    padded, *_ = choose_sizes(_flat(*extent), PlanConfig(), is_valid=False)
    patch, _, strides, kernels = choose_sizes(_flat(*extent), PlanConfig(), is_valid=True)
    axes = valid_axes(strides, kernels)
    for side, axis, wished in zip(patch, axes, padded, strict=True):
        assert wished - axis.step < axis.output(side) < wished + axis.step


def test_the_patch_of_the_original_is_legal() -> None:
    said = PlanConfig(patch_size=(572, 572), channels=(64, 128, 256, 512, 1024))
    patch, *_ = choose_sizes(_flat(512, 512), said, is_valid=True)
    assert patch == (572, 572)


def test_an_illegal_patch_of_an_unpadded_network_names_the_nearest_legal_ones() -> None:
    said = PlanConfig(patch_size=(512, 572), channels=(64, 128, 256, 512, 1024))
    with pytest.raises(ConfigError, match=r"508x572 or 524x572"):
        choose_sizes(_flat(512, 512), said, is_valid=True)


def test_a_network_of_one_level_has_no_strides() -> None:
    (axis, _) = valid_axes((), ((3, 3),))
    assert (axis.step, axis.lost) == (1, 4)
