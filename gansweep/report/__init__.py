"""The report of a study: statistics, figures, tables and one self-contained page; without torch or Ray."""

from gansweep.report.page.page import write_report

__all__ = ["write_report"]
