"""Estimates pack sizes and memory from the numbers that networks save. Results do not depend on it."""

import ctypes
import gc
from functools import lru_cache

import torch

from gansweep.data import Dataset
from gansweep.networks import ARCHITECTURES, build
from gansweep.networks.options import Binding, NetworkOptions
from gansweep.training.binding import options_of
from gansweep.training.member import Member
from gansweep.training.randomness import BLOCK
from gansweep.training.sizing.saved import n_kept

COPIES = 6  # parameters, gradients (twice: as computed and in a row), two moments, one temporary
PROCESS_BYTES = 1_000_000_000  # a worker without members: Python, torch, Ray, an extractor
CONTEXT_BYTES = 600_000_000  # memory of a process on a GPU besides its tensors
NO_MEMORY = ("out of memory", "can't allocate memory", "ALLOC_FAILED")  # in messages of torch


def pack_size_for(architecture: str, shape: tuple[int, ...], on_gpu: bool) -> int:
    """Returns the number of members to train in one pack.

    Packs are large where the overhead of launching operations dominates a step, and small where one member
    fills the processor or the memory. The criterion is the number of parameters and
    of the numbers that a round of D and G saves for a batch of 64.
    """
    n_params_g, kept_g = _network("generator", architecture, shape, NetworkOptions())
    n_params_d, kept_d = _network("discriminator", architecture, shape, NetworkOptions())
    n_numbers = n_params_g + n_params_d + 64 * (kept_g + 2 * kept_d)
    if n_numbers < 1_000_000:
        return 128 if on_gpu else 16
    return (16 if n_numbers < 400_000_000 else 4) if on_gpu else 1


def member_bytes(member: Member, dataset: Dataset) -> int:
    """Returns an estimate of the memory of a member on its device, in bytes.

    On CPUs it is within a third of the measured value. It counts the parameters, their gradients and moments,
    and the tensors that the losses save.
    """
    options = options_of([member], dataset)
    total = 0
    for name, role in member.variant.networks.items():
        n_params, kept = _network(role, member.architecture, dataset.shape, options)
        n_passes = 1 + (member.variant.n_extra_passes if name == "D" else 0)
        total += COPIES * n_params + member.batch_size * kept * n_passes
    return 4 * total


def host_bytes(member: Member, dataset: Dataset, n_images: int) -> int:
    """Returns an estimate of the host memory of a member, in bytes, also when it trains on a GPU.

    It counts the random numbers of the next rounds, and the samples during an evaluation.
    """
    size = dataset.train[0].numel()
    noise = {"none": 0, "sample": 1, "data": size}[member.variant.noise]
    drawn = BLOCK * (member.n_steps + 1) * member.batch_size
    numbers = drawn * (2 + ARCHITECTURES[member.architecture].z_dim + noise)  # an index is as large as two
    samples = n_images * size * dataset.train.element_size()
    return 2 * (4 * numbers + samples)  # the parts and their concatenation


@lru_cache
@torch.enable_grad()
def samples_at_once(architecture: str, shape: tuple[int, ...]) -> int:
    """Returns the number of samples that a generator draws at once, in about a gigabyte of memory."""
    return min(2048, 2**28 // _network("generator", architecture, shape, NetworkOptions())[1])


def limit_memory(device: torch.device, gpus: float) -> None:
    """Limit this process to its share of the memory of a GPU, so that other processes there keep theirs.

    On a CPU there is no limit.
    """
    if device.type == "cuda" and gpus < 1:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(max(0.01, gpus - CONTEXT_BYTES / total), device)


def free_memory(device: torch.device) -> None:
    """Release cached memory to the device and the system."""
    gc.collect()
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):  # of glibc; without it a worker holds the peak of its largest pack
        library.malloc_trim(0)
    if device.type == "cuda":
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory was exhausted.

    >>> out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    True
    """
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in NO_MEMORY)


@lru_cache(maxsize=256)
@torch.enable_grad()
def _network(
    role: str, architecture: str, shape: tuple[int, ...], options: NetworkOptions
) -> tuple[int, int]:
    """Returns the number of parameters of a network, and of the numbers that a call saves per input."""
    net = build({"net": role}, architecture, shape, options, seed=0)["net"]
    makes_data = role in ("generator", "decoder")
    inputs = torch.zeros(2, ARCHITECTURES[architecture].z_dim) if makes_data else torch.zeros(2, *shape)
    some = torch.tensor(0.5)
    y = torch.zeros(2, dtype=torch.int64) if options.n_classes else None
    bound = Binding(y=y, key=torch.tensor(0), dropout=some, noise=some)
    return sum(p.numel() for p in net.parameters()), n_kept(net, inputs, bound)
