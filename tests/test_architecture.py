"""The layers hold: a module imports only from those above it, and only one imports each large library."""

import ast
from pathlib import Path

import pytest

ROOT = Path("gansweep")
# Each may import from those before it.
FLOORS = (
    ("errors",),
    ("fields", "files", "space", "networks", "theory"),
    ("variants", "data", "results"),
    ("evaluation",),
    ("training", "report"),
    ("contracts", "study", "demos"),
    ("run",),
    ("cli",),
)
DEPRECATED = {"halving", "phases", "schema"}  # paths of study files of before 0.1.0, until 0.3
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor}
OWNERS = {
    "ray": {"run/ray"},
    "torch_fidelity": {"evaluation/extractors.py", "evaluation/metrics/features.py"},
    "optuna": {"run/search", "run/forecast.py", "report/statistics/importance.py"},
    "matplotlib": {"report", "demos"},
    "seaborn": {"report"},
}
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
    assert len(source.splitlines()) <= 330, f"{path} has more than one subject"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 50, f"{path}: {node.name}"
