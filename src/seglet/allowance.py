"""How many pixels are looked at together once a network is trained; fewer where the memory is short."""

from dataclasses import dataclass

from seglet.choosing import MOST_CHOSEN_ON
from seglet.metrics.pixel_lists import MOST_PIXELS
from seglet.prediction.seams import MOST_VALUES


@dataclass(frozen=True)
class Allowance:
    """What is kept of all images at once; the figures move by less than their intervals where it is less.

    Attributes
    ----------
    n_chosen_on : int
        Pixels that the temperature, the threshold and the way to objects are chosen on.
    n_ranked : int
        Pixels that curves are drawn from, of each class.
    n_compared : int
        Values of the network's finest level in the one pass that windows are compared with.
    """

    n_chosen_on: int = MOST_CHOSEN_ON
    n_ranked: int = MOST_PIXELS
    n_compared: int = MOST_VALUES
