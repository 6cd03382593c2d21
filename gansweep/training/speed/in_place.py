"""Reuses buffers of a trace that are no longer read.

Elementwise operations on large tensors are bound by memory bandwidth, and a CPU reads a new buffer before it
writes the buffer. A trace shows which argument is read for the last time, so that the operation can write its
result into the buffer of this argument. The numbers are the same.
"""

from functools import cache

import torch
from torch._ops import OpOverload
from torch.fx import GraphModule, Node

from gansweep.training.speed.aliases import bases

aten = torch.ops.aten

FIRST = "self"  # the name of the output buffer where an operation overwrites its first argument
UNTAGGED = {  # elementwise operations that some releases of PyTorch do not tag as pointwise
    aten.leaky_relu.default,
    aten.leaky_relu_backward.default,
    aten.softplus_backward.default,
    aten.elu_backward.default,
}


def overwrite(module: GraphModule) -> None:
    """Let elementwise operations write their results into an argument that is not read afterwards."""
    _take_slopes_from_results(module)
    base = bases(module)
    order = {node: i for i, node in enumerate(module.graph.nodes)}
    last = dict.fromkeys(base.values(), 0)  # storage -> index of the node that reads it last
    for node, i in order.items():
        for argument in node.all_input_nodes:
            last[base[argument]] = i
    for node, i in order.items():
        name, places = _places(node)
        free = (x for x in places if base[x].op == "call_function" and last[base[x]] == i)
        place = next((x for x in free if _shares_with_none(x, node, base)), None)
        if place is not None:
            node.target = _in_place_overload(node.target)[0]
            if name != FIRST:
                node.kwargs = {**node.kwargs, name: place}
            taken, freed = base[place], base[node]
            last[taken] = max(i, last[freed])
            base |= {alias: taken for alias, old in base.items() if old is freed}
    module.recompile()


def _places(node: Node) -> tuple[str, list[Node]]:
    """Returns the name of the buffer that an elementwise operation may write, and the fitting arguments."""
    target = node.target
    if not isinstance(target, OpOverload) or not (torch.Tag.pointwise in target.tags or target in UNTAGGED):
        return "", []
    name = _in_place_overload(target)[1]
    arguments = {"": [], FIRST: node.all_input_nodes[:1]}.get(name, node.all_input_nodes)
    return name, [x for x in arguments if _layout(x) == _layout(node) is not None]


def _shares_with_none(place: Node, node: Node, base: dict[Node, Node]) -> bool:
    """Whether all other arguments of the node lie in other storages."""
    return all(base[x] is not base[place] for x in node.all_input_nodes if x is not place)


def _take_slopes_from_results(module: GraphModule) -> None:
    """Let the backward of leaky ReLUs read their results, whose signs are those of the arguments.

    The arguments can then be overwritten.
    """
    results = {node.args: node for node in module.graph.nodes if node.target is aten.leaky_relu.default}
    for node in module.graph.nodes:
        if node.target is aten.leaky_relu_backward.default:
            gradient, x, slope, _ = node.args
            if slope > 0 and (x, slope) in results:
                node.args = (gradient, results[x, slope], slope, True)


@cache
def _in_place_overload(target: OpOverload) -> tuple[OpOverload, str]:
    """Returns the overload that writes its result into a given buffer, and its name for the buffer.

    The overload takes the same arguments. If there is none: the operation itself and an empty name.
    """
    wanted = [(each.name, str(each.type)) for each in target._schema.arguments]
    in_place = f"{target._schema.name.removeprefix('aten::')}_"
    for packet in (target.overloadpacket, getattr(aten, in_place, None)):
        for overload in (getattr(packet, name) for name in packet.overloads()) if packet else ():
            arguments = overload._schema.arguments
            places = [each.name for each in arguments if each.alias_info and each.alias_info.is_write]
            taken = [(each.name, str(each.type)) for each in arguments if not each.is_out]
            if len(places) == 1 and taken == wanted and torch.Tag.generated not in overload.tags:
                return overload, places[0]
    return target, ""


def _layout(node: Node) -> tuple[object, ...] | None:
    meta = node.meta.get("tensor_meta")
    return meta and (meta.shape, meta.stride, meta.dtype)
