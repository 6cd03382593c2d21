"""How many members a pack has, and what share of a GPU: chosen once for a data set, and stored.

On CPUs by a rule, so that a study repeats bit for bit; on GPUs by what packs showed when they were tried.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import msgspec

from gansweep.data import Dataset
from gansweep.errors import Damaged, UserError
from gansweep.results.folder import StudyFolder
from gansweep.results.plan import Plan
from gansweep.results.records import Hardware, read_manifest
from gansweep.results.study_file import ResolvedStudy
from gansweep.training.sizing.estimate import PROCESS_BYTES, host_bytes, member_bytes, pack_size_for
from gansweep.training.sizing.probe import Device, Measurement, largest_member

SAFE = 0.8  # the share of a memory that may be planned with
GAIN = 1.1  # by which twice the members must train faster, for a larger pack to be worth it
FULL = 0.9  # a GPU that computes for this share of the time is full
MOST_PACKS = 8  # on one GPU


class Wishes(Protocol):
    """What a user sets; None: chosen here."""

    @property
    def pack_size(self) -> int | None: ...

    @property
    def gpus_per_pack(self) -> float | None: ...


@dataclass(frozen=True)
class Packing:
    """How a data set's trials are packed. kinds: the devices that `measured` is of, one list for each."""

    pack_size: int  # most members in a pack
    gpus: float  # of a pack; 0: it trains on a CPU
    why: str  # a phrase
    kinds: tuple[str, ...] = ()
    measured: tuple[tuple[Measurement, ...], ...] = ()


@dataclass(frozen=True)
class Probed:
    """What packs showed on one kind of device, in the order they were tried: sizes grow."""

    device: Device
    measured: tuple[Measurement, ...]
    failure: str = ""  # why there are none


# (folder, data set, sizes to try, kinds of GPU to try them on, none: any) -> an entry for each kind
Probe = Callable[[Path, str, Sequence[int], Sequence[str]], list[Probed]]


def choose_packing(
    folder: Path,
    study: ResolvedStudy,
    datasets: Mapping[str, Dataset],
    options: Wishes,
    hardware: Hardware,
    probe: Probe,
) -> dict[str, Packing]:
    """How the trials of each data set are packed: as the study's manifest has it, else chosen now.

    hardware: see `gansweep.run.ray.hardware`. probe: tries packs where they will run.

    Raises:
        UserError: no node of the cluster can hold a pack.
    """
    require_room(options.gpus_per_pack, hardware)
    wished = options.gpus_per_pack
    on_gpu = hardware.gpus_of_a_node > 0 if wished is None else wished > 0
    recorded = read_packing(folder)
    chosen = {}
    for name, dataset in datasets.items():
        old = recorded.get(name)
        if old and still_holds(old, options, on_gpu, hardware.gpu_kinds):
            chosen[name] = old
        elif not on_gpu:
            chosen[name] = on_cpu(study, dataset, options.pack_size, hardware.gb_per_cpu)
        elif options.pack_size and wished:
            chosen[name] = Packing(options.pack_size, wished, "as requested")
        else:
            sizes = sizes_to_try(study, options.pack_size, hardware.most_gpus)
            probed = probe(folder, name, sizes, hardware.gpu_kinds)
            tried = [choose(one, wished) for one in probed if one.measured]
            chosen[name] = combine(tried) if tried else untried(study, dataset, options, probed[0].failure)
    return chosen


def require_room(gpus: float | None, hardware: Hardware) -> None:
    """Raise UserError if no node that is there, or that may be added, can ever hold a pack."""
    if gpus and not (most := hardware.gpus_of_a_node):
        raise UserError(
            f"gpus_per_pack is {gpus:g}, but no node here has a GPU: leave it out to train on CPUs"
        )
    if gpus and gpus > most:
        raise UserError(
            f"gpus_per_pack must be at most {most:g}, as many as one node here has, but got {gpus:g}"
        )
    if gpus and gpus > 1 and gpus != int(gpus):
        raise UserError(f"gpus_per_pack must be a whole number above 1, but got {gpus:g}")
    if not gpus and not hardware.most_cpus:
        raise UserError("a pack needs a CPU, and no node of this Ray cluster offers one: start one with CPUs")


def read_packing(folder: Path) -> dict[str, Packing]:
    """What the manifest of a study says of its packs; nothing where there is none."""
    if not StudyFolder(folder).manifest.exists():
        return {}
    try:
        return {name: msgspec.convert(one, Packing) for name, one in read_manifest(folder).packing.items()}
    except msgspec.ValidationError as error:
        raise Damaged(f"{StudyFolder(folder).manifest} is damaged: packing: {error}") from None


def to_json(packing: Mapping[str, Packing]) -> dict[str, object]:
    """For the manifest: the inverse of `read_packing`."""
    return {name: asdict(entry) for name, entry in packing.items()}


def still_holds(old: Packing, options: Wishes, on_gpu: bool, kinds: Sequence[str]) -> bool:
    """Whether a resumed study keeps its packing: unless devices or options have changed."""
    same_size = options.pack_size in (None, old.pack_size)
    same_share = options.gpus_per_pack in (None, old.gpus)
    same_devices = (old.gpus > 0) == on_gpu and (not old.kinds or set(kinds) <= set(old.kinds))
    return same_size and same_share and same_devices


def on_cpu(study: ResolvedStudy, dataset: Dataset, requested: int | None, gb: float | None) -> Packing:
    """The packs of a data set on CPUs. gb: 10^9 bytes for each worker, None: unknown."""
    if requested:
        return Packing(requested, 0.0, "as requested")
    size = pack_size_for(study.architectures[dataset.name], dataset.shape, on_gpu=False)
    member = largest_member(study, dataset)
    n_images = study.n_images(dataset.name)
    own = member_bytes(member, dataset) + host_bytes(member, dataset, n_images)
    memory = 1e9 * (gb or math.inf)
    room = (SAFE * memory - PROCESS_BYTES - dataset.train.nbytes - dataset.test.nbytes) / own
    if room >= size:
        return Packing(size, 0.0, "by the size of the networks")
    return Packing(max(1, int(room)), 0.0, f"more would not fit the {gb} GB that a worker has")


def untried(study: ResolvedStudy, dataset: Dataset, options: Wishes, failure: str) -> Packing:
    """The packs of a data set on GPUs where none could be tried."""
    size = options.pack_size or pack_size_for(study.architectures[dataset.name], dataset.shape, True)
    why = f"by the size of the networks: packs could not be tried: {failure}"
    return Packing(size, options.gpus_per_pack or 1.0, why)


def sizes_to_try(study: Plan, requested: int | None, n_gpus: int) -> list[int]:
    """Powers of two, up to what a cell can fill and what leaves no GPU of the cluster without a pack."""
    if requested:
        return [requested]
    n_trials = study.trials * len(study.cells)
    most = max(1, min(study.trials, n_trials // max(1, n_gpus)))
    return [2**i for i in range(most.bit_length())]


def enough(measured: Sequence[Measurement], device: Device, share: float = 1.0) -> str | None:
    """Why no pack larger than the last one is worth trying; None if one is. share: of the device."""
    last = measured[-1]
    if not fits(last, device, share):
        return f"a pack of {last.pack_size} needs more than {SAFE:.0%} of the memory"
    if len(measured) == 1:
        return None
    before = measured[-2]
    if last.rate < GAIN * before.rate:
        gain = last.rate / before.rate
        return f"a pack of {last.pack_size} is only {gain:.2f} times as fast as one of {before.pack_size}"
    step = last.pack_size / (last.pack_size - before.pack_size)
    twice = replace(
        last,
        memory=last.memory + int(step * (last.memory - before.memory)),
        host_memory=last.host_memory + int(step * (last.host_memory - before.host_memory)),
    )
    if not fits(twice, device, share):
        return f"a pack of {2 * last.pack_size} would need more than {SAFE:.0%} of the memory"
    return None


def fits(measured: Measurement, device: Device, share: float = 1.0) -> bool:
    """Whether a pack has room in this share of a device, and of its machine."""
    return (
        measured.fits
        and measured.memory <= SAFE * share * device.memory
        and measured.host_memory <= SAFE * share * device.host_memory
    )


def choose(probed: Probed, requested: float | None = None) -> Packing:
    """The size of a pack, and its share of a GPU unless that is requested.

    A pack grows while twice the members train at least a tenth faster and fit the memory. One that leaves the
    GPU idle shares it: with as many as keep it busy, have a CPU each, and fit both memories, eight at most.
    """
    device, share = probed.device, min(1.0, requested or 1.0)
    best, why = _size(probed.measured, device, share)
    busy = f"one of {best.pack_size} keeps the GPU busy for {best.busy:.0%} of the time" if best.fits else ""
    why = "; ".join(filter(None, (f"on {device.kind}: {why}", busy)))
    n_packs = 1 if requested else packs_at_once(best, device)
    if n_packs > 1:
        why += f", so {n_packs} share it"
    gpus = requested or math.floor(1e4 / n_packs) / 1e4  # Ray counts ten-thousandths, and must not round up
    return Packing(best.pack_size, gpus, why, (device.kind,), (probed.measured,))


def _size(measured: Sequence[Measurement], device: Device, share: float) -> tuple[Measurement, str]:
    """The best pack that was tried, and why no larger one."""
    for end, last in enumerate(measured, 1):
        why = enough(measured[:end], device, share)
        if why is None:
            continue
        too_far = not fits(last, device, share) or (end > 1 and last.rate < GAIN * measured[end - 2].rate)
        return (measured[end - 2] if too_far and end > 1 else last), why
    return measured[-1], "no larger pack was tried"


def packs_at_once(measured: Measurement, device: Device) -> int:
    """How many such packs share a GPU."""
    if not fits(measured, device):
        return 1
    bounds = (
        MOST_PACKS,
        math.ceil(FULL / max(measured.busy, 1e-3)),
        int(device.n_cpus),
        int(SAFE * device.memory / max(1, measured.memory)),
        int(SAFE * device.host_memory / max(1, measured.host_memory)),
    )
    return max(1, min(bounds))


def combine(packings: Sequence[Packing]) -> Packing:
    """One packing for GPUs of several kinds: the smallest pack, the largest share."""
    least = min(packings, key=lambda packing: packing.pack_size)
    return replace(
        least,
        gpus=max(packing.gpus for packing in packings),
        kinds=tuple(kind for packing in packings for kind in packing.kinds),
        measured=tuple(measured for packing in packings for measured in packing.measured),
    )
