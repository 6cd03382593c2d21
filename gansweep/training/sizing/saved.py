"""How much a network keeps in memory for its backward pass."""

from typing import Any

import torch
from torch import Tensor, nn


def n_kept(net: nn.Module, inputs: Tensor, *bound: Any) -> int:
    """How many numbers a call keeps for its backward pass for each input of [B, ...], parameters left out.

    bound: what the call is given besides.

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
