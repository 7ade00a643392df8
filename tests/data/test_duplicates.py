"""Copies are found, exact or nearly, and neighbours are none."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from seglet.data.cases import Case
from seglet.data.chart import Chart
from seglet.data.duplicates import Twins, check_duplicates, check_leaks, find_twins
from seglet.data.looks import Place, look_at_image, look_at_mask
from seglet.io.sources import File


def texture(seed: int, shape: tuple[int, ...] = (96, 128)) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, 3)
    return (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def chart(name: str, pixels: np.ndarray, mask: np.ndarray | None = None, **more: object) -> Chart:
    file, label = File(Path("data"), f"{name}.png"), File(Path("data"), f"{name}_mask.png")
    place = Place(pixels.shape)
    masks = () if mask is None else (look_at_mask(label, mask, place, None),)
    return Chart(
        Case(name, (file,), (label,) if mask is not None else (), **more),  # type: ignore[arg-type]
        images=(look_at_image(file, pixels[None], place, is_whole=True),),
        masks=masks,
    )


def pairs(*charts: Chart) -> list[tuple[str, str, bool]]:
    return [(one.first.id, one.second.id, one.is_exact) for one in find_twins(charts)]


def test_exact_copies_are_found_once_and_the_labelled_one_stays() -> None:
    mask = (texture(0) > 128).astype(np.uint8)
    found = find_twins([chart("a", texture(0)), chart("b", texture(0), mask), chart("c", texture(1))])
    assert [(one.first.id, one.second.id) for one in found] == [("b", "a")]
    assert not found[0].is_contradicting


def test_two_truths_of_one_image_contradict() -> None:
    mask = (texture(0) > 128).astype(np.uint8)
    (found,) = find_twins([chart("a", texture(0), mask), chart("b", texture(0), 1 - mask)])
    assert found.is_contradicting
    (finding,) = check_duplicates([found])
    assert finding.code == "contradiction"


@pytest.mark.parametrize("shape", [(96, 128), (24, 40, 40)])
def test_darker_noisy_and_smaller_copies_are_nearly_the_same(shape: tuple[int, ...]) -> None:
    original = texture(0, shape)
    noise = np.random.default_rng(1).normal(0, 4, shape)
    changed = (original * 0.7 + 20 + noise).astype(np.uint8)
    assert pairs(chart("a", original), chart("b", changed), chart("c", texture(1, shape))) == [
        ("a", "b", False)
    ]
    smaller = ndimage.zoom(original.astype(float), 0.75, order=1).astype(np.uint8)
    if len(shape) == 2:
        assert pairs(chart("a", original), chart("b", smaller)) == [("a", "b", False)]


def test_a_shifted_view_and_slices_of_one_group_are_no_copies() -> None:
    wide = texture(0, (96, 160))
    assert pairs(chart("a", wide[:, :128]), chart("b", wide[:, 12:140])) == []
    near = (texture(0) * 0.9).astype(np.uint8)
    assert pairs(chart("a", texture(0), group="p"), chart("b", near, group="p")) == []


def test_constant_images_are_no_copies_of_each_other() -> None:
    flat = np.full((96, 128), 7, np.uint8)
    assert pairs(chart("a", flat), chart("b", flat)) == []


def test_many_pairs_are_summed_up() -> None:
    cases = [Case(f"{k}", (File(Path("data"), f"{k}.png"),)) for k in range(9)]
    (found,) = check_duplicates([Twins(cases[0], case, True) for case in cases[1:]])
    assert len(found.files) == 8
    assert found.message.endswith("5 of 0 and 3 more.")


def test_copies_in_two_parts_are_a_leak_by_the_split_or_by_the_dataset_itself() -> None:
    one, two = chart("a", texture(0), split="train"), chart("b", texture(0), split="test")
    twins = find_twins([one, two])
    (own,) = check_leaks(twins, {})
    assert own.files == ("data/a.png", "data/b.png")
    assert "a (train) and b (test)" in own.message
    assert list(check_leaks(twins, {"a": "train", "b": "train"})) == []
    assert list(check_leaks(twins, {"a": "train"})) == []
