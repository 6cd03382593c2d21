"""The heap of this process. Nothing here does anything where the C library is not that of GNU."""

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
GIGABYTE = 2**30


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next allocation, up to a gigabyte.

    Otherwise large tensors, which come and go in each round, are pages given back to the system, and fetched
    again and cleared by it.
    """
    if library := _gnu():
        library.mallopt(M_MMAP_THRESHOLD, GIGABYTE)
        library.mallopt(M_TRIM_THRESHOLD, GIGABYTE)


def give_back_freed_memory() -> None:
    """Give what has been kept back to the system."""
    if library := _gnu():
        library.malloc_trim(0)


@cache
def _gnu() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
