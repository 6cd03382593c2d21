"""The heap of this process."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
GIGABYTE = 2**30


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next allocation, up to a gigabyte.

    Otherwise large tensors, which come and go in each round, are pages given back to the system, and fetched
    again and cleared by it. Does nothing where the C library is not that of GNU.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, GIGABYTE)
        libc.mallopt(M_TRIM_THRESHOLD, GIGABYTE)
