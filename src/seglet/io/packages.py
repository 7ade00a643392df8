"""Packages that only some formats need, imported when they are."""

from importlib import import_module
from typing import Any

from seglet.core.errors import MissingExtra


def need(name: str, extra: str, what: str) -> Any:
    """Import a package.

    Parameters
    ----------
    name : str
        Of the package.
    extra : str
        The extra of seglet that brings it.
    what : str
        What cannot be read or written without it, in the plural.

    Raises
    ------
    MissingExtra
        If it is not installed; says how to install it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(
            what,
            found=f"no package {name}",
            expected=f"{name}, which reads and writes them",
            remedy=f"Install it: pip install 'seglet[{extra}]'.",
        ) from error
