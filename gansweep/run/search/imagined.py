"""A search that is only imagined: the packs that it would hand out."""

from pathlib import Path

import optuna

from gansweep.results.row import Cell
from gansweep.results.study_file import ResolvedStudy
from gansweep.run.search.search import Search
from gansweep.space import INDEPENDENT
from gansweep.training.job import Job


def jobs_by_cell(resolved: ResolvedStudy, sizes: dict[str, int]) -> dict[Cell, list[Job]]:
    """The packs of a study: the very ones of a random search; for a sampler that waits for results, those it
    would ask for if all trials crashed, which teaches it nothing: as many trials, in about as many packs."""
    search = Search(resolved, optuna.storages.InMemoryStorage(), Path(), sizes)
    jobs: dict[Cell, list[Job]] = {cell: [] for cell in search.cells}
    while not search.exhausted and (job := search.next_job()):
        jobs[job.cell].append(job)
        if resolved.sampler not in INDEPENDENT:
            for trial in job.trials:
                search.cells[job.cell].stored.finish(trial.trial_number, None)
    return jobs
