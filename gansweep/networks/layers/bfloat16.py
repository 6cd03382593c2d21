"""Products of matrices in bfloat16, on processors that multiply it faster than float32.

There `torch.set_float32_matmul_precision("medium")` alone does not bring them: PyTorch 2.14 then takes
another library, whose operands are float32 all the same, unless the processor has AMX.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


def uses_bfloat16(x: Tensor) -> bool:
    """Whether products with x are to be of bfloat16: by `matmul_precision`, on a CPU that has them."""
    is_meant = torch.get_float32_matmul_precision() == "medium"
    return is_meant and x.device.type == "cpu" and x.dtype == torch.float32 and _has_units()


@cache
def _has_units() -> bool:
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def bfloat16_product(x: Tensor, y: Tensor) -> Tensor:
    """Returns [m, k] times [k, n], float32. Operands and result are rounded to 8 bits, sums are float32; the
    gradients are such products, too."""
    product: Tensor = _Product.apply(x, y, False, False)
    return product


class _Product(Function):
    """See `bfloat16_product`; x_turned, y_turned: the product is of the transpose.

    A matrix is rounded before it is transposed, so that all its products in an update share the rounded one.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, y: Tensor, x_turned: bool, y_turned: bool) -> Tensor:
        left, right = x.bfloat16(), y.bfloat16()
        return ((left.mT if x_turned else left) @ (right.mT if y_turned else right)).float()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool, bool], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.turned = inputs[2:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (x, y), (x_turned, y_turned) = ctx.saved_tensors, ctx.turned
        of = _Product.apply
        x_gradient = of(y, gradient, y_turned, True) if x_turned else of(gradient, y, False, not y_turned)
        y_gradient = of(gradient, x, True, x_turned) if y_turned else of(x, gradient, not x_turned, False)
        return x_gradient, y_gradient, None, None
