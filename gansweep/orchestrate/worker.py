"""What a worker does."""

import socket
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from ray import tune

from gansweep import data
from gansweep import study as studies
from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.fidelity import Evaluator
from gansweep.evaluation.reference import Reference
from gansweep.results import now, read_rows, reference_file
from gansweep.training.train import Job, Run


def train_pack(config: dict[str, Any]) -> None:
    """What a worker does: train one pack and report its rows."""
    folder = Path(config["folder"])
    log = folder / "logs" / f"{config['pack']}.log"
    log.parent.mkdir(exist_ok=True)
    try:
        torch.set_num_threads(1)
        ended = {row["trial_id"] for row in read_rows(folder) if row["outcome"] is not None}
        trials = [trial for trial in config["trials"] if trial["trial_id"] not in ended]
        if not trials:  # all had ended before the worker was lost
            return
        job = Job(config["pack"], trials, studies.read(folder), folder)
        device = torch.device(config["device"])
        _log(log, f"{len(job.trials)} trials on {device} of {socket.gethostname()}")
        name = job.trials[0]["dataset"]
        dataset, evaluator = prepared(name, folder, config["data_root"], device)
        for rows in Run(job, dataset, evaluator, device).rows():
            _log(log, "".join(f"\n  {row['trial_id']} step {row['step']} {row['metrics']}" for row in rows))
            tune.report({"rows": rows})
    except Exception:
        _log(log, traceback.format_exc())
        raise


@lru_cache(maxsize=4)  # a worker trains one pack after another, mostly on the same data
def prepared(name: str, folder: Path, data_root: str, device: torch.device) -> tuple[Dataset, Evaluator]:
    """A data set on the device and what scores samples against it, as a study's folder has them.

    Raises:
        UserError: it is another data set here.
    """
    study = studies.read(folder)
    evaluation = Evaluation(**study["evaluation"][name])
    dataset = data.load(name, Path(data_root), evaluation.validates)
    if dataset.sha256 != study["data_sha256"][name]:
        raise UserError(f"data set {name} in {data_root} is not the one that the study began with")
    reference = Reference.load(reference_file(folder, name))
    return dataset.to(device), Evaluator(reference, evaluation, device)


def _log(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{now()} {text}\n")
