"""What commands print."""

from pathlib import Path

import pytest

from seglet.data.findings import Finding
from seglet.data.repair import Repair, RepairLog
from seglet.printing import print_finding, print_repairs


def test_a_finding_tells_its_files_why_it_matters_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    files = tuple(f"images/{k}.png" for k in range(12))
    print_finding(
        Finding(
            severity="warning", code="duplicate", message="Copies.", files=files, remedy="Drop.", why="Leak."
        )
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("warning") and lines[0].endswith("Copies.")
    assert sum("images/" in line for line in lines) == 10
    assert any("2 more" in line for line in lines)
    assert any("Leak." in line for line in lines)
    assert any("Drop." in line for line in lines)


def test_repairs_say_what_was_done_and_what_was_left(capsys: pytest.CaptureFixture[str]) -> None:
    repairs = (
        Repair(file="masks/a.png", code="inverted", action="exchanged"),
        Repair(file="masks/b.png", code="empty-mask", action="left as it is", is_done=False),
    )
    print_repairs(RepairLog(out=Path("copy"), repairs=repairs, n_copied=3))
    printed = capsys.readouterr().out
    assert "repaired masks/a.png: exchanged" in printed
    assert "left     masks/b.png" in printed
    assert "copy" in printed and "untouched" in printed
