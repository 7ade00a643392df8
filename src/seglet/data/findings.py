"""What is found out about a dataset: each finding with why it matters and what to do."""

from collections.abc import Sequence
from typing import Literal

from seglet.core.config import Config

REMEDY_FILE = "Copy or export these files again, or take them out of the dataset."

Severity = Literal["error", "warning", "note"]
ORDER: tuple[Severity, ...] = ("error", "warning", "note")


class Finding(Config):
    """One thing found out about a dataset.

    Attributes
    ----------
    severity : str
        ``error``: cannot be trained on. ``warning``: probably not meant so. ``note``: good to know.
    code : str
        Short name of the kind of finding.
    message : str
        What was found, in one sentence.
    files : tuple of str
        The files it is about.
    remedy : str
        What to do; may be empty for a note.
    why : str
        Why it matters.
    """

    severity: Severity
    code: str
    message: str
    files: tuple[str, ...] = ()
    remedy: str = ""
    why: str = ""


def finding(
    severity: Severity, code: str, message: str, files: Sequence[object] = (), remedy: str = ""
) -> Finding:
    """Write down a finding; ``{n}`` in the message is the number of its files, pages counted one by one."""
    text = message.replace("{n}", str(len(files)))
    names = tuple(dict.fromkeys(str(file) for file in files))
    return Finding(severity=severity, code=code, message=text, files=names, remedy=remedy, why=WHY[code])


WHY = {
    "unreadable": "A file that cannot be read can neither be trained on nor scored.",
    "geometry": "Mask and image are compared pixel by pixel, which needs the same size.",
    "axes": "One network takes either volumes or flat images.",
    "transposed": "With rows and columns exchanged every object lies in the wrong place.",
    "orientation": "Where axes point different ways, a mask lies mirrored or turned on its image.",
    "grid": "A mask with another spacing or origin may have been drawn on another image, or was shifted.",
    "spacing": "Without the size of a pixel, volumes cannot be brought to one scale, nor measured.",
    "spacing-range": "Objects differ in size by as much, and images are resampled by as much.",
    "no-mask": "Only images with a mask are learned from and scored.",
    "no-image": "A mask whose image is missing, or named differently, is lost.",
    "no-labels": "Without masks there is nothing to learn from; such images can only be predicted.",
    "few-labels": "Scores on images that were trained on say nothing about new ones.",
    "missing-channel": "The network expects all channels; a missing one is filled with zeros.",
    "encoding": "Which value means what decides what is learned.",
    "mixed-encodings": "The same class written in two ways would be learned as two classes.",
    "values": "Pixels of an unknown class cannot be learned from.",
    "off-by-one": "Classes shifted by one make the background an object, or one class another.",
    "rare-class": "A class in a single image is either trained on or scored, never both.",
    "imbalance": "So few foreground pixels are easily missed altogether, and one wrong pixel weighs much.",
    "soft-mask": "Gray levels between classes come from smoothing, resizing or JPEG, and blur the borders.",
    "empty-mask": "A mask may be empty by mistake, and then teaches that there is nothing.",
    "full-mask": "A mask that is filled everywhere is rarely meant so.",
    "empty-object": "A file without its object adds nothing, and may have lost its content.",
    "inverted": "Such a mask teaches the opposite of all others.",
    "swapped": "Masks would be taken for images.",
    "mask-is-image": "A picture in place of a mask teaches gray levels, not objects.",
    "duplicate": "Copies weigh more in training, and in two parts of a split they make scores too good.",
    "near-duplicate": "Images that are nearly the same, in two parts of a split, make scores too good.",
    "contradiction": "The same image with two truths can be right at most once.",
    "leak": "Scores on images that were trained on, or on copies of them, say nothing about new ones.",
    "constant": "There is nothing to see in such an image; it may have been lost on the way.",
    "saturated": "Where pixels are clipped, structure is lost.",
    "not-finite": "One undefined pixel makes the whole loss undefined.",
    "empty-fov": "Nothing outside the field of view is trained on or scored; here that is everything.",
    "channels": "One network takes one number of channels; gray and color images go together as color.",
    "depth": "The same intensity is a different number in each kind of pixel.",
    "bits": "Files of more bits than were measured are larger, not better.",
    "scaled": "Scaled 8-bit images have 256 levels where the others have thousands.",
    "sampled": "What stands elsewhere in these files was not seen.",
    "groups": "Whole groups are drawn for each part of the split; a few make parts of very unlike sizes.",
    "layout": "Check that each image goes with its mask.",
}
