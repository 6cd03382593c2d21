"""Adam and RMSProp for a pack: each member has its own learning rate and betas.

The parameters of a player are one [P, N] tensor whose row i is member i, so that PyTorch's fused kernels can
do a member's whole update in one call.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop


class Optimizer:
    """The optimiser of one player; `state` holds what a checkpoint must keep, [P, N] or [P] each."""

    names: tuple[str, ...]

    def __init__(
        self, params: Tensor, lr: Sequence[float], beta1: Sequence[float], beta2: Sequence[float]
    ) -> None:
        self.lr, self.beta1, self.beta2 = list(lr), list(beta1), list(beta2)
        self.state = {name: torch.zeros_like(params) for name in self.names}
        self.state["step"] = params.new_zeros(len(params))

    def step(self, params: Tensor, gradients: Tensor) -> None:
        """Move every row of params [P, N], in place. gradients: [P, N], contiguous: the fused kernels on the
        CPU ignore strides."""
        with torch.no_grad():
            for i in range(len(params)):
                self._step_member(i, [params[i]], [gradients[i]], [self.state["step"][i]])

    def select(self, keep: list[int]) -> None:
        """Go on with these members only."""
        self.state = {name: value[keep] for name, value in self.state.items()}
        self.lr, self.beta1, self.beta2 = (
            [values[i] for i in keep] for values in (self.lr, self.beta1, self.beta2)
        )

    def _step_member(self, i: int, params: list[Tensor], grads: list[Tensor], steps: list[Tensor]) -> None:
        raise NotImplementedError


class Adam(Optimizer):
    """Kingma and Ba, "Adam", 2015, arXiv:1412.6980, algorithm 1, with eps = 1e-8. Deviations: none."""

    names = ("exp_avg", "exp_avg_sq")

    def _step_member(self, i: int, params: list[Tensor], grads: list[Tensor], steps: list[Tensor]) -> None:
        adam(
            params,
            grads,
            [self.state["exp_avg"][i]],
            [self.state["exp_avg_sq"][i]],
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=self.beta1[i],
            beta2=self.beta2[i],
            lr=self.lr[i],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


class RMSprop(Optimizer):
    """Tieleman and Hinton, 2012, with decay 0.9 and eps = 1e-10, as used by Lucic et al. (2018).

    Deviations: 1. PyTorch's mean square starts at 0, where that of TensorFlow, which they used, starts at 1:
    the first steps are larger here. 2. PyTorch adds eps outside the root, TensorFlow inside.
    """

    names = ("square_avg",)

    def _step_member(self, i: int, params: list[Tensor], grads: list[Tensor], steps: list[Tensor]) -> None:
        rmsprop(
            params,
            grads,
            [self.state["square_avg"][i]],
            [],
            [],
            steps,
            lr=self.lr[i],
            alpha=0.9,
            eps=1e-10,
            weight_decay=0.0,
            momentum=0.0,
            centered=False,
        )


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "rmsprop": RMSprop}
