"""A study's folder: all that can be known from it, without torch, Ray or Optuna."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gansweep.results.csv import read_csv
    from gansweep.results.row_file import Row, read_manifest, read_rows
    from gansweep.results.tables import load as read_tables

__all__ = ["Row", "read_csv", "read_manifest", "read_rows", "read_tables"]
_HOMES = {
    "Row": ("row_file", "Row"),
    "read_csv": ("csv", "read_csv"),
    "read_manifest": ("row_file", "read_manifest"),
    "read_rows": ("row_file", "read_rows"),
    "read_tables": ("tables", "load"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gansweep.results' has no attribute {name!r}")
    module, own_name = _HOMES[name]
    return getattr(import_module(f"gansweep.results.{module}"), own_name)
