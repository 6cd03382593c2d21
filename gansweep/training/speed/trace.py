"""The work of a round as a straight list of batched operations, without what it took to derive them.

A pack's gradients are written as a loss of one member, mapped over the members and differentiated. Deriving
the operations of that anew in every round costs as much as small networks do, so after some rounds they are
written down once (by `make_fx`) and from then on done as written: the same operations on the same numbers,
hence the same results, to the last bit.
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

AFTER = 100  # calls; to trace costs about as much as it saves in one to three times as many
MOST = 64  # traces that a process keeps


class Traced:
    """A function of tensors, in dictionaries and lists; from its 101st call on it is done from its trace.

    All calls must have arguments of the same shapes, and the function may not draw random numbers. One that
    cannot be traced, since its control flow depends on values, is called as it is. key: functions of equal
    keys do the same with the same arguments, so that a trace of one serves the next from its first call on.
    is_compiled: make one program of it by TorchInductor at its first call instead, which takes a C++
    compiler, up to minutes, and rounds otherwise.
    """

    def __init__(self, function: Callable[..., Result], key: Hashable, is_compiled: bool = False) -> None:
        self.function, self.key, self.is_compiled = function, key, is_compiled
        self.after: float = AFTER
        self.must_trace = False  # or else raise what tracing raises
        self._n_calls = 0
        self._trace: Callable[..., Result] | None = None

    def __call__(self, *args: Any) -> Any:
        self._n_calls += 1
        if self._n_calls == 1:
            shapes = tuple((x.shape, x.dtype, x.device) for x in tree_leaves(args))
            self.key = (self.key, shapes, self.is_compiled)
            self._trace = _TRACES.get(self.key)
        if self._trace is None:
            if self._n_calls <= self.after and not self.is_compiled:
                return self.function(*args)
            try:
                graph = trace(self.function, *args)
            except Exception as error:
                if self.must_trace:
                    raise
                log.warning(
                    "rounds cannot be traced, which makes them slower: %s", str(error).partition("\n")[0]
                )
                self.after, self.is_compiled = math.inf, False
                return self.function(*args)
            if self.is_compiled:
                self._trace = torch._inductor.compile(graph, list(args))
            else:
                overwrite(graph)
                self._trace = graph
            if len(_TRACES) == MOST:
                del _TRACES[next(iter(_TRACES))]
            _TRACES[self.key] = self._trace
        with torch.no_grad():
            return self._trace(*args)


_TRACES: dict[Hashable, Callable[..., Any]] = {}  # by key and shapes of arguments; the oldest first


def trace(function: Callable[..., Any], *args: Any) -> GraphModule:
    """The operations that the function does on these arguments, without those of no effect."""
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
    """Leave out views that are what they are views of."""
    for node in module.graph.nodes:
        if _is_pure(node, mutated) and is_view(node) and isinstance(node.args[0], Node):
            before, after = (each.meta.get("tensor_meta") for each in (node.args[0], node))
            if before and after and (before.shape, before.stride) == (after.shape, after.stride):
                node.replace_all_uses_with(node.args[0])
                module.graph.erase_node(node)


def _merge_equals(module: GraphModule, mutated: set[Node]) -> None:
    """Do equal operations on equal arguments once."""
    seen: dict[str, Node] = {}
    for node in module.graph.nodes:
        if _is_pure(node, mutated):
            first = seen.setdefault(repr((str(node.target), node.args, node.kwargs)), node)
            if first is not node:
                node.replace_all_uses_with(first)
                module.graph.erase_node(node)


def _fold_constants(module: GraphModule, mutated: set[Node]) -> None:
    """Keep what depends on no argument as a tensor."""
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
    """The operations whose results, or what these are views of, are written to later."""
    base = bases(module)
    written = {base[node] for node in base if is_mutable(node)}
    return {node for node in base if base[node] in written}


def _is_pure(node: Node, mutated: set[Node]) -> bool:
    """Whether an operation depends on its arguments alone and has no effect but its result."""
    if node.op != "call_function" or not isinstance(node.target, OpOverload):
        return False
    is_random = torch.Tag.nondeterministic_seeded in node.target.tags
    touched = mutated.intersection((node, *node.all_input_nodes))
    return not (is_mutable(node) or is_random or touched)
