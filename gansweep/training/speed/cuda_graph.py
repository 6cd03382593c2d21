"""On a GPU: a whole round recorded as one CUDA graph and launched at once.

A round of small networks is hundreds of kernels of some microseconds, which no Python can launch as fast as a
GPU runs them.
"""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from gansweep.training.speed.trace import AFTER

log = logging.getLogger(__name__)

Result = TypeVar("Result")

WARM = 3  # calls before recording that make all that is made once


class Replayed(Generic[Result]):
    """A function of tensors by name, always of the same shapes, which changes its state in place.

    On a CPU it is called as it is. On a GPU it is recorded after some calls; from then on its result is the
    same tensors at every call, with new values.
    """

    def __init__(self, function: Callable[[dict[str, Tensor]], Result], device: torch.device) -> None:
        self.function, self.after = function, AFTER + WARM
        self._n_calls = 0
        self._is_recording = device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: dict[str, Tensor] = {}
        self._result: Result

    def __call__(self, inputs: dict[str, Tensor]) -> Result:
        self._n_calls += 1
        if self._is_recording and self._n_calls > self.after:
            self._record(inputs)
        if self._graph is None:
            return self.function(inputs)
        for name, value in inputs.items():
            self._inputs[name].copy_(value)
        self._graph.replay()
        return self._result

    def _record(self, inputs: dict[str, Tensor]) -> None:
        """Record the function, which does nothing yet; a round that cannot be recorded is done as before."""
        self._is_recording = False
        self._inputs = {name: value.clone() for name, value in inputs.items()}
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._result = self.function(self._inputs)
        except RuntimeError as error:
            log.warning("rounds are launched kernel by kernel, which is slow: %s", error)
        else:
            self._graph = graph
