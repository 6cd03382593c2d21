"""Deprecated: import from `gansweep`. This path goes in version 0.3."""

import warnings

from gansweep.results.plan import Confirm, Replicate

__all__ = ["Confirm", "Replicate"]

warnings.warn("gansweep.phases is deprecated: import from gansweep", DeprecationWarning, stacklevel=2)
