"""From a path to everything training needs: cases, findings, split, samples, plan."""

from dataclasses import dataclass
from pathlib import Path

from seglet.core.errors import ConfigError, DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import Labels, Sample
from seglet.data.cases import Dataset, find_cases
from seglet.data.doctor import Examination, examine, require_sound
from seglet.data.samples import read_samples
from seglet.data.splits import Split, split_cases, split_from_text
from seglet.losses.combined import LossConfig
from seglet.metrics.protocols import PROTOCOLS, Protocol, protocol_named
from seglet.model import ModelCard
from seglet.networks.hardware import free_memory
from seglet.preprocessing.fingerprint import Fingerprint, make_fingerprint
from seglet.preprocessing.plan import Plan, make_plan
from seglet.recipe import Recipe


@dataclass(frozen=True)
class Planned:
    """What will be done with a dataset.

    Attributes
    ----------
    dataset, examination, labels, split
        The cases, what is wrong with them, how their masks are written, and who is in which part.
    samples : dict
        All labelled cases in memory, by id.
    fingerprint, plan
        Facts of the training images, and what follows from them.
    recipe : Recipe
        The recipe with every setting said.
    """

    dataset: Dataset
    examination: Examination
    labels: Labels
    split: Split
    samples: dict[str, Sample]
    fingerprint: Fingerprint
    plan: Plan
    recipe: Recipe

    @property
    def scored_on(self) -> str:
        """The part whose images are scored: test, else validation, else the training images themselves."""
        return "test" if self.split.test else "validation" if self.split.validation else "train"

    def part(self, name: str) -> list[Sample]:
        """The samples of a part: ``train``, ``validation`` or ``test``."""
        return [self.samples[case.id] for case in getattr(self.split, name)]

    def card(self) -> ModelCard:
        """What the model will say of itself."""
        recipe = self.recipe
        return ModelCard(
            recipe=recipe.name,
            network=recipe.network,
            plan=self.plan,
            labels=self.labels,
            predict=recipe.predict,
        )


def make_planned(data: Path, recipe: Recipe, tell: Tell, written_split: Path | None = None) -> Planned:
    """Find, examine, split, read and plan.

    Parameters
    ----------
    data : Path
        Folder or zip archive.
    recipe : Recipe
        What is already said.
    tell : callable
        Hears of progress.
    written_split : Path or None
        split.yaml of a run; where it stands, it is taken again.

    Raises
    ------
    DatasetError
        If anything is wrong with the dataset; all bad files are listed at once.
    ConfigError
        If the recipe does not fit the data.
    """
    dataset = find_cases(data, recipe.layout)
    examination = examine(dataset, recipe.masks, tell)
    require_sound(examination)
    if (labels := examination.labels) is None:
        raise DatasetError(
            data,
            found="images without masks",
            expected="a mask for each image",
            remedy="Add the masks' folder.",
        )
    if written_split is not None and written_split.is_file():
        split = split_from_text(written_split.read_text(encoding="utf-8"), dataset.cases)
    else:
        split = split_cases(dataset.cases, recipe.split)
    samples = read_samples([*split.train, *split.validation, *split.test], labels, tell)
    by_id = {sample.id: sample for sample in samples}
    fingerprint = make_fingerprint([by_id[case.id] for case in split.train], labels.n_classes)
    plan = make_plan(fingerprint, recipe.plan, free_memory())
    _require_channels(split, by_id, plan)
    _require_class_weights(recipe.loss, labels)
    protocol = choose_protocol(recipe.protocol, dataset).name
    _tell_understood(examination, split, plan, tell)
    resolved = recipe.model_copy(
        update={"plan": plan.settings, "layout": dataset.layout, "protocol": protocol}
    )
    return Planned(dataset, examination, labels, split, by_id, fingerprint, plan, resolved)


def _require_channels(split: Split, samples: dict[str, Sample], plan: Plan) -> None:
    """Gray and color images go together; any other number of channels only with its own kind."""
    fitting = (plan.n_channels,) if plan.color == "as_is" else (1, 3)
    cases = (*split.train, *split.validation, *split.test)
    counted = [(case.image, samples[case.id].image.n_channels) for case in cases]
    if bad := [f"{file} ({n} channels)" for file, n in counted if n not in fitting]:
        raise DatasetError(
            "dataset",
            found=f"{len(bad)} images whose channels do not fit: {'; '.join(bad)}",
            expected=f"{' or '.join(map(str, fitting))} channels ({plan.color})",
            remedy="Export these images like the others, or take them out of the dataset.",
        )


def _require_class_weights(loss: LossConfig, labels: Labels) -> None:
    if loss.class_weights is not None and len(loss.class_weights) != labels.n_classes:
        raise ConfigError(
            "loss.class_weights",
            found=f"{len(loss.class_weights)} weights",
            expected=f"{labels.n_classes}, one for each of {', '.join(labels.names)}",
            remedy="Give every class its weight, the background first, or leave the key out.",
        )


def _tell_understood(examination: Examination, split: Split, plan: Plan, tell: Tell) -> None:
    """Say what was understood of the data, and what follows from it, before anything long begins."""
    for finding in examination.findings:
        tell(Event("data", finding.message))
    parts = {"train": split.train, "validate": split.validation, "test": split.test}
    tell(Event("split", ", ".join(f"{len(cases)} {name}" for name, cases in parts.items())))
    y, x = plan.patch_size
    widths = "-".join(map(str, plan.channels))
    tell(Event("plan", f"U-Net {widths}, {plan.batch_size} patches of {x}x{y} a step, {plan.color} input"))


def choose_protocol(name: str, dataset: Dataset) -> Protocol:
    """The protocol of that name; for ``auto`` the dataset's own, known by its layout, else ``pixels``."""
    if name != "auto":
        return protocol_named(name)
    own = dataset.layout.name.lower().replace("_", "")
    return PROTOCOLS.get(own, PROTOCOLS["pixels"])
