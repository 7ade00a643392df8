"""From files through planning: missing modalities, organs out of many, and what cannot be read in parts."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from seglet import pipeline
from seglet.core.errors import ConfigError
from seglet.core.events import quiet
from seglet.core.image import Image
from seglet.io import ome_zarr
from seglet.io.files import read_mask, write_image
from seglet.io.listing import as_file
from seglet.planning import make_planned, prepare_all
from seglet.recipe import read_recipe

PER_IMAGE = ("standardize", "zscore", "rescale", "divide", "clahe")
CT_PAGES = (
    "layout={image: '{id}_ct_sm.nii.gz', labels: '{id}_seg.nii.gz', pages: true}",
    "masks.classes={background: 0, liver: 5}",
    "masks.others=background",
)


@pytest.fixture(scope="module")
def modalities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cases of T1 and T2; case b lacks T2. Must not be changed."""
    folder, rng = tmp_path_factory.mktemp("modalities"), np.random.default_rng(0)
    (folder / "labels").mkdir()
    for name in "abc":
        for channel in ("T1", "T2"):
            pixels = rng.integers(500, 3000, (48, 40)).astype(np.uint16)
            if (name, channel) != ("b", "T2"):
                Picture.fromarray(pixels).save(folder / f"{name}_{channel}.png")
        mask = np.zeros((48, 40), np.uint8)
        mask[10:20, 5:30] = 255
        Picture.fromarray(mask).save(folder / "labels" / f"{name}.png")
    return folder


@pytest.mark.parametrize("kind", PER_IMAGE)
def test_a_missing_modality_is_exactly_zero_for_the_network(
    modalities: Path, kind: str, tiny: tuple[str, ...]
) -> None:
    """What training puts in the place of a modality that it drops."""
    layout = "layout={image: '{id}_{channel}.png', labels: 'labels/{id}.png', missing: allow}"
    recipe = read_recipe("auto", [*tiny, layout, f"plan.normalization={kind}", "split.folds=none"])
    planned = make_planned(modalities, recipe, quiet)
    cases = [case for part in ("train", "validation", "test") for case in planned.part(part)]
    prepared = {one.id: one.image for one in prepare_all(cases, planned.plan)}
    assert (prepared["b"][1] == 0).all()
    assert all(prepared[name][channel].std() > 0.01 for name, channel in (("a", 1), ("b", 0), ("c", 1)))


@pytest.mark.parametrize(
    "said", [("plan.normalization=clahe",), ("plan.normalization=zscore", "plan.mode=slices")]
)
def test_what_needs_whole_images_is_refused_on_disk(tmp_path: Path, said: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    shape = (6, 64, 64) if len(said) == 2 else (64, 64)
    for number in range(3):
        for role in ("images", "masks"):
            (tmp_path / role).mkdir(exist_ok=True)
            pixels = rng.integers(0, 2 if role == "masks" else 255, shape, np.uint8)
            ome_zarr.write(tmp_path / role / f"{number}.zarr", Image(pixels[None]))
    settings = ["plan.patch_size=[32,32]", "plan.channels=[4,8]", "split.folds=none", *said]
    assert pipeline.plan(tmp_path, settings=settings).plan.needs_whole
    with pytest.raises(ConfigError, match=r"plan\.normalization.*Set plan\.reading=memory"):
        pipeline.plan(tmp_path, settings=[*settings, "plan.reading=disk"])


@pytest.mark.parametrize("recipe", ["retina-patches", "liver"])
def test_published_recipes_say_how_intensities_are_normalized(recipe: str) -> None:
    plan = read_recipe(recipe).plan
    assert plan.normalization == {"retina-patches": "clahe", "liver": "zscore"}[recipe]


@pytest.mark.data
def test_one_organ_of_many_is_learned_from_slices(data_folder: Path, tmp_path: Path) -> None:
    """Contiguous blocks of slices, two left out between training and test: neighbors look alike."""
    scan = data_folder / "ct" / "totalsegmentator"
    split = ("split.validation=first 4", "split.test=last 8", "split.train=first 16")
    settings = [*CT_PAGES, *split, "plan.normalization=zscore", "plan.patch_size=[64,64]"]
    settings += ["plan.channels=[8,16]", "plan.batch_size=4", "fit.steps=60", "fit.rounds=2"]
    planned = pipeline.plan(scan, settings=settings)
    assert planned.labels.names == ("background", "liver")
    assert planned.fingerprint.class_fractions[1] == pytest.approx(0.1, abs=0.05)
    numbers = {
        part: [int(case.id.rpartition("_")[2]) for case in getattr(planned.split, part)]
        for part in ("validation", "train", "test")
    }
    assert numbers == {"validation": [*range(4)], "train": [*range(4, 20)], "test": [*range(22, 30)]}
    assert not {"values", "rare-class"} & {one.code for one in planned.examination.findings}
    truth = np.asarray(nib.load(scan / "example_seg.nii.gz").dataobj)
    counted = sum(int((planned.samples[case.id].labels == 1).sum()) for case in planned.split.test)  # type: ignore[union-attr]
    assert counted == int((truth[..., 22:] == 5).sum())
    trained = pipeline.train(scan, tmp_path / "run", settings=settings)
    assert trained.scores.n_images == 8
    middle = planned.samples[planned.split.test[0].id].image
    assert isinstance(middle, Image)
    write_image(tmp_path / "slice.tif", middle)
    (written,) = pipeline.predict(trained.run.folder, [tmp_path / "slice.tif"], tmp_path / "out")
    assert set(np.unique(read_mask(as_file(written)))) == {0, 5}
