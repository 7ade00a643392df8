"""A few annotated biomedical images in; a segmentation model one can trust out.

``train``, ``load``, ``predict``, ``evaluate``, ``check`` and ``plan`` are the use cases of
`seglet.pipeline`; they are imported when first used, so that ``import seglet`` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_USE_CASES = ("check", "evaluate", "load", "plan", "predict", "train")
__all__ = ["__version__", "check", "evaluate", "load", "plan", "predict", "train"]


def __getattr__(name: str) -> Any:
    if name in _USE_CASES:
        return getattr(import_module("seglet.pipeline"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
