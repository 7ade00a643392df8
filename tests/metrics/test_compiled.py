import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from seglet.metrics.compiled import compiled

SOURCE = """
from seglet.metrics.compiled import compiled

@compiled
def doubled(values):
    return 2 * values

if __name__ == "__main__":
    print(doubled(21), sum(doubled.stats.cache_hits.values()))
"""


def test_a_compiled_function_gives_what_it_gave() -> None:
    def total(values: np.ndarray) -> float:
        result = 0.0
        for value in values:
            result += value
        return result

    assert compiled(total)(np.arange(5.0)) == total(np.arange(5.0)) == 10


def test_code_is_kept_for_the_next_process(tmp_path: Path) -> None:
    module = tmp_path / "doubling.py"
    module.write_text(SOURCE)
    printed = [subprocess.check_output([sys.executable, module], text=True).split() for _ in range(2)]
    assert printed == [["42", "0"], ["42", "1"]]


def test_where_no_code_can_be_kept_it_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    names: dict[str, object] = {}
    exec(compile("def doubled(value):\n    return 2 * value\n", "<no file>", "exec"), names)
    doubled = names["doubled"]
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(doubled)
    assert compiled(doubled)(21) == 42
