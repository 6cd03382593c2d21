"""Deprecated: import from `gansweep`. This path goes in version 0.3."""

import warnings

from gansweep.results.plan import Halving

__all__ = ["Halving"]

warnings.warn("gansweep.halving is deprecated: import from gansweep", DeprecationWarning, stacklevel=2)
