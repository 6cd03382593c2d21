"""Traces the gradients of a pack once and then replays their operations.

The gradients are written as the loss of one member, mapped over the members and differentiated. To derive
their operations in every round costs as much as small networks themselves. `make_fx` therefore records the
operations in the first round, and later rounds replay them: the same operations on the same numbers give the
same bits. A trace serves all packs of its kind, in this process and in later ones (`stored`).
"""

import gc
import logging
import math
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from gansweep.training.speed import stored
from gansweep.training.speed.in_place import overwrite
from gansweep.training.speed.stored import Operations
from gansweep.training.speed.trace import trace

log = logging.getLogger(__name__)

Result = TypeVar("Result")

WORTH_CALLS = 50  # tracing costs about as much as a trace saves in 30 to 60 calls
MAX_TRACES = 64  # in one process


def traced(
    function: Callable[..., Result],
    key: Hashable,
    code: str,
    is_compiled: bool = False,
    calls_left: Callable[[], float] = lambda: math.inf,
    at_once: bool = False,
) -> Callable[..., Result]:
    """Returns a function that replays its trace from the second call on.

    All calls must have arguments of the same shapes, in dictionaries and lists, and the function may not draw
    random numbers. A function whose control flow depends on values cannot be traced and is called as it is;
    so is one that is called a few times only, unless a trace is at hand. The first call in a process runs
    both; a trace that does not give its bits is not used.

    key: functions of equal keys give equal results for equal arguments, so that the trace of one serves the
    others. code: a hash of the source code of all these functions. calls_left: how often it will still be
    called. is_compiled: TorchInductor compiles the trace at the first call, which takes a C++ compiler and up
    to minutes, and rounds differently. at_once: trace at the first call, for this function alone, and raise
    what tracing raises.
    """
    return Traced(function, object() if at_once else key, code, is_compiled, calls_left, at_once)


class Traced:
    """See `traced`."""

    def __init__(
        self,
        function: Callable[..., Any],
        key: Hashable,
        code: str,
        is_compiled: bool = False,
        calls_left: Callable[[], float] = lambda: math.inf,
        at_once: bool = False,
    ) -> None:
        self.function, self.key, self.code, self.is_compiled = function, key, code, is_compiled
        self.calls_left, self.at_once = calls_left, at_once
        self.replay: Callable[..., Any] | None = None
        self._is_new = True

    def __call__(self, *args: Any) -> Any:
        if self._is_new:
            return self._first(args)
        return self.function(*args) if self.replay is None else self.replay(*args)

    def _first(self, args: tuple[Any, ...]) -> Any:
        """Returns the result of the first call, and finds or makes what serves the next ones."""
        self._is_new = False
        shapes = tuple((tuple(x.shape), str(x.dtype), str(x.device)) for x in tree_leaves(args))
        self.key = (self.key, shapes, self.is_compiled)
        self.replay = _REPLAYS.get(self.key)
        if self.replay is None and self.is_compiled:
            self._try(self._compile, args)
        elif self.replay is None and self.at_once:
            self._keep(*self._operations(args))
        elif self.replay is None:
            result = self.function(*args)
            self._find(args, result)
            return result
        return self(*args)

    def _find(self, args: tuple[Any, ...], result: Any) -> None:
        """Find the trace of a function, or make it if that pays; result: of the function."""
        expected, structure = tree_flatten(result)
        name = stored.name_of(self.key, self.code)
        operations = stored.load(name)
        if operations and _gives(operations, args, expected):
            self._keep(operations, structure)
        elif self.calls_left() >= WORTH_CALLS and (made := self._try(self._operations, args)):
            if _gives(made[0], args, expected):
                self._keep(*made)
                stored.save(made[0], name)
            else:
                log.warning("rounds are not traced, which makes them slower: a trace gives other numbers")

    def _try(self, action: Callable[[tuple[Any, ...]], Result], args: tuple[Any, ...]) -> Result | None:
        """Returns the result of an action; None for a function that cannot be traced."""
        try:
            return action(args)
        except Exception as error:
            reason = str(error).partition("\n")[0]
            log.warning("rounds cannot be traced, which makes them slower: %s", reason)
            return None

    def _operations(self, args: tuple[Any, ...]) -> tuple[Operations, TreeSpec]:
        """Returns the operations for these arguments, and the structure of their results."""
        tensors, of_arguments = tree_flatten(args)
        of_results: list[TreeSpec] = []

        def flat(*tensors: Tensor) -> tuple[Tensor, ...]:
            leaves, structure = tree_flatten(self.function(*tree_unflatten(tensors, of_arguments)))
            of_results.append(structure)
            return tuple(leaves)

        with _no_garbage_collection():
            graph = trace(flat, *tensors)
        overwrite(graph)
        return Operations.of(graph), of_results[0]

    def _compile(self, args: tuple[Any, ...]) -> None:
        compiled = torch._inductor.compile(trace(self.function, *args), list(args))

        def replay(*args: Any) -> Any:
            with torch.no_grad():
                return compiled(*args)

        self._remember(replay)

    def _keep(self, operations: Operations, structure: TreeSpec) -> None:
        self._remember(lambda *args: tree_unflatten(operations(*tree_leaves(args)), structure))

    def _remember(self, replay: Callable[..., Any]) -> None:
        if len(_REPLAYS) == MAX_TRACES:
            del _REPLAYS[next(iter(_REPLAYS))]
        self.replay = _REPLAYS[self.key] = replay


_REPLAYS: dict[Hashable, Callable[..., Any]] = {}  # by key and shapes of the arguments, the oldest first


def _gives(operations: Operations, args: tuple[Any, ...], expected: list[Tensor]) -> bool:
    """Whether operations give these numbers: their bits on a CPU, and nearly these on a GPU, which adds up in
    any order."""
    try:
        got = operations(*tree_leaves(args))
        return len(got) == len(expected) and all(map(_agree, got, expected))
    except Exception:  # a file holds what another version has written, at worst
        return False


def _agree(got: Tensor, expected: Tensor) -> bool:
    if (got.shape, got.dtype) != (expected.shape, expected.dtype):
        return False
    if got.device.type == "cpu":
        return torch.equal(_bits(got), _bits(expected))
    scale = expected.abs().max().item() if len(expected.reshape(-1)) else 0.0
    return torch.allclose(got, expected, rtol=1e-3, atol=1e-5 * scale, equal_nan=True)


def _bits(x: Tensor) -> Tensor:
    return x.contiguous().view(-1).view(torch.uint8)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Tracing makes many objects, over which the collector would go again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
