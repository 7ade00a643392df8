import subprocess
import sys

import pytest

from seglet.core.memory import give_back

MIB = 1 << 20


SCRIPT = """
import numpy as np
import psutil
from seglet.core.memory import give_back

process = psutil.Process()
give_back()
before = process.memory_info().rss
blocks = [np.ones(13_000, np.uint8) for _ in range(8000)]  # too small to be mapped alone
held = blocks[::8]  # every eighth stays, so that what is free lies between
del blocks
kept = process.memory_info().rss
give_back()
after = process.memory_info().rss
assert all(block.all() for block in held)
print(kept - before, kept - after)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other libraries give back by themselves")
def test_what_is_free_is_given_back() -> None:
    """In a process of its own: one that ran long has holes of its own, and threads that free."""
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    kept, given_back = (int(number) for number in told.stdout.split())
    assert kept > 80 * MIB
    assert given_back > 60 * MIB


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no such library is looked for"))
    give_back()
