"""Records the operations of a function, and simplifies them without changing a number."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg

from gansweep.training.speed.aliases import bases, is_mutable, is_view


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
