"""Shared by all tests: one thread, as in a worker; tiny data in place of downloads."""

import gc
import os
import shutil
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # at 15, as is usual, workers starve on a busy machine
os.environ["GANSWEEP_CHECKPOINT_SECONDS"] = "0"  # tests train for less than the five minutes that are usual
os.environ["GANSWEEP_CACHE"] = (  # which the workers of pytest-xdist share with the process that starts them
    os.environ["GANSWEEP_CACHE"] if "PYTEST_XDIST_WORKER" in os.environ else tempfile.mkdtemp("-gansweep")
)

import pytest
import ray
import torch

from gansweep.contracts.specimen import random_images
from gansweep.data import Dataset

torch.set_num_threads(1)
gc.disable()  # until all is collected: what tests import and their parameters are no garbage
collect_ignore = ["conftest.py"]  # it has no doctests, and cluster/ has a module of the same name


def pytest_collection_finish():
    """Let the garbage collector pass over what stays to the end, and come less often than it usually does."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


def pytest_unconfigure():
    """Leave no cache behind."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ["GANSWEEP_CACHE"])


@pytest.fixture(scope="session")
def local_ray():
    """One real Ray with two CPUs for all tests that run studies in this process."""
    ray.shutdown()  # of a test that has started one itself
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture
def images() -> Dataset:
    """64 random images of 8x8 pixels, in four classes."""
    return random_images()
