"""From a path to everything training needs: cases, findings, split, samples, plan."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from seglet.allowance import Allowance
from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import Labels, Sample, StoredSample
from seglet.core.profile import timed
from seglet.data.cases import Case, Dataset
from seglet.data.crops import Crop, Piece
from seglet.data.datasets import open_dataset
from seglet.data.doctor import Examination, examine, require_sound, with_split
from seglet.data.drawing import Classes, classes_in
from seglet.data.folds import choose_folds, make_folds, read_folds
from seglet.data.layouts import channels_anywhere
from seglet.data.splits import Split, SplitConfig, split_cases
from seglet.model import ModelCard
from seglet.networks.hardware import free_memory
from seglet.networks.registry import UNPADDED
from seglet.patches.sources import PatchSource
from seglet.preprocessing.fingerprint import CaseFacts, Fingerprint, look_at, pool_facts
from seglet.preprocessing.plan import Plan, make_plan
from seglet.preprocessing.settings import Reading
from seglet.preprocessing.transform import Prepared
from seglet.reading import (
    Samples,
    choose_reading,
    crops_of,
    look_at_stored,
    memory_of,
    patches_in_words,
    pieces_of,
    prepare,
    read_or_open,
    reading_in_words,
    require_room,
    sources_of,
    with_fitting_spacing,
)
from seglet.recipe import Recipe
from seglet.settling import decisions, settle
from seglet.suitability import require_channels, require_network, require_suited


@dataclass(frozen=True)
class Planned:
    """What will be done with a dataset.

    Attributes
    ----------
    dataset, examination, labels, split
        The cases, what is wrong with them, how their masks are written, and who is in which part.
    folds : tuple of Split
        Of a cross-validated run: who is in which part of each fold; `split` then has all of them as `train`
        and what stays out of every fold as `test`. Else empty.
    samples : dict
        All labelled cases by id, in memory or on disk.
    crops : dict
        The windows of each case on disk that are scored and shown, by the case's id.
    needed : int
        Bytes that all labelled images would take in memory.
    fingerprint, plan
        Facts of the training images, and what follows from them.
    recipe : Recipe
        The recipe with every setting said.
    allowance : Allowance
        How many pixels are looked at together after training.
    """

    dataset: Dataset
    examination: Examination
    labels: Labels
    split: Split
    folds: tuple[Split, ...]
    samples: dict[str, Sample | StoredSample]
    crops: dict[str, tuple[Crop, ...]]
    needed: int
    fingerprint: Fingerprint
    plan: Plan
    recipe: Recipe
    allowance: Allowance = field(default_factory=Allowance)

    @property
    def scored_on(self) -> str:
        """The part whose images are scored: all folds, or test, else validation, else the training images."""
        if self.folds:
            return "folds"
        return "test" if self.split.test else "validation" if self.split.validation else "train"

    @property
    def scored_cases(self) -> tuple[Case, ...]:
        """The cases that are scored."""
        return self.split.train if self.folds else getattr(self.split, self.scored_on)

    def part(self, name: str) -> list[Piece]:
        """The pieces of ``train``, ``validation`` or ``test``; see `pieces`."""
        return self.pieces(getattr(self.split, name))

    def pieces(self, cases: Sequence[Case]) -> list[Piece]:
        """What is looked at of some cases: all of those in memory, windows of those on disk."""
        return pieces_of([self.samples[case.id] for case in cases], self.crops)

    def of_fold(self, fold: Split) -> "Planned":
        """What is done in one fold, by the same plan."""
        return replace(self, split=fold, folds=())

    def replanned(self, recipe: Recipe) -> "Planned":
        """The same data by a recipe of other sizes, loss or training.

        Raises
        ------
        ConfigError
            If the sizes do not fit the images or the memory.
        """
        before = self.plan
        plan = make_plan(
            self.fingerprint,
            recipe.plan,
            free_memory(),
            is_on_disk=before.reading == "disk",
            is_valid=before.is_valid,
        )
        return replace(self, plan=plan, recipe=recipe.model_copy(update={"plan": plan.settings}))

    def card(self) -> ModelCard:
        """What the model will say of itself."""
        recipe = self.recipe
        return ModelCard(
            recipe=recipe.name,
            network=recipe.network,
            plan=self.plan,
            labels=self.labels,
            targets=recipe.targets,
            predict=recipe.predict,
            channels=channels_anywhere(self.dataset.layout),
            **decisions(recipe, self.labels, self.plan),
        )


@timed("read and plan")
def make_planned(
    data: Path, recipe: Recipe, tell: Tell, written: Path | None = None, left: int | None = None
) -> Planned:
    """Find, examine, split, read and plan.

    Parameters
    ----------
    data : Path
        Folder or zip archive.
    recipe : Recipe
        What is already said.
    tell : callable
        Hears of progress.
    written : Path or None
        split.yaml or folds.yaml of a run; where it stands, it is taken again.
    left : int or None
        Bytes that may be taken of the memory; where None, of what is free a share.

    Raises
    ------
    DatasetError
        If anything is wrong with the dataset; all bad files are listed at once.
    ConfigError
        If the recipe does not fit the data.
    """
    examination, labels = _understand(data, recipe, tell)
    dataset = examination.dataset
    labelled = [case for case in dataset.cases if case.labels]
    needed = memory_of(look for case in labelled for look in examination.looks[case.id])
    reading = choose_reading(recipe.plan, labelled, labels, needed, left)
    if left is not None and reading == "memory":
        require_room([look for case in labelled for look in examination.looks[case.id]], left)
    samples = read_or_open(labelled, labels, reading, tell)
    facts = look_at_stored(samples, labels.n_classes, tell)
    split, folds = _divide(dataset, recipe.split, _classes_in(samples, facts), written)
    trained_on = [facts.get(c.id) or look_at(samples[c.id], labels.n_classes) for c in split.train]
    fingerprint, plan = _decide(trained_on, recipe, reading)
    cases = {case.id: case for one in (split, *folds) for case in one.cases}.values()
    require_channels([(case.image, samples[case.id].image.n_channels) for case in cases], plan)
    require_suited(recipe, plan, labels)
    examination = with_split(examination, _roles(split, folds))
    _tell_understood(examination, split, folds, plan, tell)
    if reading == "disk":
        tell(Event("memory", reading_in_words(plan, needed)))
        if labels.tell_objects_apart:
            tell(Event("objects", "not told apart: of images on disk a model is one of classes"))
    crops = crops_of(samples, plan, len(samples), tell)
    settled = settle(recipe, dataset, labels, fingerprint, plan)
    planned = Planned(
        dataset, examination, labels, split, folds, samples, crops, needed, fingerprint, plan, settled
    )
    require_network(planned.card())
    return planned


def _understand(data: Path, recipe: Recipe, tell: Tell) -> tuple[Examination, Labels]:
    """Find and examine; refuse what cannot be trained on."""
    examination = examine(open_dataset(data, recipe.layout), recipe.masks, tell)
    require_sound(examination)
    if examination.labels is None:
        raise DatasetError(
            data,
            found="images without masks",
            expected="a mask for each image",
            remedy="Add the masks' folder.",
        )
    return examination, examination.labels


def _decide(facts: Sequence[CaseFacts], recipe: Recipe, reading: Reading) -> tuple[Fingerprint, Plan]:
    is_on_disk = reading == "disk"
    said = with_fitting_spacing(recipe.plan, facts) if is_on_disk else recipe.plan
    fingerprint, is_valid = pool_facts(facts), recipe.network.kind in UNPADDED
    return fingerprint, make_plan(fingerprint, said, free_memory(), is_on_disk=is_on_disk, is_valid=is_valid)


def prepare_all(pieces: Sequence[Piece], plan: Plan) -> list[Prepared]:
    """Bring pieces to the plan's grid; in ``slices`` mode every labelled slice is one."""
    return [prepared for piece in pieces for prepared in prepare(piece, plan)]


def training_cases(planned: Planned) -> list[Prepared] | list[PatchSource]:
    """What patches are cut from: the training cases on the plan's grid, or where they are on disk."""
    plan = planned.plan
    if plan.reading == "memory":
        return prepare_all(planned.part("train"), plan)
    cases = [planned.samples[case.id] for case in planned.split.train]
    return [source for case in cases if isinstance(case, StoredSample) for source in sources_of(case, plan)]


def _classes_in(samples: Samples, facts: dict[str, CaseFacts]) -> dict[str, frozenset[int]]:
    """Foreground classes that each case shows, as far as they were seen of those on disk."""
    return {
        name: classes_in(sample)
        if isinstance(sample, Sample)
        else frozenset(np.flatnonzero(facts[name].class_counts).tolist()) - {0}
        for name, sample in samples.items()
    }


def _divide(
    dataset: Dataset, config: SplitConfig, classes: Classes, written: Path | None
) -> tuple[Split, tuple[Split, ...]]:
    """Who is in which part; and in which fold, where there are folds."""
    file = written if written is not None and written.is_file() else config.file
    n_folds = None if file else choose_folds(dataset.cases, config)
    if file is not None:
        folds = read_folds(file, dataset.cases)
    elif n_folds is not None:
        folds = make_folds(dataset.cases, config, n_folds, classes)
    else:
        folds = (split_cases(dataset.cases, config, classes),)
    if len(folds) == 1:
        return folds[0], ()
    inside = {case.id for fold in folds for case in fold.test}
    known = [case for fold in folds for case in fold.cases]  # who validates in all folds chose their models
    ids, groups = {case.id for case in known}, {case.group for case in known} - {None}
    outside = [c for c in dataset.cases if c.labels and c.id not in ids and c.group not in groups]
    return Split(tuple(c for c in dataset.cases if c.id in inside), (), tuple(outside)), folds


def _roles(split: Split, folds: Sequence[Split]) -> dict[str, str]:
    """The part of each case, by its id: of folds, the one that tests it."""
    if folds:
        parts = {f"fold {number}": fold.test for number, fold in enumerate(folds, start=1)}
    else:
        parts = {role: getattr(split, role) for role in ("train", "validation", "test")}
    return {case.id: role for role, cases in parts.items() for case in cases}


def _tell_understood(
    examination: Examination, split: Split, folds: Sequence[Split], plan: Plan, tell: Tell
) -> None:
    """Say what was understood of the data, and what follows from it, before anything long begins."""
    for finding in examination.findings:
        tell(Event("data", finding.message))
    parts = {"train": split.train, "validate": split.validation, "test": split.test}
    counted = ", ".join(f"{len(cases)} {name}" for name, cases in parts.items())
    held = f", {len(split.test)} held out" if split.test else ""
    tell(Event("split", f"{len(folds)} folds over {len(split.train)} cases{held}" if folds else counted))
    widths = "-".join(map(str, plan.channels))
    tell(Event("plan", f"U-Net {widths}, {patches_in_words(plan)}, {plan.color} input"))
