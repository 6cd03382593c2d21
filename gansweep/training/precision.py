"""Precision of float32 matrix products during training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ("highest", "high", "medium")
"""As in `torch.set_float32_matmul_precision`: float32; TensorFloat32 (10 bits of mantissa); bfloat16 (7
bits), both where the hardware has them. Sums are float32 in all three."""


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Set the precision within this context and restore the previous one after it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
