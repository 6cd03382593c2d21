"""The report of a study: statistics, figures, tables and one self-contained page; without torch or Ray."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gansweep.report.compare.compare import compare_studies
    from gansweep.report.page.page import write_report
    from gansweep.report.verify.verify import verify_study

__all__ = ["compare_studies", "verify_study", "write_report"]
_HOMES = {
    "compare_studies": "compare.compare",
    "verify_study": "verify.verify",
    "write_report": "page.page",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gansweep.report' has no attribute {name!r}")
    return getattr(import_module(f"gansweep.report.{_HOMES[name]}"), name)
