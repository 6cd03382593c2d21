"""What a worker does."""

import faulthandler
import gc
import logging
import os
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import Any

import torch
from ray import tune

import gansweep
from gansweep import data
from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator
from gansweep.evaluation.stored import study_reference
from gansweep.files import VARIABLE, append_line, retry_io
from gansweep.results.folder import StudyFolder
from gansweep.results.row import Trial, now
from gansweep.results.row_file import read_rows
from gansweep.results.status.logs import STARTED
from gansweep.results.study_file import read_study
from gansweep.run.failures import Raised
from gansweep.training.job import Job
from gansweep.training.sizing.estimate import free_memory, limit_memory
from gansweep.training.trainer import Trainer


def versions() -> dict[str, str]:
    """Of what must be the same on all nodes, for their trials to be comparable."""
    names = ("numpy", "torch", "torch-fidelity", "torchvision")
    return {"gansweep": gansweep.__version__} | {name: version(name) for name in names}


def train_pack(config: dict[str, Any]) -> None:
    """What a worker does: train one pack and report its rows."""
    os.environ[VARIABLE] = str(config["patience"])
    folder = Path(config["folder"])
    files = StudyFolder(folder)
    try:
        log = files.log(config["pack"])
    except UserError as error:
        raise Raised.by(error) from None
    try:
        require_same(config["versions"])
        torch.set_num_threads(1)
        retry_io(lambda: files.study.stat(), f"{folder} cannot be read")
        job = Job.from_config(config, read_study(folder), folder)
        if log.exists():  # an earlier worker may have ended some of the trials, or all
            job = replace(job, trials=unfinished(job.trials, folder))
        if not job.trials:
            return
        name, gpus = job.cell.dataset, gpus_granted()
        device = torch.device("cuda" if gpus else "cpu")
        names = " ".join(trial.trial_id for trial in job.trials)
        _log(log, f"{len(job.trials)}{STARTED}{device} of {socket.gethostname()}: {names}")
        limit_memory(device, gpus)
        dataset, evaluator = prepared(name, folder, config["data_root"], device)
        with warnings_in(log), watchdog(log, job.study.time_limit_seconds) as alive:
            trainer = Trainer(job, dataset, evaluator, device, alive, gpus, config["checkpoint_seconds"])
            for rows in trainer.rows():
                faulthandler.cancel_dump_traceback_later()  # the driver may be slow to listen
                _log(log, "".join(f"\n  {row.trial_id} step {row.step} {row.metrics}" for row in rows))
                if rows:  # to report takes a turn of the driver, which the worker waits for
                    tune.report({"rows": rows})
                alive()
        free_memory(device)  # the process may be given a pack of another size next
    except Exception as error:
        _log(log, traceback.format_exc())
        raise Raised.by(error) from None


@contextmanager
def warnings_in(log: Path) -> Iterator[None]:
    """What modules of gansweep warn of stands in the log of the pack, too."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            _log(log, record.getMessage())

    handler, logger = Handler(logging.WARNING), logging.getLogger("gansweep")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def unfinished(trials: list[Trial], folder: Path) -> list[Trial]:
    """Returns the trials that have not ended, by the rows of the study."""
    ended = {row.trial_id for row in read_rows(folder) if row.outcome is not None}
    return [trial for trial in trials if trial.trial_id not in ended]


def require_same(expected: dict[str, str]) -> None:
    """Raise UserError if this node does not have the versions that the driver has."""
    for name, here in versions().items():
        if here != expected[name]:
            raise UserError(
                f"node {socket.gethostname()} has {name} {here}, but the driver {expected[name]}: "
                "install the same on all nodes"
            )


@contextmanager
def watchdog(log: Path, seconds: float) -> Iterator[Callable[[], None]]:
    """Ends this process, and says in the log where it hung, when the function that this gives is not called
    for so long. It does so whatever Python hangs in, since no Python is needed for it."""
    with log.open("a") as file:

        def alive() -> None:
            faulthandler.dump_traceback_later(min(seconds, TIMEOUT_MAX), exit=True, file=file)

        alive()
        try:
            yield alive
        finally:
            faulthandler.cancel_dump_traceback_later()


@lru_cache(maxsize=4)  # a worker trains one pack after another, mostly on the same data
def prepared(name: str, folder: Path, data_root: str, device: torch.device) -> tuple[Dataset, Evaluator]:
    """A data set on the device and what scores samples against it, as a study's folder has them.

    Raises:
        UserError: it is another data set here.
    """
    study = read_study(folder)
    evaluation = Evaluation.of(study, name)
    dataset = data.load(name, Path(data_root), evaluation.validates)
    if dataset.sha256 != study.data_sha256[name]:
        raise UserError(f"data set {name} in {data_root} is not the one of the study")
    reference = study_reference(StudyFolder(folder).reference(name), dataset, evaluation, device)
    gc.freeze()  # loaded once per process: keep the garbage collector from scanning it
    return dataset.to(device), Evaluator(reference, evaluation, device)


def _log(log: Path, text: str) -> None:
    retry_io(lambda: append_line(log, f"{now()} {text}"), f"{log} cannot be written")


def gpus_granted() -> float:
    """The share of a GPU that Tune has given to the pack that trains in this worker."""
    granted: float = tune.get_context().get_trial_resources().bundles[0].get("GPU", 0.0)
    return granted
