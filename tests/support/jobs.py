"""A small study on digits, a job of it, and the rows that training it gives."""

import torch

from gansweep.evaluation import Evaluation
from gansweep.run.search.search import Search
from gansweep.run.search.storage import open_storage
from gansweep.study.resolve import resolve
from gansweep.study.study import Study
from gansweep.training.trainer import Trainer

CPU = torch.device("cpu")


STUDY = Study(
    variants=("ns",),
    datasets=("digits",),
    space="narrow",
    trials=3,
    steps=6,
    evaluations=3,
    evaluation=Evaluation(n_images=200),
)


def job_in(folder, digits, value=STUDY):
    resolved = resolve("s", "", value, {"digits": digits[0]})
    search = Search(resolved, open_storage(folder, None), folder, {"digits": 16})
    jobs = []
    while job := search.next_job():
        jobs.append(job)
    return max(jobs, key=lambda job: len(job.trials))


def rows_of(job, digits):
    return [row for rows in Trainer(job, *digits, CPU).rows() for row in rows]
