"""Every kind of finding says why it matters."""

import ast
from pathlib import Path

import seglet.data.findings as findings
from seglet.data.findings import WHY, Finding, finding

ROOM = Path(findings.__file__).parent
CODE_PLACE = {"finding": 1, "_report": 0, "_mixture": 1}  # which argument names the kind


def test_a_finding_counts_its_files_and_says_why() -> None:
    found = finding("warning", "empty-mask", "{n} masks show no object.", [Path("a.png"), "b.png"], "Look.")
    assert found == Finding(
        severity="warning",
        code="empty-mask",
        message="2 masks show no object.",
        files=("a.png", "b.png"),
        remedy="Look.",
        why=WHY["empty-mask"],
    )


def test_every_code_in_the_checks_has_a_reason_and_none_is_left_over() -> None:
    used = set()
    for path in [*ROOM.glob("check_*.py"), ROOM / "duplicates.py", ROOM / "doctor.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used |= {node.value} & set(WHY)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODE_PLACE:
                code = node.args[CODE_PLACE[node.func.id]]
                assert not isinstance(code, ast.Constant) or code.value in WHY
    assert used == set(WHY)
