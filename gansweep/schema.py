"""Deprecated: import `read_csv` from `gansweep.results`. This path goes in version 0.3."""

import warnings

from gansweep.results.csv import read_csv

__all__ = ["read_csv"]

warnings.warn("gansweep.schema is deprecated: use gansweep.results", DeprecationWarning, stacklevel=2)
