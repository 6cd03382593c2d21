"""What a study would do: how many trials and packs, how long on this machine, how much disk."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch

from gansweep import data
from gansweep import study as studies
from gansweep.data import Dataset
from gansweep.evaluation import Evaluation
from gansweep.evaluation.fidelity import Evaluator
from gansweep.evaluation.reference import Reference, build_reference
from gansweep.phases import n_planned
from gansweep.progress import duration
from gansweep.run import Options, pack_sizes
from gansweep.search import Cell, Search
from gansweep.study import Study
from gansweep.training.pack import Pack
from gansweep.training.train import Job, draw_samples, evaluation_rounds, generator_of

CALIBRATION_SECONDS = 1.0  # of training, for each cell
OVERHEAD_SECONDS = 30.0  # Ray's start, tables and report


@dataclass(frozen=True)
class Forecast:
    """One cell: a variant on a data set."""

    cell: Cell
    n_trials: int
    n_packs: int
    n_steps: int
    n_evaluations: int
    seconds: float  # of one worker
    bytes_at_work: int  # checkpoints of a pack while it trains
    bytes_kept: int


def plan(name: str, question: str, study: Study, options: Options) -> str:
    """The plan of a study as text, with a forecast from a short calibration on this machine.

    Raises:
        UserError: the study could not run.
    """
    validates = study.evaluation.validates
    datasets = {key: data.load(key, validation=validates) for key in study.datasets}
    resolved = studies.resolve(name, question, study, datasets)
    on_gpu = torch.cuda.is_available() and options.gpus_per_pack != 0
    device = torch.device("cuda" if on_gpu else "cpu")
    sizes = pack_sizes(resolved, datasets, options.pack_size, on_gpu)
    references = {
        key: build_reference(dataset, Evaluation(**resolved["evaluation"][key]))
        for key, dataset in datasets.items()
    }
    forecasts = [
        forecast(jobs, datasets[cell.dataset], references[cell.dataset], device)
        for cell, jobs in jobs_by_cell(resolved, sizes).items()
    ]
    n_workers = len(os.sched_getaffinity(0))
    if on_gpu:
        n_workers = max(1, int(torch.cuda.device_count() / (options.gpus_per_pack or 1)))
    return "\n".join(
        [*_head(resolved), "", *_table(forecasts), "", *_foot(forecasts, resolved, n_workers, device)]
    )


def jobs_by_cell(resolved: dict[str, Any], sizes: dict[str, int]) -> dict[Cell, list[Job]]:
    """The packs of a study: the very ones of a random search; for a sampler that waits for results, those it
    would ask for if it never learnt any, so about as many."""
    search = Search(resolved, optuna.storages.InMemoryStorage(), Path(), sizes)
    jobs: dict[Cell, list[Job]] = {cell: [] for cell in search.cells}
    while not search.exhausted and (job := search.next_job()):
        jobs[Cell(job.trials[0]["variant"], job.trials[0]["dataset"])].append(job)
    return jobs


def forecast(jobs: list[Job], dataset: Dataset, reference: Reference, device: torch.device) -> Forecast:
    """What the packs of a cell will take, from a short run of the largest one."""
    study = jobs[0].study
    largest = max(jobs, key=lambda job: len(job.trials))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a worker has it
    pack = Pack(largest.members(), dataset.to(device), device)
    update_seconds = _time_updates(pack)
    state = [t for player in pack.state(0)["players"].values() for t in player.values()]
    evaluation_seconds = _time_evaluation(pack, Evaluation(**study["evaluation"][dataset.name]), reference)
    torch.set_num_threads(threads)
    seconds, n_steps, n_evaluations = 0.0, 0, 0
    for job in jobs:
        member = job.members()[0]
        rounds = evaluation_rounds(study["steps"], member.n_steps, study["evaluations"])
        n_updates = rounds[-1] * (member.n_steps + len(pack.moves) - 1)
        seconds += n_updates * update_seconds * len(job.trials) / len(largest.trials)
        seconds += len(rounds) * len(job.trials) * evaluation_seconds
        n_steps += rounds[-1] * member.n_steps * len(job.trials)
        n_evaluations += len(rounds) * len(job.trials)
    bytes_of_one = sum(tensor.nbytes for tensor in state)
    first = largest.trials[0]
    return Forecast(
        cell=Cell(first["variant"], first["dataset"]),
        n_trials=sum(len(job.trials) for job in jobs),
        n_packs=len(jobs),
        n_steps=n_steps,
        n_evaluations=n_evaluations,
        seconds=seconds,
        bytes_at_work=2 * bytes_of_one * len(largest.trials),  # two checkpoints a trial
        bytes_kept=bytes_of_one // 3 + 20_000 * sum(len(job.trials) for job in jobs),
    )


def _time_updates(pack: Pack) -> float:
    """The seconds of one update of one player of a pack."""
    pack.round()
    n_rounds, started = 0, time.perf_counter()
    while time.perf_counter() - started < CALIBRATION_SECONDS:
        pack.round()
        n_rounds += 1
        pack.diverged.any().item()  # waits for a GPU
    return (time.perf_counter() - started) / n_rounds / sum(pack.moves.values())


def _time_evaluation(pack: Pack, evaluation: Evaluation, reference: Reference) -> float:
    """The seconds of one evaluation of one trial of a pack."""
    evaluator = Evaluator(reference, evaluation, pack.device)
    pack.select([0])
    started = time.perf_counter()
    samples, labels, _ = draw_samples(pack, evaluation)
    evaluator.score(samples[0], labels, generator_of(pack, 0))
    return time.perf_counter() - started


def _head(resolved: dict[str, Any]) -> list[str]:
    question = resolved["question"].splitlines()[:1]
    budget = f"{resolved['steps']:,} steps and {resolved['evaluations']} evaluations a trial"
    sampler = f"{resolved['sampler']} search, seed {resolved['seed']}"
    metrics = [f"{e['extractor']} on {e['n_images']:,} images" for e in resolved["evaluation"].values()]
    return [f"{resolved['name']}: {' '.join(question)}", f"{budget}; {sampler}; FID by {', '.join(metrics)}"]


def _table(forecasts: list[Forecast]) -> list[str]:
    lines = [f"{'cell':<26}{'trials':>8}{'packs':>8}{'steps':>14}{'evaluations':>13}{'worker time':>14}"]
    for f in forecasts:
        name = f"{f.cell.variant} on {f.cell.dataset}"
        numbers = f"{f.n_trials:>8}{f.n_packs:>8}{f.n_steps:>14,}{f.n_evaluations:>13,}"
        lines.append(f"{name:<26}{numbers}{duration(f.seconds):>14}")
    return lines


def _foot(
    forecasts: list[Forecast], resolved: dict[str, Any], n_workers: int, device: torch.device
) -> list[str]:
    n_trials, n_packs = (sum(getattr(f, name) for f in forecasts) for name in ("n_trials", "n_packs"))
    n_reruns = (n_planned(resolved) - resolved["trials"]) * len(forecasts)
    growth = 1 + n_reruns / n_trials  # a trial of a later phase costs as much as one of the search
    seconds = growth * sum(f.seconds for f in forecasts) / n_workers + OVERHEAD_SECONDS
    at_work = n_workers * max(f.bytes_at_work for f in forecasts)
    kept = growth * sum(f.bytes_kept for f in forecasts)
    workers = f"{n_workers} worker{'s' if n_workers > 1 else ''} on {device.type}"
    return [
        f"in all {len(forecasts)} cells, {n_trials} trials in {n_packs} packs",
        *([f"then {n_reruns} trials on fresh seeds"] if n_reruns else []),
        f"time about {duration(seconds)} with {workers}, as measured here just now",
        f"disk about {kept / 1e6:,.0f} MB kept, {at_work / 1e6:,.0f} MB more while it runs",
    ]
