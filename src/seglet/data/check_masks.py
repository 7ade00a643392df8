"""Findings about what is written in masks: nothing, too much, the wrong values, the wrong way round."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from seglet.core.image import Labels
from seglet.data.chart import Chart
from seglet.data.encodings import describe, packed, shown
from seglet.data.findings import Finding, finding
from seglet.data.looks import MaskLook
from seglet.data.masks import unknown_values
from seglet.data.survey import Survey, common_kind, read_as
from seglet.io.sources import File

LITTLE = 0.001  # share of foreground below which classes are called imbalanced
FEWEST = 4  # masks, to say that one is unlike the others
FAR = 0.6  # how unlike the others an inverted mask is at least, in share of the whole and of the border
SURE_CONTRAST = 0.1  # standard deviations
MANY_LEVELS = 48  # more make a photograph
MOST_IN_JPEG = 8  # values; more are its noise
FEW_LEVELS = 4  # fewer make a mask
FIX = "seglet check --fix writes a copy in which they are mended."


def check_masks(charts: Sequence[Chart], labels: Labels | None) -> Iterator[Finding]:
    """Find masks that are empty, soft, inverted, shifted by one, or hold values of no class."""
    yield from _check_roles(charts)
    if labels is None:
        return
    looks = [look for chart in charts for look in chart.masks]
    yield from _check_content(charts, looks, labels)
    strange = [look.file for look in looks if unknown_values(look.survey, labels)]
    if strange:
        values = {value for look in looks for value in unknown_values(look.survey, labels)}
        yield _of_no_class(strange, sorted(values), labels)
    lossy = [look.file for look in looks if _is_lossy(look, labels) and look.file not in strange]
    if lossy:
        remedy = "Export them as PNG or TIFF; if there are but two classes, say masks.encoding: binary."
        message = "{n} masks are JPEG files, whose compression made up values between the classes."
        yield finding("error", "values", message, lossy, remedy)
    soft = [look.file for look in looks if _is_soft(look, labels)]
    if soft:
        remedy = f"They are cut at {labels.threshold:g}; save masks as PNG, without smoothing."
        message = "{n} masks have gray levels between the classes."
        yield finding("warning", "soft-mask", message, soft, remedy)
    is_binary = labels.n_classes == 2 and labels.encoding in ("values", "colors")
    if is_binary and (inverted := [look.file for look in find_inverted(looks)]):
        message = "{n} masks seem inverted: their foreground is where the others have background."
        yield finding("warning", "inverted", message, inverted, f"Look at them; if so, {FIX}")
    yield from _check_shares(looks, labels)
    yield finding("note", "encoding", describe(labels))


def check_writing(looks: Sequence[MaskLook], labels: Labels) -> Iterator[Finding]:
    """Find masks that write the same classes in another way than the others.

    Asked only where the user does not say how masks are written.
    """
    if mixed := find_mixed(looks):
        listed = ", ".join(f"{len(files)} with {style}" for style, files in sorted(mixed.items()))
        fewest = min(mixed.values(), key=len)
        message = f"The masks write their foreground in different ways: {listed}."
        remedy = f"{FIX[0].upper()}{FIX[1:]} If they are different classes, list masks.classes."
        yield finding("error", "mixed-encodings", message, [look.file for look in fewest], remedy)
    if faint := find_faint(looks, labels):
        message = (
            f"The foreground of {{n}} masks is not above {labels.threshold:g}, where the others have it."
        )
        yield finding(
            "error", "mixed-encodings", message, [look.file for look in faint], f"{FIX[0].upper()}{FIX[1:]}"
        )
    if shifted := find_shifted(looks):
        message = (
            "{n} masks never hold 0 but one value more than the others: their classes are shifted by one."
        )
        remedy = f"{FIX[0].upper()}{FIX[1:]} If it is a class of its own, list masks.classes."
        yield finding("error", "off-by-one", message, [look.file for look in shifted], remedy)
    elif looks and _starts_at_one(looks):
        message = "No mask ever holds 0: the values begin at 1, which is taken as the background."
        remedy = f"If 1 is a class, list masks.classes; else {FIX}"
        yield finding("warning", "off-by-one", message, [look.file for look in looks], remedy)


def find_mixed(looks: Sequence[MaskLook]) -> dict[str, list[MaskLook]]:
    """Sort masks by how they write their foreground; empty where they all agree, or hold several classes.

    Masks of a single class are the same one where some write it as 1, others as 255, others in color.
    """
    styles: dict[str, list[MaskLook]] = {}
    for look in looks:
        values = look.survey.values.tolist()
        if values in ([0], []):
            continue
        if len(values) > 2 or (len(values) == 2 and values[0] != 0):
            return {}
        styles.setdefault(_style(look.survey), []).append(look)
    kinds = [style.partition(" ")[0] for style in styles]
    return styles if len(styles) > 1 and len(set(kinds)) == len(kinds) else {}


def find_faint(looks: Sequence[MaskLook], labels: Labels) -> list[MaskLook]:
    """Find masks of two values among ones with gray levels between, whose foreground would be cut away."""
    if labels.threshold is None:
        return []
    two = [look for look in looks if len(look.survey.values) == 2]
    return [look for look in two if look.survey.values[-1] <= labels.threshold]


def find_shifted(looks: Sequence[MaskLook]) -> list[MaskLook]:
    """Find the few masks whose values are those of the others plus one."""
    gray = [look for look in looks if look.survey.kind == "gray"]
    shifted = [look for look in gray if look.survey.values[0] == 1 and len(look.survey.values) > 1]
    others = [look for look in gray if look.survey.values[0] == 0]
    if not shifted or len(shifted) > len(others) / 2 or len(shifted) + len(others) < len(looks):
        return []
    top = max(int(look.survey.values[-1]) for look in others)
    fits = all(look.survey.values[-1] <= top + 1 for look in shifted)
    seen = any(look.survey.values[-1] == top + 1 for look in shifted)
    return shifted if fits and seen and top < MANY_LEVELS else []


def find_inverted(looks: Sequence[MaskLook]) -> list[MaskLook]:
    """Find the few masks that are unlike the others, but whose complement is like them.

    Compared are the share of the upper value in all of the mask and along its border; where the images say
    clearly that objects are darker or brighter than the background, they must agree.
    """
    told = [look for look in looks if not np.isnan(look.upper) and not np.isnan(look.upper_border)]
    if len(told) < FEWEST:
        return []
    shares = np.array([(look.upper, look.upper_border) for look in told])
    middle = np.median(shares, axis=0)
    raw = np.linalg.norm(shares - middle, axis=1)
    turned = np.linalg.norm(1 - shares - middle, axis=1)
    contrasts = np.array([look.contrast for look in told])
    is_far = (raw > FAR) & (turned < raw / 3)
    sign = _common_sign(contrasts[~is_far])
    contradicted = (sign != 0) & (np.sign(contrasts) == sign) & (np.abs(contrasts) > SURE_CONTRAST)
    found = [look for look, bad in zip(told, is_far & ~contradicted, strict=True) if bad]
    return found if len(found) <= len(told) / 3 else []


def _common_sign(contrasts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """Say whether objects are brighter (1) or darker (-1) in four of five images; else 0."""
    sure = contrasts[np.abs(contrasts) > SURE_CONTRAST]
    brighter = float((sure > 0).mean()) if len(sure) else 0.5
    return 1 if brighter >= 0.8 else -1 if brighter <= 0.2 else 0


def _of_no_class(files: Sequence[File], values: Sequence[int], labels: Labels) -> Finding:
    few = [f"#{v:06x}" if labels.encoding == "colors" else str(v) for v in values[:FEW_LEVELS]]
    listed = ", ".join([*few, *(["others"] if len(values) > FEW_LEVELS else [])])
    known = ", ".join(f"{shown(one.value)} is {one.name}" for one in labels.classes)
    remedy = (
        f"{known}; add the others to masks.classes, or say masks.classes=null if masks are of another kind; "
        "or set masks.ignore, or masks.encoding=binary."
    )
    message = f"{{n}} masks hold values that stand for no class: {listed}."
    return finding("error", "values", message, files, remedy)


def _check_roles(charts: Sequence[Chart]) -> Iterator[Finding]:
    """Find pictures in the place of masks."""
    pairs = [(chart.images[0], chart.masks[0]) for chart in charts if chart.images and chart.masks]
    copies = [mask.file for image, mask in pairs if mask.digest == image.digest and not image.is_constant]
    if copies and not all(image.n_levels <= FEW_LEVELS for image, _ in pairs):
        message = "{n} masks are the images themselves."
        remedy = "Put the masks in their place, or take these files out."
        yield finding("error", "mask-is-image", message, copies, remedy)
        return
    swapped = [
        mask.file
        for image, mask in pairs
        if image.n_levels <= FEW_LEVELS and len(mask.survey.values) > MANY_LEVELS
    ]
    if pairs and len(swapped) > len(pairs) / 2:
        message = (
            "Images and masks seem exchanged: {n} masks are photographs, and their images have few values."
        )
        remedy = "Exchange the two folders, or layout.image and layout.labels."
        yield finding("error", "swapped", message, swapped, remedy)


def _check_content(charts: Sequence[Chart], looks: Sequence[MaskLook], labels: Labels) -> Iterator[Finding]:
    if labels.encoding in ("objects", "files"):
        empty = [c.case.image for c in charts if c.masks and not any(_is_filled(m) for m in c.masks)]
        blank = [look.file for look in looks if not _is_filled(look)]
        if blank and labels.encoding == "objects":
            yield finding("warning", "empty-object", "{n} object masks are empty.", blank, "Remove them.")
    else:
        empty = [look.file for look in looks if _is_empty(look, labels)]
        single = [look.file for look in looks if len(look.survey.values) == 1]
        full = [file for file in single if file not in empty]
        if full and len(full) <= len(looks) / 2:  # more are the rule, as where patches are classified
            message = "{n} masks are filled with one class everywhere."
            yield finding("warning", "full-mask", message, full, "Check that this is meant so.")
    if empty:
        remedy = "Check that this is meant so."
        yield finding("warning", "empty-mask", "{n} masks show no object.", empty, remedy)


def _check_shares(looks: Sequence[MaskLook], labels: Labels) -> Iterator[Finding]:
    """Find classes of which there is hardly anything."""
    counts: Counter[int] = Counter()
    files: dict[int, list[MaskLook]] = {}
    kind = "color" if labels.encoding == "colors" else common_kind([look.survey for look in looks])
    ignored = None if labels.ignore is None else packed(labels.ignore)
    for look in looks:
        for value, count in zip(read_as(look.survey, kind), look.survey.counts.tolist(), strict=True):
            if value != ignored:
                counts[value] += count
                files.setdefault(value, []).append(look)
    inside = counts.keys() - {packed(labels.classes[0].value)}
    if labels.others == "background":
        inside &= _foreground_values(labels)
    foreground = sum(counts[value] for value in inside)
    if 0 < foreground < LITTLE * counts.total():
        share = foreground / counts.total()
        message = f"Only {share:.3%} of all pixels are foreground."
        yield finding("note", "imbalance", message, (), "Training draws more patches where there is some.")
    if labels.threshold is not None or labels.encoding not in ("values", "colors") or len(looks) < 2:
        return
    for one in labels.classes[1:]:
        having = files.get(packed(one.value), [])
        if len(having) < 2 and labels.n_classes > 2:
            where = "no mask" if not having else "a single mask"
            message = f"Class {one.name} (value {shown(one.value)}) is in {where}."
            remedy = "Annotate it in more images, or check that the value is no mistake."
            yield finding("warning", "rare-class", message, [look.file for look in having], remedy)


def _foreground_values(labels: Labels) -> set[int]:
    return {packed(one.value) for one in labels.classes[1:]}


def _is_empty(look: MaskLook, labels: Labels) -> bool:
    """Whether a mask holds nothing but background."""
    values = read_as(look.survey, "color" if labels.encoding == "colors" else "red")
    if labels.others == "background":
        return not _foreground_values(labels) & set(values)
    return len(values) == 1 and values[0] in (0, packed(labels.classes[0].value))


def _is_soft(look: MaskLook, labels: Labels) -> bool:
    """Whether a mask that is cut half way has values between its two classes."""
    values = read_as(look.survey, "red")
    if labels.threshold is None or len(values) <= 2:
        return False
    low, high = (packed(one.value) for one in labels.classes[:2])
    return any(low < value < high for value in values)


def _is_filled(look: MaskLook) -> bool:
    return bool(look.survey.values.any())


def _is_lossy(look: MaskLook, labels: Labels) -> bool:
    """Whether a mask is a JPEG of several classes or objects, which does not keep their values."""
    is_jpeg = look.file.suffix in (".jpg", ".jpeg") and len(look.survey.values) > MOST_IN_JPEG
    return is_jpeg and labels.threshold is None and labels.encoding in ("values", "colors", "instances")


def _starts_at_one(looks: Sequence[MaskLook]) -> bool:
    """Say whether the values of all masks together are 1, 2 … n."""
    values = sorted({int(value) for look in looks for value in look.survey.values})
    is_gray = all(look.survey.kind == "gray" for look in looks)
    return (
        is_gray
        and len(values) > 1
        and values == list(range(1, len(values) + 1))
        and len(values) < MANY_LEVELS
    )


def _style(survey: Survey) -> str:
    value = int(survey.values[-1])
    if survey.kind == "color":
        return f"color #{value:06x}"
    if survey.kind == "red":
        return f"red {value >> 16}"
    return f"index {value}" if value < 128 else f"gray {value}"
