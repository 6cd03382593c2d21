"""Random numbers as a function of a key: equal alone and in a pack, on any device, in any order.

Source: SplitMix64 of Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014, OOPSLA;
normal numbers after Box and Muller, 1958. Deviations: the state is computed from the position of a
number in its tensor instead of stored; numbers have 24 bits, so that all precisions draw the same.
"""

import math

import torch
from torch import Tensor

# Unsigned 64-bit constants as the signed integers that torch computes with; products wrap around.
GOLDEN = 0x9E3779B97F4A7C15 - 2**64
FIRST = 0xBF58476D1CE4E5B9 - 2**64
SECOND = 0x94D049BB133111EB - 2**64
BITS = 24


def fold_in(key: Tensor, stream: int) -> Tensor:
    """Returns the key of a stream of a key, 0-d int64."""
    return _mix(_mix(key) + stream * GOLDEN % 2**63)


def uniform(key: Tensor, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """Returns uniform numbers in [0, 1), multiples of 2^-24, on the device of the key.

    key: 0-d int64. Under `vmap` the numbers equal those of a loop over the keys.
    """
    return _fraction(_shifted(_words(key, shape), 64 - BITS), dtype)


def normal(key: Tensor, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """Returns standard normal numbers of absolute value 5.8 at most, on the device of the key (0-d int64)."""
    words = _words(key, shape)
    radius = 1 - _fraction(_shifted(words, 64 - BITS), dtype)
    angle = _fraction(words & (2**BITS - 1), dtype)
    return (-2 * radius.log()).sqrt() * (2 * math.pi * angle).cos()


def _words(key: Tensor, shape: torch.Size) -> Tensor:
    """Returns 64 random bits for every element of a tensor."""
    counter = torch.arange(1, shape.numel() + 1, device=key.device)
    return _mix(_mix(key) + counter * GOLDEN).view(shape)


def _mix(state: Tensor) -> Tensor:
    state = (state ^ _shifted(state, 30)) * FIRST
    state = (state ^ _shifted(state, 27)) * SECOND
    return state ^ _shifted(state, 31)


def _shifted(words: Tensor, n: int) -> Tensor:
    """Returns the words shifted to the right by n bits, filled with zeros."""
    shifted: Tensor = (words >> n) & (2 ** (64 - n) - 1)
    return shifted


def _fraction(words: Tensor, dtype: torch.dtype) -> Tensor:
    return words.to(dtype) * 2.0**-BITS
