"""The layers hold: a module imports only from those above it, and only one imports each large library."""

import ast
from pathlib import Path

import pytest

ROOT = Path("gansweep")
# Each may import from those before it.
LAYERS = (
    ("errors", "formulas"),
    ("rules", "files", "patience", "outlines", "schema"),
    ("space", "results", "theory", "incidents", "failures"),
    ("halving",),
    ("phases", "tables", "lock", "logs", "pace"),
    ("tally",),
    ("progress", "loggers", "watch"),
    ("variants",),
    ("networks",),
    ("data",),
    ("evaluation",),
    ("training",),
    ("packing",),
    ("samplers", "storages"),
    ("study", "queue"),
    ("search", "study_files"),
    ("catalogue", "provenance", "ledger", "finalists"),
    ("orchestrate", "preparation"),
    ("report",),
    ("contracts", "scaffold", "demo", "robustness"),
    ("run", "reproduce"),
    ("plan",),
    ("cli",),
)
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}
OWNERS = {
    "ray": {"orchestrate"},
    "torch_fidelity": {"evaluation/extractors.py", "evaluation/metrics.py"},
    "optuna": {"samplers.py", "storages", "search.py", "plan.py", "report/statistics/importance.py"},
    "matplotlib": {"report", "demo", "robustness"},
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


@pytest.mark.parametrize("path", [p for p in MODULES if layer(p) != "__init__"], ids=str)
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
    assert {layer(path) for path in MODULES} - {"__init__"} == set(HEIGHT)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_and_functions_stay_small(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 330, f"{path} has more than one subject"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 50, f"{path}: {node.name}"
