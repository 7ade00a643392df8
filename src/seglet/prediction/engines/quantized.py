"""A network in 8 bits: calibrated on real windows, never trained again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seglet.core.errors import MissingExtra
from seglet.model import Model
from seglet.prediction.engines.engine import Windows
from seglet.prediction.engines.exported import silent
from seglet.prediction.engines.making import make_graph

if TYPE_CHECKING:
    import openvino


def quantized(model: Model, windows: Sequence[Windows]) -> "openvino.Model":
    """Quantize weights and activations to 8 bits by OpenVINO's NNCF [1]_.

    Weights have one scale per channel; the ranges of activations are those that calibration windows reach.

    Parameters
    ----------
    model : Model
        What was trained; it is left as it is.
    windows : sequence of (1, c, [z,] y, x) float32 array
        Preprocessed windows of training images; some dozens are enough.

    Raises
    ------
    MissingExtra
        If NNCF is not installed.

    References
    ----------
    .. [1] Kozlov et al., "Neural Network Compression Framework for fast model inference", 2020.
    """
    try:
        import nncf
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "int8", found="no NNCF", expected="the extra fast", remedy="pip install 'seglet[fast]'"
        ) from error
    graph = make_graph(model, windows[0].shape).clone()
    with silent("nncf"):
        found: openvino.Model = nncf.quantize(
            graph,
            nncf.Dataset(list(windows)),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(windows),
        )
    return found
