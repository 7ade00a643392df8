"""Compare two datasets, whatever files they stand in."""

from pathlib import Path

import numpy as np

from seglet.core.image import Labels
from seglet.data.cases import Dataset
from seglet.data.datasets import labels_of, open_dataset
from seglet.data.masks import MaskConfig
from seglet.data.samples import read_sample

ARRAYS = ("labels", "objects", "fov", "second")


def understood(path: Path) -> tuple[Dataset, Labels | None]:
    """Open a dataset as it stands, nothing said."""
    dataset = open_dataset(path)
    labelled = [case for case in dataset.cases if case.labels]
    return dataset, labels_of(dataset, labelled, MaskConfig()) if labelled else None


def assert_same_data(
    one: tuple[Dataset, Labels | None], other: tuple[Dataset, Labels | None], without: tuple[str, ...] = ()
) -> None:
    """Names, groups, splits, class names, pixels, grids and masks are the same, but for what is named."""
    (a, labels_a), (b, labels_b) = one, other
    assert [(c.id, c.group, c.split) for c in a.cases] == [(c.id, c.group, c.split) for c in b.cases]
    assert (labels_a and labels_a.names) == (labels_b and labels_b.names)
    for case_a, case_b in zip(a.cases, b.cases, strict=True):
        x, y = read_sample(case_a, labels_a), read_sample(case_b, labels_b)
        assert x.image.pixels.dtype == y.image.pixels.dtype
        assert np.array_equal(x.image.pixels, y.image.pixels)
        for name in {"spacing", "unit", "origin", "direction"} - set(without):
            assert getattr(x.image, name) == getattr(y.image, name), (case_a.id, name)
        for name in set(ARRAYS) - set(without):
            mine, its = getattr(x, name), getattr(y, name)
            assert (mine is None) == (its is None), (case_a.id, name)
            assert mine is None or np.array_equal(mine, its), (case_a.id, name)
