import threading
import time

import pytest

from seglet.core.profile import REST, profiling, timed


def test_parts_count_their_own_time_alone() -> None:
    with profiling() as spent:
        with timed("network"):
            time.sleep(0.02)
        for _ in range(2):
            with timed("write"):
                time.sleep(0.01)
                with timed("network"):
                    time.sleep(0.03)
        time.sleep(0.01)
    found = {one.part: one.seconds for one in spent}
    assert [one.part for one in spent] == ["network", "write", REST]
    assert found["network"] >= 0.08
    assert 0.02 <= found["write"] < found["network"]
    assert found[REST] >= 0.01
    assert sum(one.share for one in spent) == pytest.approx(1)


def test_a_part_that_fails_is_counted_too() -> None:
    with profiling() as spent:
        with pytest.raises(ValueError, match="broken"), timed("read"):
            raise ValueError("broken")
        with timed("write"):
            pass
    assert {one.part for one in spent} == {"read", "write", REST}


def test_nobody_asks_and_nothing_is_kept() -> None:
    with timed("read"):
        pass
    with profiling() as spent:
        other = threading.Thread(target=_elsewhere)
        other.start()
        other.join()
    assert [one.part for one in spent] == [REST]


def _elsewhere() -> None:
    with timed("read"):
        time.sleep(0.001)
