"""Shared by all tests: one thread, as in a worker; tiny data in place of downloads."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import pytest
import ray
import torch
from torch import Tensor

from gansweep.data import Dataset

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def local_ray():
    """One real Ray with two CPUs for all tests that run studies in this process."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


class InDefaultPrecision(Dataset):
    """A data set whose batches have torch's default dtype, for tests that train in float64."""

    def batch(self, index: Tensor) -> Tensor:
        return super().batch(index).to(torch.get_default_dtype())


@pytest.fixture
def images() -> Dataset:
    """64 random images of 8x8 pixels."""
    pixels: Tensor = torch.randint(256, (64, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    return InDefaultPrecision(
        name="random",
        label="Random 8×8",
        kind="image",
        train=pixels.to(torch.uint8),
        test=pixels.to(torch.uint8),
        train_labels=None,
        test_labels=None,
        sha256="0",
        preprocessing="none",
    )
