"""How exactly a GPU, or a CPU that can, multiplies matrices of 32-bit numbers while a pack trains."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ("highest", "high", "medium")
"""As in `torch.set_float32_matmul_precision`: float32; TensorFloat32, with 10 bits of mantissa; bfloat16,
with 7 bits, where the hardware has it. Sums are float32 in all of them."""


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Multiply so within this context, and as before after it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
