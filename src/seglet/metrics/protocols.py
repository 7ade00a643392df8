"""The named rules by which images are scored, and what others reached under them."""

from difflib import get_close_matches
from typing import Literal

from seglet.core.config import Config
from seglet.core.errors import ConfigError

Leading = Literal["dice", "dsb", "seg", "rand_error"]
"""Name of the figure that stands in front."""


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
    of_class : str
        The class that they are about, and only set beside one of that name; empty for any single class.
    """

    label: str
    figures: dict[str, float]
    source: str
    of_class: str = ""


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
    headline : str
        The figure in front: ``dice``; ``dsb`` or ``seg`` of objects; ``rand_error`` of the partition into
        cells. Where the data do not allow it, it is Dice.
    layout : str
        Name of the layout of the data that the rule is for; empty where it is no single one.
    threshold_from : str
        Where the threshold comes from, in words.
    published : tuple of Published
        What others reached.
    comparability : str
        What to mind when setting one's own figures beside the published ones; empty where there are none.
    shape : str or None
        What is measured of each class's shape: ``surfaces`` and volumes, or ``centerlines``.
    tolerance_mm : float
        Distance up to which a surface is right, for the surface Dice.
    is_absence_right : bool
        Whether Dice is 1 for a class that an image has neither in truth nor in prediction; else it is left
        out of the mean.
    """

    name: str
    version: str = "1"
    rule: str
    pooled_first: bool
    headline: Leading = "dice"
    layout: str = ""
    threshold_from: str = "validation images, by largest Dice; never the test images"
    published: tuple[Published, ...] = ()
    comparability: str = ""
    shape: Literal["surfaces", "centerlines"] | None = None
    tolerance_mm: float = 1.0
    is_absence_right: bool = False


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


def protocol_of_layout(layout: str) -> Protocol:
    """The protocol of the dataset that has this layout; ``pixels`` where there is none."""
    return next((one for one in PROTOCOLS.values() if one.layout == layout), PROTOCOLS["pixels"])


def _row(label: str, source: str, of_class: str = "", **figures: float) -> Published:
    return Published(label=label, source=source, figures=figures, of_class=of_class)


_RETINA_RULE = (
    "Only pixels inside the field of view count, those of all test images pooled; the first observer is the "
    "truth. The threshold is not chosen on the test images. Of centerlines each image is scored by itself, "
    "then the images are averaged."
)
_HALF_ALL_PIXEL = (
    "About half of the literature scores all pixels, the black frame included, which raises ROC area, "
    "accuracy and specificity; set such figures beside the all-pixel variant."
)
_LWNET = "Galdran et al., Scientific Reports 12, 2022 (doi:10.1038/s41598-022-09675-y)"
_LADDERNET = "Zhuang, LadderNet, 2018 (arXiv:1810.07810)"
_NNWNET = "Zhou et al., nnWNet, CVPR 2025"
_NNUNET = "nnU-Net as run by others (not in Isensee et al. 2021); original table not checked"
_CAICEDO = "Caicedo et al., Nature Methods 16, 2019 (doi:10.1038/s41592-019-0612-7)"
_UNET = "Ronneberger et al., U-Net, MICCAI 2015 (arXiv:1505.04597)"
_BILIC = "Bilic et al., LiTS, Medical Image Analysis 84, 2023 (doi:10.1016/j.media.2022.102680)"
_ISENSEE = "Isensee et al., nnU-Net, Nature Methods 18, 2021 (doi:10.1038/s41592-020-01008-z)"

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
_DSB2018 = (
    _row("best of the competition", f"{_CAICEDO}; stage 2", dsb=0.631),
    _row("starter kernels with a U-Net", "public kernels of the competition; stage 1", dsb=0.277),
)
_CTC = (
    _row("U-Net, PhC-U373", _UNET, seg=0.9203),
    _row("U-Net, DIC-HeLa", _UNET, seg=0.7756),
)
_ISBI2012 = (
    _row("U-Net", f"{_UNET}; V_Rand and V_Info of the challenge's later leaderboard",
         splits_mergers=0.000353, rand_error=0.0382, pixel_error=0.0611, v_rand=0.9728, v_info=0.9866),
    _row("best of the challenge by V_Rand", "the challenge's later leaderboard",
         v_rand=0.9868, v_info=0.9914),
)  # fmt: skip
_LITS = (
    _row("best liver of the challenge", _BILIC, "liver", dice=0.963),
    _row("nnU-Net 2D, liver, cross-validation", _ISENSEE, "liver", dice=0.944),
    _row("best tumor of the challenge", _BILIC, "tumor", dice=0.739),
    _row("nnU-Net 2D, tumor, cross-validation", _ISENSEE, "tumor", dice=0.539),
    _row("nnU-Net, anterior hippocampus (about)", _ISENSEE, "anterior", dice=0.90),
    _row("nnU-Net, posterior hippocampus (about)", _ISENSEE, "posterior", dice=0.89),
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
        layout="DRIVE",
        rule=_RETINA_RULE,
        pooled_first=True,
        shape="centerlines",
        published=_DRIVE,
        comparability=f"DRIVE's own split, 20 training and 20 test images. {_HALF_ALL_PIXEL}",
    ),
    Protocol(
        name="chasedb1",
        layout="CHASE_DB1",
        rule=_RETINA_RULE,
        pooled_first=True,
        shape="centerlines",
        published=_CHASEDB1,
        comparability=f"For the first 20 images as training and the last 8 as test. {_HALF_ALL_PIXEL}",
    ),
    Protocol(name="stare", layout="STARE", rule=_RETINA_RULE, pooled_first=True, shape="centerlines"),
    Protocol(name="hrf", layout="HRF", rule=_RETINA_RULE, pooled_first=True, shape="centerlines"),
    Protocol(
        name="dsb2018",
        layout="Kaggle nuclei (one mask per object)",
        rule="At each IoU threshold of 0.50, 0.55 … 0.95, true and predicted objects match where their IoU "
        "is larger, and TP / (TP + FP + FN) is the score; it is averaged over thresholds, then over images."
        " An image without objects scores 1 where none are predicted, else 0.",
        pooled_first=False,
        headline="dsb",
        published=_DSB2018,
        comparability="Those are figures of the competition's own two test sets, the second of other "
        "microscopes; a hold-out of its training images is neither.",
    ),
    Protocol(
        name="isbi2012",
        layout="ISBI 2012 (stacks)",
        rule="Each slice is parted into 4-connected cells at 11 thresholds from 0 to 1. The Rand error is 1 "
        "- F of pairs of pixels in one cell, over the pixels inside true cells, slices pooled; the pixel "
        "error is 1 - F of interior pixels; V_Rand and V_Info are means over slices after borders were "
        "thinned to lines. The warping error is the share of pixels that still differ once the truth was "
        "warped towards the prediction without changing its topology; splits and mergers are those of them "
        "that part or join cells, both at thresholds from 0 to 0.9. Each is that of its best threshold. "
        "Deleted cells are neither split nor merged, so that an all-black result has next to no splits and "
        "mergers: look at the threshold that won.",
        pooled_first=False,
        headline="rand_error",
        threshold_from="of masks: as ever, never the test images; of the partition: the best one on the "
        "scored images, as in the challenge",
        published=_ISBI2012,
        comparability="A hold-out of the training stack, not the challenge's test labels, which are not "
        "public; the thresholds are the best ones on the scored images, as in the challenge. The Rand error"
        " published in 2012 came of other code, which differs where cells are small.",
    ),
    Protocol(
        name="ctc-seg",
        layout="Cell Tracking Challenge",
        rule="Each true object is compared with the predicted one that holds more than half of it: their "
        "Jaccard index counts, 0 where there is none. SEG is the mean over all true objects of all images.",
        pooled_first=False,
        headline="seg",
        published=_CTC,
        comparability="Those are figures of the challenge's secret test videos of two data sets; of other "
        "cells they only give the scale.",
    ),
    Protocol(
        name="lits",
        version="2",
        layout="LiTS",
        rule="Each case and class by itself, then the mean over cases; “pooled” counts the voxels of all "
        "cases together. A class that a case has neither in truth nor in prediction has a Dice of 1 there, "
        "and no distance; where only one of them has it, a Dice of 0, and no distance either. Distances are "
        "between surface voxels, in mm by each case's own spacing; surfaces up to 1 mm apart are right for "
        "the surface Dice.",
        pooled_first=False,
        shape="surfaces",
        tolerance_mm=1.0,
        is_absence_right=True,
        published=_LITS,
        comparability="For whole volumes: the challenge's 70 test cases, or cross-validation on its 131 "
        "training cases; of the Decathlon's hippocampus, cross-validation on its 260 training cases. In the "
        "means over cases, distances leave out cases where one side is empty.",
    ),
)
PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}
