"""The layers hold: a module imports only from those above it, and only one imports each large library."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path("gansweep")
# Each may import from those before it.
FLOORS = (
    ("errors",),
    ("fields",),
    ("files", "space", "networks", "theory"),
    ("variants", "data", "results"),
    ("evaluation",),
    ("training", "report"),
    ("study",),
    ("contracts", "demos"),
    ("run",),
    ("cli",),
)
DEPRECATED = {"halving", "phases", "schema"}  # paths of study files of before 0.1.0, until 0.3
UNTYPED = 16  # signatures that say dict[str, Any]: what goes to or comes from JSON, Ray and Matplotlib
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor}
OWNERS = {
    "ray": {"run/ray"},
    "torch_fidelity": {"evaluation/fidelity.py"},
    "optuna": {"run/search", "report/statistics/importance.py"},
    "matplotlib": {"report", "demos"},
    "seaborn": {"report"},
}
# Imported only by the functions that need them.
LATE = {"report/statistics/importance.py", "cli/verdicts.py", "cli/scaffold/new_variant.py"}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__main__.py")


def imports(path: Path) -> set[str]:
    """The full names of all modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def functions(source: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [p for p in MODULES if layer(p) in HEIGHT], ids=str)
def test_imports_point_upwards_only(path):
    own = layer(path)
    for name in imports(path):
        if name.startswith("gansweep.") and (other := name.split(".")[1]) in HEIGHT and other != own:
            assert HEIGHT[other] < HEIGHT[own], f"{path} imports gansweep.{other}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_large_libraries_stay_where_they_belong(path):
    relative = str(path.relative_to(ROOT))
    for name in {name.split(".")[0] for name in imports(path)} & OWNERS.keys():
        owned = any(relative == owner or relative.startswith(f"{owner}/") for owner in OWNERS[name])
        assert owned, f"{path} imports {name}"


def test_every_module_has_its_place():
    assert {layer(path) for path in MODULES} - {"__init__"} - DEPRECATED == set(HEIGHT)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_and_functions_stay_small(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 250, f"{path} has more than one subject"
    for node in functions(source):
        assert node.end_lineno - node.lineno < 40, f"{path}: {node.name}"


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=str)
def test_no_folder_is_crowded(folder):
    doors = {"__init__", "__main__"} | (DEPRECATED if folder == ROOT else set())
    assert len([path for path in folder.glob("*.py") if path.stem not in doors]) <= 15


def test_thirteen_rooms_stand_on_four_ground_modules():
    rooms = {layer(path) for path in MODULES if path.parent != ROOT}
    assert len(rooms) <= 13
    assert {layer(path) for path in MODULES} - rooms - DEPRECATED == {
        "__init__",
        "errors",
        "fields",
        "files",
        "space",
    }


def test_few_signatures_speak_of_untyped_mappings():
    """What travels between modules has a type; the ceiling may only be lowered."""
    untyped = [
        f"{path}: {node.name}"
        for path in MODULES
        for node in functions(path.read_text())
        for note in [
            node.returns,
            *(a.annotation for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)),
        ]
        if note is not None and re.search(r"(dict|Mapping)\[str, Any\]", ast.unparse(note))
    ]
    assert len(untyped) <= UNTYPED, untyped


def imported(modules: list[str], libraries: tuple[str, ...]) -> list[str]:
    """What of these libraries a process has imported after each of these modules, with the module's name."""
    code = (
        f"import importlib, sys\nfor name in {modules}:\n    importlib.import_module(name)\n"
        f"    for other in {libraries}:\n        if other in sys.modules: print(name, other)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_reading_results_needs_no_heavy_library():
    rooms = {"results", "report", "theory", "cli"}
    modules = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if layer(path) in rooms and str(path.relative_to(ROOT)) not in LATE
    ]
    assert {name.split(".")[1] for name in modules} == rooms
    assert imported(modules, ("torch", "ray", "optuna")) == []


def test_a_run_starts_without_what_it_may_not_need():
    """Torchvision, and with it torch's compiler, take longer to import than torch itself."""
    late = ("torchvision", "torch_fidelity", "torch._dynamo", "sympy", "sqlalchemy", "scipy", "sklearn")
    assert imported(["gansweep.run.ray.worker", "gansweep.run.driver"], late) == []
