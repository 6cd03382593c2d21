"""Finds which results of a trace share memory."""

import operator

import torch
from torch._ops import OpOverload
from torch.fx import GraphModule, Node


def bases(module: GraphModule) -> dict[Node, Node]:
    """Maps each node to the node that owns its storage, most often itself.

    Several results of one operation count as one storage.
    """
    found: dict[Node, Node] = {}
    for node in module.graph.nodes:
        is_same = is_view(node) or is_mutable(node) or node.target is operator.getitem
        found[node] = found[node.args[0]] if is_same and isinstance(node.args[0], Node) else node
    return found


def is_mutable(node: Node) -> bool:
    """Whether an operation writes to an argument."""
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable


def is_view(node: Node) -> bool:
    """Whether the result of an operation shares memory with its first argument."""
    if not isinstance(node.target, OpOverload):
        return False
    is_declared = any(value.alias_info is not None for value in node.target._schema.returns)
    return is_declared or node.target is torch.ops.aten._unsafe_view.default
