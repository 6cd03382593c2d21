"""Adam and RMSProp for a pack: each member has its own learning rate and betas.

Shape suffixes: P members, N parameters of a player. A player's parameters are one tensor [P, N].
Gradients are [P, ...] each, in the order in which the parameters lie in a row.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class Optimizer:
    """The optimiser of one player; updates the parameters in place.

    `state` holds what a checkpoint stores besides the parameters, [P, N] or [P] each. sizes: the numbers of
    elements of the parameters in a row. in_rows: update one member after another by PyTorch's fused kernel,
    in one pass over the memory, which is faster on a CPU; else all members at once, which is faster on a GPU.
    """

    names: tuple[str, ...]

    def __init__(
        self,
        params_PN: Tensor,
        sizes: Sequence[int],
        lr: Sequence[float],
        beta1: Sequence[float],
        beta2: Sequence[float],
        in_rows: bool,
    ) -> None:
        self.params_PN, self.sizes, self.in_rows = params_PN, list(sizes), in_rows
        self.state = {name: torch.zeros_like(params_PN) for name in self.names}
        self.state["step"] = params_PN.new_zeros(len(params_PN))
        self.lr, self.beta1, self.beta2 = list(lr), list(beta1), list(beta2)
        self._bind()

    def step(self, gradients: list[Tensor]) -> None:
        """Update the parameters."""
        raise NotImplementedError

    def select(self, keep: list[int]) -> None:
        """Keep these members only, in this order."""
        self.params_PN = self.params_PN[keep]
        self.state = {name: value[keep] for name, value in self.state.items()}
        self.lr, self.beta1, self.beta2 = (
            [values[i] for i in keep] for values in (self.lr, self.beta1, self.beta2)
        )
        self._bind()

    def _bind(self) -> None:
        """Prepare the rates and rows of the members, which every step reads."""
        rates = torch.tensor([self.lr, self.beta1, self.beta2], dtype=torch.float64)
        self.rates = rates.to(self.params_PN).unsqueeze(2)  # three of [P, 1]
        moved = (self.params_PN, *(self.state[name] for name in self.names))
        self.rows = [
            ([tensor[i].split(self.sizes) for tensor in moved], [step] * len(self.sizes))
            for i, step in enumerate(self.state["step"].unbind())
        ]


class Adam(Optimizer):
    """Kingma and Ba, "Adam", 2015, arXiv:1412.6980, algorithm 1, with eps = 1e-8. Deviations: none."""

    names = ("exp_avg", "exp_avg_sq")
    eps = 1e-8

    @torch.no_grad()
    def step(self, gradients: list[Tensor]) -> None:
        self.state["step"] += 1
        if self.in_rows:
            self._step_rows(gradients)
        else:
            self._step_all(torch.cat([g.flatten(1) for g in gradients], 1))

    def _step_rows(self, gradients: list[Tensor]) -> None:
        """Gradients are made contiguous, since the kernel ignores their strides on a CPU."""
        rows = [gradient.contiguous().flatten(1).unbind() for gradient in gradients]
        for i, ((params, means, squares), steps) in enumerate(self.rows):
            torch._fused_adam_(
                params,
                [row[i] for row in rows],
                means,
                squares,
                [],
                steps,
                lr=self.lr[i],
                beta1=self.beta1[i],
                beta2=self.beta2[i],
                weight_decay=0.0,
                eps=self.eps,
                amsgrad=False,
                maximize=False,
            )

    def _step_all(self, gradients_PN: Tensor) -> None:
        lr, beta1, beta2 = self.rates
        mean, square, step = (self.state[name] for name in ("exp_avg", "exp_avg_sq", "step"))
        mean.lerp_(gradients_PN, 1 - beta1)
        square.mul_(beta2).add_((1 - beta2) * gradients_PN.square())
        rate = lr / (1 - beta1 ** step.unsqueeze(1))
        root = (square / (1 - beta2 ** step.unsqueeze(1))).sqrt()
        self.params_PN.sub_(rate * mean / (root + self.eps))


class RMSprop(Optimizer):
    """Tieleman and Hinton, 2012, with decay 0.9 and eps = 1e-10, as used by Lucic et al. (2018).

    Deviations: 1. The mean square starts at 0; in TensorFlow, which the authors used, it starts at 1, so that
    the first steps are larger here. 2. eps is added outside the root, as in PyTorch, not inside.
    """

    names = ("square_avg",)
    decay, eps = 0.9, 1e-10

    @torch.no_grad()
    def step(self, gradients: list[Tensor]) -> None:
        self.state["step"] += 1
        gradients_PN = torch.cat([g.flatten(1) for g in gradients], 1)
        square = self.state["square_avg"]
        square.mul_(self.decay).add_((1 - self.decay) * gradients_PN.square())
        self.params_PN.sub_(self.rates[0] * gradients_PN / (square.sqrt() + self.eps))


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "rmsprop": RMSprop}
