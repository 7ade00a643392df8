"""How probabilities become objects."""

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from seglet.core.config import Config

Method = Literal["components", "probability", "depth", "waist", "interior", "distance"]

SEEDS_ABOVE = MappingProxyType(
    {"probability": 0.8, "depth": 3.0, "waist": 0.7, "interior": 0.5, "distance": 0.5}
)


class DecodingConfig(Config):
    """How probabilities become objects, and which objects are kept.

    Pixels above `threshold` are foreground. Holes are filled, `keep` chooses among the components of the
    foreground (pixels that share a side are connected), and each component is split: by a watershed of a map
    that is high inside of objects, flooded from seeds, the connected parts of the component where the map is
    above `seed_threshold`. A component of one seed or none is one object. Of these objects, small ones and,
    if so said, those at the image's edge are taken out.

    Attributes
    ----------
    method : str or None
        ``components``: nothing is split. Else the map of the watershed: ``probability`` of the foreground;
        ``depth``, the distance in pixels to the nearest pixel outside of the component; ``interior``, the
        class of that name, of targets of borders; ``distance``, of targets of distances. ``waist`` splits
        small and large objects alike: its map is the depth too, but its seeds are all peaks between which
        the component grows narrow, to less than `seed_threshold` times the depth of either. None: not
        chosen yet, to be fitted on images whose truth is known; components until then.
    threshold : float
        Of the foreground's probability.
    seed_threshold : float or None
        Of the map: in pixels for ``depth``, else 0 to 1; of ``waist`` a ratio. Where None, as `SEEDS_ABOVE`
        says.
    smoothing : float
        Standard deviation of the Gaussian that the map is smoothed by, in pixels; 0 leaves it as it is.
    min_size : int
        Smaller objects are removed; in pixels.
    max_hole : int
        Holes of at most so many pixels are filled. A hole is a part of the background that the foreground
        encloses (pixels that share a corner are connected); what touches the image's edge is none.
    keep : str
        ``all`` components, or the ``largest``, for organs.
    edge : str
        ``remove``: objects that touch the image's edge, of volumes also the first or last slice, are
        removed; they are cut, and bias sizes.
    """

    method: Method | None = None
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    seed_threshold: Annotated[float, Field(ge=0)] | None = None
    smoothing: Annotated[float, Field(ge=0)] = 1.0
    min_size: Annotated[int, Field(ge=0)] = 0
    max_hole: Annotated[int, Field(ge=0)] = 0
    keep: Literal["all", "largest"] = "all"
    edge: Literal["keep", "remove"] = "keep"

    @property
    def is_split(self) -> bool:
        """Whether components are split."""
        return self.method not in (None, "components")

    @property
    def has_rules(self) -> bool:
        """Whether anything is filled or removed."""
        return self.min_size > 0 or self.max_hole > 0 or self.keep != "all" or self.edge != "keep"

    @property
    def seeds_above(self) -> float:
        """Above which value of the map seeds lie; infinite where components are not split."""
        if self.seed_threshold is not None:
            return self.seed_threshold
        return SEEDS_ABOVE.get(self.method or "", float("inf"))
