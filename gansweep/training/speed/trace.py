"""Traces the gradients of a pack once and then replays their operations.

The gradients are written as the loss of one member, mapped over the members and differentiated. To derive
their operations in every round costs as much as small networks themselves. After some rounds `make_fx`
therefore records the operations, and later rounds replay them: the same operations on the same numbers give
the same bits.
"""

import logging
import math
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg
from torch.utils._pytree import tree_leaves

from gansweep.training.speed.aliases import bases, is_mutable, is_view
from gansweep.training.speed.in_place import overwrite

log = logging.getLogger(__name__)

Result = TypeVar("Result")

N_EAGER_CALLS = 100  # tracing costs about as much as a trace saves in 100 to 300 calls
MAX_TRACES = 64  # in one process


def traced(
    function: Callable[..., Result], key: Hashable, is_compiled: bool = False, at_once: bool = False
) -> Callable[..., Result]:
    """Returns a function that replays its trace from the 101st call on.

    All calls must have arguments of the same shapes, in dictionaries and lists, and the function may not draw
    random numbers. A function whose control flow depends on values cannot be traced and is called as it is.

    key: functions of equal keys give equal results for equal arguments, so that the trace of one serves the
    others from their first call. is_compiled: TorchInductor compiles the trace at the first call, which takes
    a C++ compiler and up to minutes, and rounds differently. at_once: trace at the first call, for this
    function alone, and raise what tracing raises.
    """
    return Traced(function, object() if at_once else key, is_compiled, at_once)


class Traced:
    """See `traced`."""

    def __init__(
        self, function: Callable[..., Any], key: Hashable, is_compiled: bool = False, at_once: bool = False
    ) -> None:
        self.function, self.key, self.is_compiled = function, key, is_compiled
        self.n_eager_calls: float = 0 if at_once or is_compiled else N_EAGER_CALLS
        self.must_trace = at_once
        self._n_calls = 0
        self._trace: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        self._n_calls += 1
        if self._n_calls == 1:
            shapes = tuple((x.shape, x.dtype, x.device) for x in tree_leaves(args))
            self.key = (self.key, shapes, self.is_compiled)
            self._trace = _TRACES.get(self.key)
        if self._trace is None and self._n_calls > self.n_eager_calls:
            self._make_trace(args)
        if self._trace is None:
            return self.function(*args)
        with torch.no_grad():
            return self._trace(*args)

    def _make_trace(self, args: tuple[Any, ...]) -> None:
        """Trace for these arguments and store the trace; a function that cannot be traced stays as it is."""
        try:
            graph = trace(self.function, *args)
        except Exception as error:
            if self.must_trace:
                raise
            reason = str(error).partition("\n")[0]
            log.warning("rounds cannot be traced, which makes them slower: %s", reason)
            self.n_eager_calls = math.inf
            return
        if self.is_compiled:
            self._trace = torch._inductor.compile(graph, list(args))
        else:
            overwrite(graph)
            self._trace = graph.forward  # without the hooks of nn.Module
        if len(_TRACES) == MAX_TRACES:
            del _TRACES[next(iter(_TRACES))]
        _TRACES[self.key] = self._trace


_TRACES: dict[Hashable, Callable[..., Any]] = {}  # by key and shapes of the arguments, the oldest first


def trace(function: Callable[..., Any], *args: Any) -> GraphModule:
    """Returns the simplified operations of the function on these arguments; results are the same bits."""
    module = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*args)
    module.graph.eliminate_dead_code()
    mutated = _mutated(module)
    _drop_views(module, mutated)
    _merge_equals(module, mutated)
    _fold_constants(module, mutated)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def _drop_views(module: GraphModule, mutated: set[Node]) -> None:
    """Remove views that equal their base."""
    for node in module.graph.nodes:
        if _is_pure(node, mutated) and is_view(node) and isinstance(node.args[0], Node):
            before, after = (each.meta.get("tensor_meta") for each in (node.args[0], node))
            if before and after and (before.shape, before.stride) == (after.shape, after.stride):
                node.replace_all_uses_with(node.args[0])
                module.graph.erase_node(node)


def _merge_equals(module: GraphModule, mutated: set[Node]) -> None:
    """Common subexpression elimination: execute equal operations on equal arguments once."""
    seen: dict[str, Node] = {}
    for node in module.graph.nodes:
        if _is_pure(node, mutated):
            first = seen.setdefault(repr((str(node.target), node.args, node.kwargs)), node)
            if first is not node:
                node.replace_all_uses_with(first)
                module.graph.erase_node(node)


def _fold_constants(module: GraphModule, mutated: set[Node]) -> None:
    """Constant folding: compute once what depends on none of the arguments."""
    known: dict[Node, Any] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr":
            known[node] = getattr(module, node.target)
        elif _is_pure(node, mutated) and all(each in known for each in node.all_input_nodes):
            args, kwargs = map_arg((node.args, node.kwargs), known.__getitem__)
            known[node] = node.target(*args, **kwargs)
    for i, (node, value) in enumerate(known.items()):
        is_needed = any(user not in known for user in node.users)
        if node.op != "get_attr" and isinstance(value, Tensor) and is_needed:
            module.register_buffer(f"constant_{i}", value.contiguous())
            with module.graph.inserting_before(node):
                node.replace_all_uses_with(module.graph.get_attr(f"constant_{i}"))
    module.graph.eliminate_dead_code()


def _mutated(module: GraphModule) -> set[Node]:
    """Returns the operations whose results, or the bases of whose results, are written to later."""
    base = bases(module)
    written = {base[node] for node in base if is_mutable(node)}
    return {node for node in base if base[node] in written}


def _is_pure(node: Node, mutated: set[Node]) -> bool:
    """Whether an operation is a deterministic function of its arguments without side effects."""
    if node.op != "call_function" or not isinstance(node.target, OpOverload):
        return False
    is_random = torch.Tag.nondeterministic_seeded in node.target.tags
    touched = mutated.intersection((node, *node.all_input_nodes))
    return not (is_mutable(node) or is_random or touched)
