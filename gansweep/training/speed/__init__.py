"""Makes rounds faster without changing a number.

The rest of the package calls `traced` and `cuda_graphed` only. A pack for which both return the function
itself trains to the same bits. The exception is `Study.compile`: a compiled pack rounds differently.
"""

from gansweep.training.speed.cuda_graph import cuda_graphed
from gansweep.training.speed.trace import traced

__all__ = ["cuda_graphed", "traced"]
