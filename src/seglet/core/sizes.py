"""Amounts of memory as people write them."""

import re
from typing import Any

from seglet.core.errors import ConfigError

UNITS = {"": 1, **{unit: 1024 ** (n + 1) for n, unit in enumerate("kmgt")}}
FEWEST = 1 << 20  # bytes; less is a forgotten unit


def n_bytes(size: Any) -> int:
    """Read an amount of memory: a number of bytes, or ``500M``, ``2G``, ``1.5GiB``, ``2GB``.

    As in the tools of GNU, ``G`` and ``GiB`` are 1024 ** 3 bytes, and ``GB`` is 1000 ** 3.

    Raises
    ------
    ConfigError
        If it is no such amount, or less than a mebibyte.
    """
    said = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b)?", str(size).strip(), re.IGNORECASE)
    if said is not None:
        number, unit, kind = said.group(1), said.group(2).lower(), (said.group(3) or "").lower()
        scale = 1000 ** list(UNITS).index(unit) if kind == "b" else UNITS[unit]
        if (amount := int(float(number) * scale)) >= FEWEST:
            return amount
    raise ConfigError(
        "memory", found=f"{str(size)!r}", expected="an amount of memory", remedy="Write 2G, 500M or 1.5GiB."
    )


def gibibytes(amount: float) -> str:
    """Write a number of bytes for a person."""
    n = amount / 2**30
    return f"{amount / 2**20:.0f} MiB" if n < 0.1 else f"{n:.1f} GiB" if n < 10 else f"{n:.0f} GiB"
