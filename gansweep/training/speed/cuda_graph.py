"""On a GPU: records a whole round as one CUDA graph and launches the graph at once.

Experimental: this module has never run on a CUDA device. A round of small networks is hundreds of kernels of
some microseconds each, which Python cannot launch as fast as a GPU runs them.
"""

import logging
import math
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from gansweep.training.speed.replay import WORTH_CALLS

log = logging.getLogger(__name__)

Result = TypeVar("Result")

N_WARMUP_CALLS = 3  # traced calls before recording: they allocate what is allocated only once


def cuda_graphed(
    function: Callable[[dict[str, Tensor]], Result],
    device: torch.device,
    at_once: bool = False,
    calls_left: Callable[[], float] = lambda: math.inf,
) -> Callable[[dict[str, Tensor]], Result]:
    """Returns the function itself on a CPU, and a `CudaGraphed` on a GPU, unless few calls are left.

    at_once: record in any case.
    """
    if device.type != "cuda":
        return function
    return CudaGraphed(function, lambda: at_once or calls_left() >= WORTH_CALLS)


class CudaGraphed(Generic[Result]):
    """A function of named tensors of constant shapes, which changes its state in place.

    The graph is recorded after the warm-up calls, if it `is_worth` it at the first. From then on every call
    returns the same tensors, with new values.
    """

    def __init__(self, function: Callable[[dict[str, Tensor]], Result], is_worth: Callable[[], bool]) -> None:
        self.function, self.is_worth = function, is_worth
        self._n_calls = 0
        self._is_recording = True
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: dict[str, Tensor] = {}
        self._result: Result

    def __call__(self, inputs: dict[str, Tensor]) -> Result:
        self._n_calls += 1
        if self._n_calls == 1:
            self._is_recording = self.is_worth()
        if self._is_recording and self._n_calls > N_WARMUP_CALLS:
            self._record(inputs)
        if self._graph is None:
            return self.function(inputs)
        for name, value in inputs.items():
            self._inputs[name].copy_(value)
        self._graph.replay()
        return self._result

    def _record(self, inputs: dict[str, Tensor]) -> None:
        """Record the function without executing it; if that fails, call it as before."""
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
