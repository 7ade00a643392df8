"""The memory contract of prediction: what is done within it, and what is refused before anything begins."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

import psutil

from seglet.core.errors import ConfigError, DatasetError, FormatError, GeometryError
from seglet.core.image import StoredImage
from seglet.core.sizes import gibibytes
from seglet.data.cases import Case
from seglet.data.channels import open_case
from seglet.model import Model, ModelCard
from seglet.prediction.memory import MIB, TRYING, block_memory, image_memory, network_memory
from seglet.prediction.tiling import tiling_of
from seglet.preprocessing.transform import grid_shape
from seglet.reading import SHARE_OF_MEMORY

SHARES = (1, 3 / 4, 1 / 2, 3 / 8, 1 / 4)  # of the usual window's sides that are tried, largest first
SHORTEST = 64  # px; of shorter windows most would be margin
SPARE = 32 * MIB  # of what is foretold no byte is sure


@dataclass(frozen=True)
class Room:
    """How much of the memory images may take.

    Attributes
    ----------
    n_bytes : int
        Beside the process, its libraries and the network.
    most : int or None
        What the whole process may take, where that was said.
    """

    n_bytes: int
    most: int | None = None

    def holds(self, stored: StoredImage, model: Model) -> bool:
        """Whether an image can be predicted in one piece."""
        return image_memory(stored, model.card) <= self.n_bytes


def free_room() -> Room:
    """A share of the memory that is free, where nothing was said."""
    return Room(int(SHARE_OF_MEMORY * psutil.virtual_memory().available))


def fit_within(model: Model, most: int, *, tries_engines: bool) -> tuple[Model, Room]:
    """Choose the largest windows with which blocks of an image of any size can be predicted, or the smallest.

    Parameters
    ----------
    model : Model
        What was trained.
    most : int
        Bytes that this process may take in all, what it has already included.
    tries_engines : bool
        Whether engines will be compared.

    Returns
    -------
    Model, Room
        The same model with its windows said, and what is left for images.

    Raises
    ------
    ConfigError
        If not even the network fits.
    """
    taken = psutil.Process().memory_info().rss + SPARE + (TRYING if tries_engines else 0)
    network, fitting = 0, model
    for card in smaller_windows(model.card):
        fitting = model if card is model.card else replace(model, card=card)
        network = taken + network_memory(fitting)
        if network + block_memory(fitting) <= most:
            break
    if network < most:
        return fitting, Room(most - network, most)
    raise ConfigError(
        "max-ram",
        found=gibibytes(most),
        expected=f"at least {gibibytes(network)} for this model with its smallest windows, and images beside",
        remedy="Allow more" + (", or name the engine: --engine torch." if tries_engines else "."),
    )


def require_held(case: Case, model: Model, room: Room) -> None:
    """Refuse an image that is predicted in one piece, and takes more than was said.

    Raises
    ------
    DatasetError
        Says what it would take, and what would help.
    """
    if room.most is None:
        return
    stored = opened(case, model)
    if stored is not None and not room.holds(stored, model):
        way = ", or convert it to OME-Zarr, which is predicted block by block unless probabilities are wanted"
        raise _too_large(case, "in one piece", image_memory(stored, model.card), room.n_bytes, room.most, way)


def require_blocks(case: Case, model: Model, room: Room) -> None:
    """Refuse an image that is predicted block by block, if these take more than was said.

    Raises
    ------
    DatasetError
        As `require_held`.
    """
    if room.most is None:
        return
    stored = opened(case, model)
    if stored is not None and (needed := block_memory(model, stored)) > room.n_bytes:
        raise _too_large(case, "block by block", needed, room.n_bytes, room.most)


def opened(case: Case, model: Model) -> StoredImage | None:
    """An image by its header; None if it cannot be opened, or is flat where the model is for volumes or not.

    What is wrong then is said in the image's turn, and all others are predicted.
    """
    try:
        stored = open_case(case)
        grid_shape(stored, model.card.plan)
    except (FormatError, GeometryError):
        return None
    return stored


def _too_large(case: Case, how: str, needed: int, left: int, most: int, way: str = "") -> DatasetError:
    return DatasetError(
        str(case.image),
        found=f"an image that takes about {gibibytes(most - left + needed)} to predict {how}",
        expected=f"at most {gibibytes(most)}, as --max-ram says",
        remedy=f"Allow more memory{way}.",
    )


def smaller_windows(card: ModelCard) -> Iterator[ModelCard]:
    """A model's card as it is, with windows one by one, and with ever smaller ones where they are free."""
    yield card
    if card.predict.batch is None:
        yield card.predicting(batch=1)
    if card.predict.stride is not None:
        return
    tiling = tiling_of(card)
    multiple = max(tiling.multiple)
    is_margin_kept = card.plan.is_valid or card.predict.margin is not None
    least = max(SHORTEST, *(2 * side + 1 for side in tiling.margin if is_margin_kept), 0)
    for share in SHARES[1:]:
        side = ceil(max(tiling.window) * share / multiple) * multiple
        if side >= least and side < max(tiling.window):
            yield card.predicting(window=side, batch=1)
