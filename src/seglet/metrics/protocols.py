"""The named rules by which images are scored, and what others reached under them."""

from difflib import get_close_matches

from seglet.core.config import Config
from seglet.core.errors import ConfigError


class Published(Config):
    """One row of published figures.

    Attributes
    ----------
    label : str
        Who or what was scored.
    figures : dict
        Metric name to value.
    source : str
        Where the figures stand.
    """

    label: str
    figures: dict[str, float]
    source: str


class Protocol(Config):
    """Which pixels count, how images are averaged, where the threshold comes from.

    Attributes
    ----------
    name, version : str
        A change of the rule is a new version.
    rule : str
        The rule in plain sentences, printed beside the number.
    pooled_first : bool
        Whether the headline is of all images' pixels pooled; else the mean over images.
    threshold_from : str
        Where the threshold comes from, in words.
    published : tuple of Published
        What others reached.
    comparability : str
        What to mind when setting one's own figures beside the published ones; empty where there are none.
    """

    name: str
    version: str = "1"
    rule: str
    pooled_first: bool
    threshold_from: str = "the training and validation images, by largest Dice; never the test images"
    published: tuple[Published, ...] = ()
    comparability: str = ""


def protocol_named(name: str) -> Protocol:
    """Look a protocol up.

    Raises
    ------
    ConfigError
        If there is none of this name; the message says the nearest one.
    """
    if name not in PROTOCOLS:
        near = get_close_matches(name, PROTOCOLS, n=1, cutoff=0.3)
        raise ConfigError(
            "protocol",
            found=repr(name),
            expected=f"one of {', '.join(PROTOCOLS)}",
            remedy=f"Did you mean {near[0]!r}?" if near else "Choose one of these.",
        )
    return PROTOCOLS[name]


def _row(label: str, source: str, **figures: float) -> Published:
    return Published(label=label, source=source, figures=figures)


_RETINA_RULE = (
    "Only pixels inside the field of view count, those of all test images pooled; the first observer is the "
    "truth. The threshold is not chosen on the test images."
)
_HALF_ALL_PIXEL = (
    "About half of the literature scores all pixels, the black frame included, which raises ROC area, "
    "accuracy and specificity; set such figures beside the all-pixel variant."
)
_LWNET = "Galdran et al., Scientific Reports 12, 2022 (doi:10.1038/s41598-022-09675-y)"
_LADDERNET = "Zhuang, LadderNet, 2018 (arXiv:1810.07810)"
_NNWNET = "Zhou et al., nnWNet, CVPR 2025"
_NNUNET = "nnU-Net as run by others (not in Isensee et al. 2021); original table not checked"

_DRIVE = (
    _row("second observer", "DRIVE's second manual segmentation, in-FOV, pooled",
         accuracy=0.9473, f1=0.7891, sensitivity=0.7746, specificity=0.9725),
    _row("retina-unet", "github.com/orobix/retina-unet",
         roc_auc=0.9790, pr_auc=0.9103, accuracy=0.9560, f1=0.8161, sensitivity=0.7671, specificity=0.9835),
    _row("lwnet W-Net, 68k parameters, 4-flip TTA", _LWNET,
         roc_auc=0.9810, pr_auc=0.9140, accuracy=0.9557, f1=0.8286, sensitivity=0.8407, specificity=0.9725),
    _row("nnU-Net 2D (ROC area from hard labels)", _NNUNET, roc_auc=0.9634, accuracy=0.9550, f1=0.8109),
)  # fmt: skip
_CHASEDB1 = (
    _row("U-Net", _LADDERNET, roc_auc=0.9772, f1=0.7783),
    _row("LadderNet", _LADDERNET, roc_auc=0.9839, f1=0.8031),
    _row("IterNet", "Li et al., WACV 2020 (arXiv:1912.05763)", roc_auc=0.9851, f1=0.8073),
    _row("nnU-Net", _NNUNET, f1=0.8185),
    _row("nnWNet", _NNWNET, f1=0.8221),
)

_ALL = (
    Protocol(
        name="pixels",
        rule="Every labelled pixel counts; where a field of view is given, only those inside. Each image is "
        "scored by itself, then the images are averaged; an image that has a class neither in truth nor in "
        "prediction is left out of that class's mean.",
        pooled_first=False,
    ),
    Protocol(
        name="drive",
        rule=_RETINA_RULE,
        pooled_first=True,
        published=_DRIVE,
        comparability=f"DRIVE's own split, 20 training and 20 test images. {_HALF_ALL_PIXEL}",
    ),
    Protocol(
        name="chasedb1",
        rule=_RETINA_RULE,
        pooled_first=True,
        published=_CHASEDB1,
        comparability=f"For the first 20 images as training and the last 8 as test. {_HALF_ALL_PIXEL}",
    ),
    Protocol(name="stare", rule=_RETINA_RULE, pooled_first=True),
    Protocol(name="hrf", rule=_RETINA_RULE, pooled_first=True),
)
PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}
