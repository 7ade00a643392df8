"""Which cases belong together, read off their ids: slices of a patient, pictures of a slide or an animal."""

import re
from collections import Counter
from collections.abc import Sequence

from seglet.data.patterns import literal, match

WORDS = (
    *("patient", "pat", "subject", "subj", "sub", "case", "donor", "volunteer", "person", "mouse", "rat"),
    *("animal", "pig", "rabbit", "fish", "slide", "specimen", "p", "s"),
)
_MEMBER = re.compile(rf"((?:.*[-_. ])?)({'|'.join(WORDS)})([-_ ]?)([0-9]+)([-_. ]).+", re.IGNORECASE)


def group_of(pattern: str, identity: str) -> str | None:
    """What a pattern of ids calls the group of a case; None where it does not fit."""
    values = match(pattern, identity) or {}
    return values.get("group") or values.get("number")


def guess_groups(ids: Sequence[str]) -> str | None:
    """Find a pattern of ids, ``mouse{number}_*``, that tells patients, animals or slides apart.

    Only where the evidence is clear: every id has the form, one word and a number, then more; there are at
    least two groups, and most of them hold several cases.

    Returns
    -------
    str or None
        The pattern; None where the ids do not say it.
    """
    found = [_MEMBER.fullmatch(identity) for identity in ids]
    forms = {(m[1].lower(), m[2].lower(), m[3], m[5]) if m else None for m in found}
    if len(forms) != 1 or None in forms or found[0] is None:
        return None
    start, word, sep, after = found[0].group(1, 2, 3, 5)
    pattern = f"{literal(start)}{word}{sep}{{number}}{after}*"
    sizes = Counter(group_of(pattern, identity) for identity in ids)
    several = sum(size > 1 for size in sizes.values())
    return pattern if len(sizes) >= 2 and several > len(sizes) / 2 else None
