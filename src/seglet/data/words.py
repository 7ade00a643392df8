"""The words by which the folders and files of datasets say what they hold."""

import re

from seglet.data.patterns import SPLITS, literal

IMAGE_WORDS = (
    *("images", "image", "imgs", "img", "raw", "input", "inputs", "photos", "originals", "original"),
    *("volumes", "scans", "frames"),
)
LABEL_WORDS = (
    *("labels1", "labels", "label", "manual1", "1st_manual", "manual", "ground_truth", "groundtruth", "gt"),
    *(
        "annotations",
        "annotation",
        "segmentations",
        "segmentation",
        "segs",
        "seg",
        "targets",
        "target",
        "truth",
    ),
    *("masks", "mask"),
)
SECOND_WORDS = ("labels2", "2nd_manual", "manual2", "second_observer")
FOV_WORDS = ("fov", "fovs", "roi", "masks", "mask")
ROLE_WORDS = frozenset({*IMAGE_WORDS, *LABEL_WORDS, *SECOND_WORDS, *FOV_WORDS})
LABEL_ENDS = (
    *("seg-manual", "seg_manual"),
    *("mask", "masks", "label", "labels", "seg", "segmentation", "gt", "groundtruth", "annotation"),
    *("manual", "truth", "cp_masks"),
)
IMAGE_ENDS = ("image", "img", "raw", "ct", "mr")
CONTRASTS = (
    *("flair", "t1w", "t1wks", "t1ce", "t1c", "t1n", "t1gd", "t1post", "t1pre", "t1", "t2w", "t2f", "t2"),
    *("pd", "pdw", "swi", "t2star", "dwi", "adc", "dti", "fa", "md", "pwi", "asl", "mra", "cbf", "cbv"),
    *("mtt", "tmax", "ttp", "ctp", "4dpwi", "ct", "cta", "cbct", "pet", "mr", "pre", "post", "hbv"),
    *("dapi", "gfp", "rfp", "yfp", "cfp", "cy3", "cy5", "fitc", "tritc", "hoechst", "brightfield", "phase"),
    *(f"{start}{n}" for start in ("c", "ch", "w", "channel") for n in range(10)),
)
_LABEL_NAME = re.compile(
    r"(?:^|[^a-z])(?:gold|goldstandard|consensus|lesions?|masks?|msk|d?seg|segm|segmentations?|labels?|manual"
    r"|truth|gt|groundtruth|annotations?)(?![a-z])",
    re.IGNORECASE,
)


def sounds_like_labels(stem: str) -> bool:
    """Whether a file name says that it holds a mask of what is sought; masks of the brain do not."""
    return bool(_LABEL_NAME.search(stem)) and not is_brain_mask(stem)


def is_brain_mask(stem: str) -> bool:
    """Whether a file name says that it shows where the brain is: a field of view."""
    return bool(re.search(r"brain[-_ ]?mask", stem, re.IGNORECASE))


def split_as_variable(folder: str) -> str:
    """Write ``train``, ``train_images`` or ``imagesTr`` with ``{split}``; else the folder as it is."""
    splits = "|".join(SPLITS)
    if re.fullmatch(splits, folder, re.IGNORECASE):
        return "{split}"
    roles = "|".join(sorted({*IMAGE_WORDS, *LABEL_WORDS, *FOV_WORDS}, key=len, reverse=True))
    before = re.fullmatch(f"(?:{splits})([-_ ]?)({roles})", folder, re.IGNORECASE)
    after = re.fullmatch(f"({roles})([-_ ]?)(?:{splits})", folder, re.IGNORECASE)
    if before:
        return f"{{split}}{before[1]}{before[2]}"
    return f"{after[1]}{after[2]}{{split}}" if after else literal(folder)


def generalized(folders: set[tuple[str, ...]], word: str = "") -> str:
    """Write several folders as one pattern: where they differ in one place, that is the group."""
    lengths = {len(parts) for parts in folders}
    columns = [set(column) for column in zip(*folders, strict=False)]
    differing = [k for k, column in enumerate(columns) if len(column) > 1]
    if len(lengths) > 1 or len(differing) > 1:
        return f"**/{word}/**/" if word else "**/"
    parts = ["{group}" if len(column) > 1 else next(iter(column)) for column in columns]
    return "".join(f"{part}/" for part in parts)
