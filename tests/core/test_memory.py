import sys

import numpy as np
import psutil
import pytest

from seglet.core.memory import give_back

MIB = 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="other libraries give back by themselves")
def test_what_is_free_is_given_back() -> None:
    process = psutil.Process()
    give_back()
    before = process.memory_info().rss
    blocks = [np.ones(MIB // 80, np.uint8) for _ in range(8000)]  # about 100 MB, too small to be mapped alone
    held = blocks[::8]  # every eighth stays, so that what is free lies between
    del blocks
    kept = process.memory_info().rss
    assert kept > before + 80 * MIB
    give_back()
    assert process.memory_info().rss < kept - 60 * MIB
    assert all(block.all() for block in held)


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no such library is looked for"))
    give_back()
