"""Tries packs on a device: how fast they train, what memory they take, how busy they keep it.

Written for GPUs; on a CPU the same code measures the process as a whole.
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
SECONDS = 2.0  # of rounds that are timed, at most, for one pack
BUDGET = 30.0  # seconds, after which no larger pack is tried


@dataclass(frozen=True)
class Device:
    """What packs run on. kind: as `accelerator_type` in Ray, or "cpu". Bytes; CPUs and the memory of the
    machine are for each device of the machine."""

    kind: str
    memory: int
    n_cpus: float
    host_memory: float


@dataclass(frozen=True)
class Measurement:
    """One size of a pack, tried. Bytes at the peak, of the device and of the machine's own memory."""

    pack_size: int
    fits: bool  # False: the device ran out of memory, and nothing else is known
    rate: float = 0.0  # steps a second, of all members together
    busy: float = 0.0  # share of the time that the device computes, in [0, 1]
    memory: int = 0
    host_memory: int = 0


def largest_member(study: ResolvedStudy, dataset: Dataset) -> Member:
    """Of the members that a resolved study may train on a data set, the one that needs the most memory."""
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
    """Configurations of a space with the most work for the networks, one for each norm.

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
    """Measure packs of one kind of member, of growing size, until that is enough or 30 seconds are over."""
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
    """Train a pack of members like this one for some rounds, and let it make the samples of an evaluation.

    dataset: on the device. That memory is not enough is an answer, not an error.
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
    """The seconds of a round; its share of drawing random numbers, once for many rounds, is in it."""
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
    """The seconds of a round in which the device computes."""
    on_gpu = pack.device.type == "cuda"
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiler:
        pack.round()
        _wait(pack.device)
    times = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    microseconds: float = sum(getattr(event, times) for event in profiler.key_averages())
    return microseconds / 1e6


def _evaluate_once(pack: Pack, evaluator: Evaluator) -> None:
    """What an evaluation holds on the device at a time: a chunk of samples, a batch that is looked at."""
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
    """Of a GPU: tensors at their peak, and what the process takes besides. Of a CPU: the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) + CONTEXT_BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
