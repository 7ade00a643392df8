"""Which windows a model's settings mean."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import pytest

from seglet.core.errors import ConfigError
from seglet.model import Model, PredictConfig
from seglet.prediction import tiling
from seglet.prediction.tiling import Tiling, extent_of, tiling_of

MakeModel = Callable[..., Model]


def test_windows_of_a_model_follow_from_its_plan(make_model: MakeModel, make_volume_model: MakeModel) -> None:
    assert tiling_of(make_model(window=None, margin=None).card) == Tiling((512,) * 2, (32,) * 2, (32,) * 2)
    assert tiling_of(make_model(window=48, margin=None).card).margin == (12, 12)
    deep = make_model(window=None, margin=None, channels=(2,) * 8, patch_size=(128, 128))
    assert tiling_of(deep.card).multiple == (128, 128), "what it halves seven times"
    assert tiling_of(make_volume_model().card) == Tiling((16, 32, 32), (2, 4, 4), (1, 2, 2))
    large = make_volume_model(patch_size=(96, 96, 96))
    assert tiling_of(large.card) == Tiling((96,) * 3, (24,) * 3, (1, 2, 2)), "twice that would not fit"
    assert tiling_of(make_volume_model(window=40, margin=6).card) == Tiling((40,) * 3, (6,) * 3, (1, 2, 2))


def unpadded(model: Model, **said: int) -> Model:
    """The same plan with unpadded convolutions: two levels, 4 and twice 2 and 4 are lost."""
    plan = model.card.plan.model_copy(update={"is_valid": True, "patch_size": (60, 44)})
    card = model.card.model_copy(update={"plan": plan, "predict": PredictConfig(**said)})  # type: ignore[arg-type]
    return Model(model.network, card)


def test_windows_of_unpadded_convolutions_are_its_patches_unless_said(make_model: MakeModel) -> None:
    found = tiling_of(unpadded(make_model()).card)
    assert (found.window, found.margin, found.multiple) == ((60, 44), (8, 8), (2, 2))
    assert found.valid is not None
    assert tiling_of(unpadded(make_model(), window=100).card).window == (100, 100)
    assert found.surround == (0, 0)


@pytest.mark.parametrize("said", [{"margin": 10}, {"window": 50, "stride": 5}])
def test_unpadded_convolutions_have_a_margin_of_their_own(
    make_model: MakeModel, said: dict[str, int]
) -> None:
    with pytest.raises(ConfigError, match=f"{list(said)[-1]} for a network of unpadded") as caught:
        tiling_of(unpadded(make_model(), **said).card)
    assert "8x8" in str(caught.value)


def test_a_stride_is_taken_at_its_word(make_model: MakeModel) -> None:
    model = make_model()
    card = model.card.model_copy(update={"predict": PredictConfig(window=48, stride=5)})
    along = tiling_of(card).stripes(
        (999, 960)
    )  # DRIVE-like; 1 + ceil((999 - 48) / 5) by 1 + ceil((960 - 48) / 5)
    assert [len(stripes) for stripes in along] == [192, 184]
    assert {stripe.extent for stripes in along for stripe in stripes} == {48}


def test_batches_hold_a_certain_number_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "PIXELS_AT_ONCE", 10 * 32 * 32)
    small, large = (Tiling((side,) * 2, (0,) * 2, (1,) * 2) for side in (32, 512))
    assert small.windows_at_once(extent_of(small.stripes((128, 96)))) == 10
    assert large.windows_at_once(extent_of(large.stripes((500, 500)))) == 1
    assert replace(small, batch=3).windows_at_once((32, 32)) == 3


def test_several_batches_at_once_where_there_are_many_of_few_pixels() -> None:
    tiling = Tiling((512, 512), (32, 32), (32, 32))
    assert [tiling.lanes(n, (512, 512)) for n in (1, 3, 4, 40)] == [1, 1, 2, 2]
    assert [tiling.lanes(n, (256, 256)) for n in (4, 15, 16)] == [1, 1, 2], "four make a batch"
    assert tiling.lanes(40, (1024, 1024)) == 1
    assert replace(tiling, batch=1).lanes(40, (512, 512)) == 1, "said where the memory is short"


@pytest.mark.parametrize(("window", "margin"), [(512, 32), (256, 32), (128, 0), (64, 16)])
@pytest.mark.parametrize("batch", [None, 1])
def test_no_batch_is_larger_than_foretold(window: int, margin: int, batch: int | None) -> None:
    cut = Tiling((window,) * 2, (margin,) * 2, (32,) * 2, batch=batch)
    taken = []
    for side in range(1, 4 * window, 13):
        extent = extent_of(cut.stripes((side, side)))
        taken.append(prod(extent) * cut.windows_at_once(extent))
    assert 0.7 * cut.largest_batch < max(taken) <= cut.largest_batch
