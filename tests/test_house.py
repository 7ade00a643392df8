"""The house rules that a machine can check."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import seglet

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "seglet"
MODULES = sorted(SOURCE.rglob("*.py"))
WITHOUT_TEST = {"__init__.py", "__main__.py"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "stuff"}
HEAVY = ("torch", "lightning", "matplotlib", "skimage")

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_house_is_not_empty() -> None:
    assert len(MODULES) > 40


def test_every_module_has_its_mirrored_test() -> None:
    modules = [p.relative_to(SOURCE) for p in MODULES if p.name not in WITHOUT_TEST]
    missing = [str(m) for m in modules if not (ROOT / "tests" / m.with_name(f"test_{m.name}")).is_file()]
    assert missing == []


def test_every_unit_test_has_its_module() -> None:
    unit = [p.relative_to(ROOT / "tests") for p in (ROOT / "tests").rglob("test_*.py")]
    rooms = {p.name for p in SOURCE.iterdir() if p.is_dir()}
    orphans = [
        str(t)
        for t in unit
        if (len(t.parts) == 1 or t.parts[0] in rooms)
        and t.name != "test_house.py"
        and not (SOURCE / t.with_name(t.name.removeprefix("test_"))).is_file()
    ]
    assert orphans == []


def test_no_room_nor_module_has_a_vague_name() -> None:
    names = {part.removesuffix(".py") for p in MODULES for part in p.relative_to(SOURCE).parts}
    assert not names & VAGUE


@each_module
def test_module_and_all_that_is_public_have_docstrings(path: Path) -> None:
    tree = _tree(path)
    assert ast.get_docstring(tree), "the module"
    for node in _public(tree):
        assert ast.get_docstring(node), f"{node.name}, line {node.lineno}"


def _public(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """Functions and classes that others may use; methods that fill in one of a base class are not asked."""
    found: list[ast.FunctionDef | ast.ClassDef] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef) and not node.bases:
                found += [
                    m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")
                ]
    return found


@each_module
def test_module_has_no_pickle_eval_nor_shell(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        match node:
            case ast.Import(names=names):
                assert not {n.name.split(".")[0] for n in names} & {"pickle", "dill", "joblib", "shelve"}
            case ast.ImportFrom(module=module):
                assert (module or "").split(".")[0] not in {"pickle", "dill", "joblib", "shelve"}
            case ast.Call(func=ast.Name(id=name)):
                assert name not in {"eval", "exec"}
            case ast.keyword(arg="shell" | "allow_pickle"):
                pytest.fail(f"line {node.value.lineno}: {node.arg}")


@each_module
def test_module_leaves_nothing_open(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)


@each_module
def test_module_is_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 340


def test_public_names_are_the_use_cases() -> None:
    assert sorted(seglet.__all__) == ["__version__", "check", "evaluate", "load", "plan", "predict", "train"]
    for name in set(seglet.__all__) - {"__version__"}:
        use_case = getattr(seglet, name)
        assert callable(use_case)
        assert use_case.__module__ == "seglet.pipeline"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="tarin"):
        _ = seglet.tarin


def test_import_is_light() -> None:
    done = _python("import sys, seglet; print(*sorted({m.split('.')[0] for m in sys.modules}))")
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & {*HEAVY, "numpy"}


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_is_light_and_works(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom seglet.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('loaded:', *sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = _python(code, *arguments)
    assert done.returncode == 0, done.stderr
    said, loaded = done.stdout.rsplit("loaded:", 1)
    assert seglet.__version__ in said if arguments == ["--version"] else "Usage" in said
    assert not set(loaded.split()) & set(HEAVY)


def test_package_can_be_run_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seglet", "--help"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout


def test_flow_has_one_direction() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which(
        "lint-imports"
    )
    if program is None or importlib.util.find_spec("importlinter") is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_license_and_version_agree_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == seglet.__version__
    assert project["license"] == "Apache-2.0"
    license_text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in license_text
    assert "Version 2.0, January 2004" in license_text
    assert "END OF TERMS AND CONDITIONS" in license_text


def test_files_beside_the_source_stand() -> None:
    wanted = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt", ".ci/run"]
    assert [name for name in wanted if not (ROOT / name).is_file()] == []


def test_types_are_shipped() -> None:
    assert (SOURCE / "py.typed").is_file()


def test_every_room_says_what_it_is_for() -> None:
    rooms = {p.parent for p in MODULES}
    assert all((room / "__init__.py").is_file() for room in rooms)


def test_command_is_installed() -> None:
    (command,) = entry_points(group="console_scripts", name="seglet")
    assert command.value == "seglet.cli:main"
