"""Counts the numbers that a network saves for its backward pass."""

from typing import Any

import torch
from torch import Tensor, nn


def n_kept(net: nn.Module, inputs: Tensor, *bound: Any) -> int:
    """Returns the numbers that a call saves for its backward pass, per input of [B, ...], without parameters.

    bound: the further arguments of the call.

    >>> from gansweep.networks.layers.weighted import Linear
    >>> n_kept(nn.Sequential(Linear(3, 5, None), nn.Sigmoid()), torch.rand(2, 3))
    8
    """
    own = {p.data_ptr() for p in net.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = net(inputs, *bound)
    del output
    return sum(kept.values()) // len(inputs)
