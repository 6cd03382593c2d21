"""Runs the packs of a search as Ray Tune trials. The only module that imports Ray.

Tune is an executor that may be thrown away: what is to be done comes from the search's storage, what was done
is in the rows. After a crash a new Tune experiment goes on from there; Tune's own snapshots are not used.
"""

import logging
import os
import re
import shutil
import signal
import socket
import traceback
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "86400")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
import torch
from ray import tune
from ray.tune.search import Searcher

from gansweep import data
from gansweep import study as studies
from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.fidelity import Evaluator
from gansweep.evaluation.reference import Reference
from gansweep.queue import Queue
from gansweep.results import Row, now, read_rows, reference_file
from gansweep.training.train import Job, Run

MAX_FAILURES = 2  # how often a pack whose worker died is tried again
CLUSTER_FILE = Path("/tmp/ray/ray_current_cluster")  # written by `ray start`


def connect(n_cpus: int | None = None) -> dict[str, Any]:
    """Join the Ray cluster there is, or start a local Ray; what it has, as JSON values.

    A process that is connected already stays so. A cluster named by RAY_ADDRESS must answer. One that is only
    remembered from a `ray start` on this machine is asked first, since Ray would wait for minutes for one
    that is gone.

    Raises:
        UserError: RAY_ADDRESS names a cluster that does not answer.
    """
    for name in ("ray", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # failures are told in rows, and by us
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    asked = os.environ.get("RAY_ADDRESS", "")
    remembered = CLUSTER_FILE.read_text().strip() if CLUSTER_FILE.exists() else ""
    asked = remembered or "nowhere" if asked == "auto" else asked
    if asked.startswith("ray://"):
        raise UserError(f"RAY_ADDRESS={asked} is for Ray's client: give host:port, on a node of the cluster")
    try:
        if ray.is_initialized():
            pass
        elif asked and asked != "local":
            if "://" not in asked and not _answers(asked):
                raise ConnectionError
            ray.init(address=asked, **quiet)
        elif remembered and _answers(remembered):
            ray.init(address=remembered, **quiet)
        else:
            ray.init(address="local", num_cpus=n_cpus, include_dashboard=False, **quiet)
    except ConnectionError:
        raise UserError(
            f"no Ray cluster answers at {asked or remembered}: start it, or unset RAY_ADDRESS"
        ) from None
    total = ray.cluster_resources()
    kinds = sorted(
        name.removeprefix("accelerator_type:") for name in total if name.startswith("accelerator_type:")
    )
    return {
        "nodes": len(ray.nodes()),
        "cpus": int(total.get("CPU", 0)),
        "gpus": int(total.get("GPU", 0)),
        "gpu_kinds": kinds if total.get("GPU") else [],
    }


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True


class Books(Protocol):
    """What the driver does with news from the workers."""

    def record(self, rows: list[Row]) -> None:
        """Take rows; some may have come before."""

    def crashed(self, trials: list[Row], pack: str, kind: str, message: str) -> None:
        """Trials (their identity and hp) of a pack whose worker failed again and again."""

    def draw(self) -> None:
        """Show progress; called often."""


def run(queue: Queue, books: Books, hardware: dict[str, Any], gpus_per_pack: float) -> None:
    """Run a queue to its end, or until it is interrupted (SIGINT, SIGTERM, SIGHUP)."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    at_once = int(hardware["gpus"] / gpus_per_pack) if gpus_per_pack else hardware["cpus"]
    resources = {"cpu": 1, "gpu": gpus_per_pack} if gpus_per_pack else {"cpu": 1}
    searcher = PackSearcher(queue)
    scratch = queue.folder / ".tune"
    shutil.rmtree(scratch, ignore_errors=True)
    tuner = tune.Tuner(
        tune.with_resources(train_pack, resources),
        param_space={
            "folder": str(queue.folder),
            "data_root": str(data.data_root().resolve()),
            "device": "cuda" if gpus_per_pack else "cpu",
        },
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            max_concurrent_trials=max(1, at_once),
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="packs",
            storage_path=str(scratch),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            callbacks=[Recorder(books, searcher)],
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class PackSearcher(Searcher):
    """Hands the packs of a queue to Tune. Holds no state worth keeping: storage and rows have it all."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(metric=None, mode="min")
        self.queue, self.at_most = queue, 1
        self.jobs: dict[str, Job] = {}  # by Tune's trial id
        self.lost: Counter[str] = Counter()  # by pack: how often Tune gave it up because its worker died

    def suggest(self, trial_id: str) -> Any:
        if len(self.jobs) >= self.at_most:
            return None
        job = self.queue.next_job()
        if job is None:
            # FINISHED is final, and a pack that is out may be handed back.
            return Searcher.FINISHED if self.queue.exhausted and not self.jobs else None
        self.jobs[trial_id] = job
        return {"pack": job.pack, "trials": job.trials}

    def again(self, job: Job) -> bool:
        """Hand a pack back whose worker died; False if that has happened too often.

        Tune may give the retries of a pack to a dead worker that it means to reuse, and so use them up
        before the pack has trained at all.
        """
        self.lost[job.pack] += 1
        if self.lost[job.pack] > MAX_FAILURES:
            return False
        self.queue.hand_back(job)
        return True

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self.jobs.pop(trial_id, None)

    def set_search_properties(self, metric: Any, mode: Any, config: Any, **spec: Any) -> bool:
        return True

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        self.at_most = max_concurrent
        return True

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for snapshots, which nobody reads


class Recorder(tune.Callback):
    """Passes rows on as they come, ends what crashed for good, and keeps the display alive."""

    def __init__(self, books: Books, searcher: PackSearcher) -> None:
        self.books, self.searcher = books, searcher

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        self.books.record(result.get("rows", []))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        kind, message = last_error(Path(trial.error_file).read_text())
        queue = self.searcher.queue
        job = Job(trial.config["pack"], trial.config["trials"], queue.study, queue.folder)
        if kind == "worker_died" and self.searcher.again(job):
            return
        self.books.crashed(job.trials, job.pack, kind, message)

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        self.books.draw()

    def __getstate__(self) -> dict[str, Any]:
        return {}


def last_error(text: str) -> tuple[str, str]:
    """Kind and message of the last failure in Tune's error file: the exception, if Python could still raise
    one; else the worker died.

    >>> last_error("Failure # 1\\nTraceback ...\\nmodule.SomeError: no such thing\\nmore\\n")
    ('SomeError', 'no such thing')
    """
    last = text.rpartition("Failure # ")[2]
    raised = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception|Interrupt)): *(.+)$", last, re.MULTILINE)
    if not raised:
        return "worker_died", "the worker process died"
    kind, message = raised[-1]
    return ("oom" if "out of memory" in message else kind), message[:500]


def train_pack(config: dict[str, Any]) -> None:
    """What a worker does: train one pack and report its rows."""
    folder = Path(config["folder"])
    log = folder / "logs" / f"{config['pack']}.log"
    log.parent.mkdir(exist_ok=True)
    try:
        torch.set_num_threads(1)
        study = studies.read(folder)
        ended = {row["trial_id"] for row in read_rows(folder) if row["outcome"] is not None}
        trials = [trial for trial in config["trials"] if trial["trial_id"] not in ended]
        if not trials:  # all had ended before the worker was lost
            return
        job = Job(config["pack"], trials, study, folder)
        device = torch.device(config["device"])
        _log(log, f"{len(job.trials)} trials on {device} of {socket.gethostname()}")
        name = job.trials[0]["dataset"]
        dataset, evaluator = _prepared(name, str(folder), config["data_root"], str(device))
        for rows in Run(job, dataset, evaluator, device).rows():
            _log(log, "".join(f"\n  {row['trial_id']} step {row['step']} {row['metrics']}" for row in rows))
            tune.report({"rows": rows})
    except Exception:
        _log(log, traceback.format_exc())
        raise


@lru_cache(maxsize=4)  # a worker trains one pack after another, mostly on the same data
def _prepared(name: str, folder: str, data_root: str, device: str) -> tuple[Dataset, Evaluator]:
    dataset = data.load(name, Path(data_root))
    study = studies.read(Path(folder))
    if dataset.sha256 != study["data_sha256"][name]:
        raise UserError(f"data set {name} in {data_root} is not the one that the study began with")
    evaluation = Evaluation(**study["evaluation"][name])
    reference = Reference.load(reference_file(Path(folder), name))
    return dataset.to(device), Evaluator(reference, evaluation, device)


def _log(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{now()} {text}\n")
