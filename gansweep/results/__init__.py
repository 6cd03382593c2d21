"""A study's folder: all that can be known from it, without torch, Ray or Optuna."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gansweep.results.csv import read_csv
    from gansweep.results.records import Manifest, read_manifest
    from gansweep.results.row import Row
    from gansweep.results.row_file import read_rows
    from gansweep.results.tables import read_tables

__all__ = ["Manifest", "Row", "read_csv", "read_manifest", "read_rows", "read_tables"]
_HOMES = {
    "Manifest": "records",
    "Row": "row",
    "read_csv": "csv",
    "read_manifest": "records",
    "read_rows": "row_file",
    "read_tables": "tables",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gansweep.results' has no attribute {name!r}")
    return getattr(import_module(f"gansweep.results.{_HOMES[name]}"), name)
