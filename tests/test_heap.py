"""What a worker does with memory that it has freed."""

import subprocess
import sys

import pytest

from gansweep.training.speed.heap import _gnu

ROUNDS = """
import resource
import torch
from gansweep.training.speed import heap

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def round_():
    tensors = [torch.ones(1_000_000) for _ in range(20)]  # 80 MB, much more than what is kept by itself

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

round_()
before = faults()
round_()
print(faults() - before)
heap.keep_freed_memory()
round_()
kept, before = resident(), faults()
round_()
print(faults() - before)
heap.give_back_freed_memory()
print(kept - resident())
"""


@pytest.mark.skipif(_gnu() is None, reason="the C library is not that of GNU")
def test_freed_memory_is_kept_until_it_is_given_back():
    done = subprocess.run([sys.executable, "-c", ROUNDS], capture_output=True, text=True, check=True)
    fetched, fetched_when_kept, given_back = map(float, done.stdout.split())
    assert fetched > 10_000 and fetched_when_kept < fetched / 10
    assert given_back > 70
