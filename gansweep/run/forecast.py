"""Forecast of a study, or of what is left of it: trials and packs, time on this machine, disk."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from gansweep import data
from gansweep.data import Dataset
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator, Reference
from gansweep.evaluation.stored import shared_reference
from gansweep.results import phases
from gansweep.results.halving import share_left
from gansweep.results.records import Hardware
from gansweep.results.row import Cell, Row
from gansweep.results.row_file import read_rows
from gansweep.results.status.words import duration
from gansweep.results.study_file import ResolvedStudy
from gansweep.run import ray
from gansweep.run.driver import check_same_study
from gansweep.run.options import Options
from gansweep.run.packing import Packing, Probed, choose_packing, enough
from gansweep.run.search.imagined import jobs_by_cell
from gansweep.space import INDEPENDENT, at_a_time
from gansweep.study.remarks import remarks
from gansweep.study.resolve import resolve
from gansweep.study.study import Study
from gansweep.training.job import Job, evaluation_rounds
from gansweep.training.pack import Pack
from gansweep.training.samples import draw_samples, member_generator
from gansweep.training.sizing.probe import Device, largest_member, try_sizes

CALIBRATION_SECONDS = 1.0  # of training, for each cell
OVERHEAD_SECONDS = 30.0  # Ray's start, tables and report


@dataclass(frozen=True)
class Forecast:
    """The search of one cell, a variant on a data set: what is left of it."""

    cell: Cell
    n_trials: int
    n_packs: int
    n_steps: int
    n_evaluations: int
    seconds: float  # of one worker
    seconds_of_trial: float  # a whole one
    bytes_while_training: int  # checkpoints of a pack while it trains
    bytes_stored: int  # of all trials, the finished ones included


def plan(name: str, question: str, study: Study, options: Options) -> str:
    """The plan of a study as text, with a forecast from a short calibration on this machine; of one that has
    rows, what is left.

    Raises:
        UserError: the study could not run.
    """
    validates = study.evaluation.validates
    datasets = {key: data.load(key, validation=validates) for key in study.datasets}
    resolved = resolve(name, question, study, datasets)
    folder = options.results / name
    rows = list(read_rows(folder))
    if rows:
        check_same_study(folder, resolved)
    n_left = phases.n_left(resolved, phases.finished_trials(rows))
    references = {
        key: shared_reference(dataset, Evaluation.of(resolved, key)) for key, dataset in datasets.items()
    }
    hardware = ray.describe_machine()
    try_here = partial(probe_here, resolved, datasets, references, hardware)
    packing = choose_packing(folder, resolved, datasets, options, hardware, try_here)
    device = torch.device("cuda" if any(p.gpus for p in packing.values()) else "cpu")
    sizes = {key: chosen.pack_size for key, chosen in packing.items()}
    forecasts = [
        forecast(jobs, datasets[cell.dataset], references[cell.dataset], device, progress_of(rows))
        for cell, jobs in jobs_by_cell(resolved, sizes).items()
    ]
    busy = {key: at_once(resolved, chosen, hardware) for key, chosen in packing.items()}
    head, foot = [*_head(resolved), *remarks(study)], _foot(forecasts, n_left, packing, busy)
    return "\n".join([*head, *_packs(packing), "", *_table(forecasts), "", *foot])


def probe_here(
    resolved: ResolvedStudy,
    datasets: Mapping[str, Dataset],
    references: Mapping[str, Reference],
    hardware: Hardware,
    folder: Path,
    name: str,
    sizes: Sequence[int],
    kinds: Sequence[str],
) -> list[Probed]:
    """Try packs on this machine's GPU; see `packing.Probe`."""
    device = torch.device("cuda")
    n_gpus, n_cpus = hardware.gpus, hardware.cpus
    where = Device(
        torch.cuda.get_device_name(device),
        torch.cuda.get_device_properties(device).total_memory,
        n_cpus / n_gpus,
        1e9 * (hardware.gb_per_cpu or 0.0) * n_cpus / n_gpus,
    )
    evaluator = Evaluator(references[name], Evaluation.of(resolved, name), device)
    member = largest_member(resolved, datasets[name])
    measured = try_sizes(member, datasets[name], evaluator, device, sizes, partial(enough, device=where))
    return [Probed(where, tuple(measured))]


def progress_of(rows: Iterable[Row]) -> dict[str, float]:
    """The share of its steps that each trial has behind it, by trial_id; 1 if it has ended."""
    return {row.trial_id: 1.0 if row.outcome else row.step / row.steps_planned for row in rows}


def forecast(
    jobs: list[Job],
    dataset: Dataset,
    reference: Reference,
    device: torch.device,
    done: Mapping[str, float],
) -> Forecast:
    """What the packs of a cell will still take, from a short run of the largest one.

    done: the share of its steps that each trial has behind it.
    """
    study = jobs[0].study
    largest = max(jobs, key=lambda job: len(job.trials))
    pack, update_seconds, evaluation_seconds = _timed(largest, dataset.to(device), reference)
    seconds, left, n_steps, n_evaluations = 0.0, 0.0, 0.0, 0.0
    for job in jobs:
        member = job.members()[0]
        rounds = evaluation_rounds(study.steps, member.n_steps, study.evaluations)
        n_updates = rounds[-1] * (member.n_steps + len(pack.updates_per_round) - 1)
        own = n_updates * update_seconds + len(rounds) * evaluation_seconds
        behind = {trial.trial_number: done.get(trial.trial_id, 0.0) for trial in job.trials}
        n_left = sum(share_left(study, number, share) for number, share in behind.items() if share < 1)
        seconds, left = seconds + own * len(job.trials), left + own * n_left
        n_steps += rounds[-1] * member.n_steps * n_left
        n_evaluations += len(rounds) * n_left
    n_trials = sum(len(job.trials) for job in jobs)
    unfinished = [job for job in jobs if any(done.get(trial.trial_id, 0) < 1 for trial in job.trials)]
    players = pack.state(0)["players"].values()
    bytes_of_one = sum(tensor.nbytes for tensors in players for tensor in tensors.values())
    return Forecast(
        cell=largest.cell,
        n_trials=sum(done.get(trial.trial_id, 0) < 1 for job in jobs for trial in job.trials),
        n_packs=len(unfinished),
        n_steps=round(n_steps),
        n_evaluations=round(n_evaluations),
        seconds=left,
        seconds_of_trial=seconds / n_trials,
        bytes_while_training=2 * bytes_of_one * len(largest.trials),  # two checkpoints a trial
        bytes_stored=bytes_of_one // 3 + 20_000 * n_trials,
    )


def _timed(job: Job, dataset: Dataset, reference: Reference) -> tuple[Pack, float, float]:
    """The pack of a job, and a trial's seconds an update and an evaluation, on one thread as in workers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pack = Pack(job.members(), dataset, dataset.train.device)
    update_seconds = _time_updates(pack) / len(job.trials)
    evaluation_seconds = _time_evaluation(pack, Evaluation.of(job.study, dataset.name), reference)
    torch.set_num_threads(threads)
    return pack, update_seconds, evaluation_seconds


def _time_updates(pack: Pack) -> float:
    """The seconds of one update of one player of a pack."""
    pack.round()
    n_rounds, started = 0, time.perf_counter()
    while time.perf_counter() - started < CALIBRATION_SECONDS:
        pack.round()
        n_rounds += 1
        pack.diverged.any().item()  # waits for a GPU
    return (time.perf_counter() - started) / n_rounds / sum(pack.updates_per_round.values())


def _time_evaluation(pack: Pack, evaluation: Evaluation, reference: Reference) -> float:
    """The seconds of one evaluation of one trial of a pack."""
    evaluator = Evaluator(reference, evaluation, pack.device)
    pack.select([0])
    started = time.perf_counter()
    samples, labels, _ = draw_samples(pack, evaluation)
    evaluator.score(samples[0], labels, member_generator(pack, 0))
    return time.perf_counter() - started


def _head(resolved: ResolvedStudy) -> list[str]:
    question = resolved.question.splitlines()[:1]
    budget = f"{resolved.steps:,} steps and {resolved.evaluations} evaluations a trial"
    sampler = f"{resolved.sampler} search, seed {resolved.seed}"
    metrics = [f"{e['extractor']} on {e['n_images']:,} images" for e in resolved.evaluation.values()]
    return [f"{resolved.name}: {' '.join(question)}", f"{budget}; {sampler}; FID by {', '.join(metrics)}"]


def _table(forecasts: list[Forecast]) -> list[str]:
    lines = [f"{'cell':<26}{'trials':>8}{'packs':>8}{'steps':>14}{'evaluations':>13}{'worker time':>14}"]
    for f in forecasts:
        name = f"{f.cell.variant} on {f.cell.dataset}"
        numbers = f"{f.n_trials:>8}{f.n_packs:>8}{f.n_steps:>14,}{f.n_evaluations:>13,}"
        lines.append(f"{name:<26}{numbers}{duration(f.seconds):>14}")
    return lines


def _packs(packing: Mapping[str, Packing]) -> list[str]:
    return [
        f"packs of at most {chosen.pack_size} on {key}, "
        f"{f'each with {chosen.gpus:g} of a GPU' if chosen.gpus else 'each on a CPU'}: {chosen.why}"
        for key, chosen in packing.items()
    ]


def _foot(
    forecasts: list[Forecast], n_left: int, packing: Mapping[str, Packing], n_workers: Mapping[str, int]
) -> list[str]:
    n_trials, n_packs = (sum(getattr(f, name) for f in forecasts) for name in ("n_trials", "n_packs"))
    n_reruns = n_left - n_trials
    search = sum(f.seconds / n_workers[f.cell.dataset] for f in forecasts)
    # A trial of a later phase costs as much as one of the search, on average.
    again = sum(f.seconds_of_trial / n_workers[f.cell.dataset] for f in forecasts) / len(forecasts)
    seconds = search + n_reruns * again + OVERHEAD_SECONDS * (n_left > 0)
    while_training = max(f.bytes_while_training * n_workers[f.cell.dataset] for f in forecasts) * (n_left > 0)
    stored = sum(f.bytes_stored for f in forecasts) + 20_000 * n_reruns
    n_most = max(n_workers.values())
    device = "GPUs" if any(chosen.gpus for chosen in packing.values()) else "CPUs"
    return [
        f"in all {len(forecasts)} cells, {n_trials} trials in {n_packs} packs",
        *([f"then {n_reruns} trials on fresh seeds"] if n_reruns else []),
        f"time about {duration(seconds)} with {n_most} worker{'s' if n_most > 1 else ''} on {device}, "
        "as measured here just now",
        f"disk about {stored / 1e6:,.0f} MB stored, {while_training / 1e6:,.0f} MB more while it runs",
    ]


def at_once(study: ResolvedStudy, packing: Packing, hardware: Hardware) -> int:
    """How many packs of a study train at once here: a guided search has few trials that run."""
    n_workers = workers(packing, hardware)
    if study.sampler in INDEPENDENT:
        return n_workers
    return min(n_workers, len(study.cells) * at_a_time(study.trials))


def workers(packing: Packing, hardware: Hardware) -> int:
    """How many packs train at once here."""
    return max(1, int(hardware.gpus / packing.gpus) if packing.gpus else hardware.cpus)
