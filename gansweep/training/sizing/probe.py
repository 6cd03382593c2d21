"""Measures packs of growing size on a device: their rate, their memory and the utilisation of the device.

Experimental on GPUs: the CUDA branches of this module have never run on a CUDA device. On a CPU the module
measures the whole process.
"""

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch.profiler import ProfilerActivity, profile

from gansweep.data import Dataset
from gansweep.evaluation.evaluator import Evaluator, to_uint8
from gansweep.evaluation.extractors import extract
from gansweep.results.study_file import ResolvedStudy
from gansweep.space import Choice, Scalar, Space, Uniform
from gansweep.training.binding import sampling_labels
from gansweep.training.member import Member, common, make_member
from gansweep.training.pack import Pack
from gansweep.training.randomness import BLOCK, latents
from gansweep.training.sizing.estimate import (
    CONTEXT_BYTES,
    PROCESS_BYTES,
    free_memory,
    host_bytes,
    member_bytes,
    out_of_memory,
    samples_at_once,
)
from gansweep.variants import VARIANTS

WARM_UP = 5  # rounds
SECONDS = 2.0  # limit on the timed rounds of one pack
BUDGET = 30.0  # seconds, after which larger packs are not measured


@dataclass(frozen=True)
class Device:
    """A device for packs. kind: the `accelerator_type` of Ray, or "cpu". Memory in bytes.

    n_cpus and host_memory are the share of one device in those of its machine.
    """

    kind: str
    memory: int
    n_cpus: float
    host_memory: float


@dataclass(frozen=True)
class Measurement:
    """The measurement of one size of a pack. Memory is the peak in bytes, on the device and on the host."""

    pack_size: int
    fits: bool  # False: memory was exhausted, and the other fields are unknown
    rate: float = 0.0  # steps per second, summed over the members
    busy: float = 0.0  # utilisation of the device, in [0, 1]
    memory: int = 0
    host_memory: int = 0


def largest_member(study: ResolvedStudy, dataset: Dataset) -> Member:
    """Returns the member that needs the most memory among those of a resolved study on a data set."""
    members = [
        make_member(
            VARIANTS[name],
            hp,
            trial_id="probe",
            dataset=dataset.name,
            architecture=study.architectures[dataset.name],
            seed=0,
            **common(study),
        )
        for name in study.variants
        for hp in costliest_configurations(study.defaults[name], study.space(name))
    ]
    n_images = study.n_images(dataset.name)
    return max(members, key=lambda m: member_bytes(m, dataset) + host_bytes(m, dataset, n_images))


def costliest_configurations(default: dict[str, Scalar], space: Space) -> Iterator[dict[str, Scalar]]:
    """Yields the costliest configuration of a space for each norm.

    >>> from gansweep.space import choice, loguniform
    >>> list(costliest_configurations({"lr": 0.1}, {"lr": loguniform(1e-5, 1), "n_critic": choice(1, 5)}))
    [{'lr': 0.1, 'n_critic': 5}]
    """
    most = dict(default)
    for name in ("n_critic", "d_extra_layers", "d_dropout", "d_noise"):
        match space.get(name):
            case Choice(options):
                most[name] = max(options)
            case Uniform(_, high):
                most[name] = high
    norms = space.get("d_norm")
    if not isinstance(norms, Choice):
        yield most
        return
    for norm in norms.options:
        yield most | {"d_norm": norm}


def try_sizes(
    member: Member,
    dataset: Dataset,
    evaluator: Evaluator,
    device: torch.device,
    sizes: Sequence[int],
    enough: Callable[[list[Measurement]], object],
) -> list[Measurement]:
    """Measure packs of a member in growing sizes, until `enough` is true or 30 seconds have passed."""
    started = time.perf_counter()
    measured: list[Measurement] = []
    dataset = dataset.to(device)
    for size in sizes:
        measured.append(measure(member, size, dataset, evaluator, device))
        if enough(measured) or time.perf_counter() - started > BUDGET:
            break
    return measured


def measure(
    member: Member, pack_size: int, dataset: Dataset, evaluator: Evaluator, device: torch.device
) -> Measurement:
    """Train a pack of copies of a member for some rounds and draw samples as an evaluation does.

    dataset: on the device. Exhausted memory gives a measurement that does not fit, not an error.
    """
    members = [replace(member, seed=seed, trial_id=f"probe-{seed}") for seed in range(pack_size)]
    try:
        return _measure(members, dataset, evaluator, device)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return Measurement(pack_size, fits=False)
    finally:
        free_memory(device)


def _measure(
    members: list[Member], dataset: Dataset, evaluator: Evaluator, device: torch.device
) -> Measurement:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    pack = Pack(members, dataset, device)
    pack.trace()
    seconds = _round_seconds(pack)
    busy = min(1.0, _busy_seconds(pack) / seconds)
    _evaluate_once(pack, evaluator)
    data = sum(tensor.nbytes for tensor in (dataset.train, dataset.test))
    n_images = evaluator.evaluation.n_images
    return Measurement(
        len(members),
        fits=True,
        rate=len(members) * members[0].n_steps / seconds,
        busy=busy,
        memory=_peak_bytes(device),
        host_memory=PROCESS_BYTES + data + len(members) * host_bytes(members[0], dataset, n_images),
    )


def _round_seconds(pack: Pack) -> float:
    """Returns the seconds of a round, with its share of the random numbers, which are drawn in blocks."""
    for _ in range(WARM_UP):
        pack.round()
    _wait(pack.device)
    started, n_rounds = time.perf_counter(), 0
    while n_rounds < BLOCK and time.perf_counter() - started < SECONDS:
        pack.round()
        _wait(pack.device)
        n_rounds += 1
    return (time.perf_counter() - started) / n_rounds


def _busy_seconds(pack: Pack) -> float:
    """Returns the seconds of a round in which the device computes."""
    on_gpu = pack.device.type == "cuda"
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiler:
        pack.round()
        _wait(pack.device)
    times = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    microseconds: float = sum(getattr(event, times) for event in profiler.key_averages())
    return microseconds / 1e6


def _evaluate_once(pack: Pack, evaluator: Evaluator) -> None:
    """Allocate what an evaluation holds on the device: a chunk of samples, and a batch for the extractor."""
    n = samples_at_once(pack.members[0].architecture, pack.dataset.shape)
    z = latents((n, pack.z_dim), pack.prior, torch.Generator().manual_seed(0))
    y = sampling_labels(pack.dataset, n, seed=0) if pack.members[0].is_conditional else None
    samples = next(pack.samples(z, y))[0].nan_to_num()
    seen = to_uint8(samples) if pack.dataset.kind == "image" else samples
    size = evaluator.spec.batch_size
    extract(evaluator.network, seen[:size].cpu(), size, pack.device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_bytes(device: torch.device) -> int:
    """Returns the peak memory in bytes: on a GPU tensors and context, on a CPU the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) + CONTEXT_BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
