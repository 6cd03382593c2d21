"""Trials as runs of TensorBoard, Weights & Biases or MLflow, for who watches there. Off unless asked for.

Every trial is a run, grouped by study and cell, with its hyperparameters, its metrics and loss terms by step,
and at last its outcome as a tag. A logger is given each new row once, after the row is on disk; a run that an
earlier driver began is gone on with. What they show is a copy: `rows.jsonl` is the truth, and a driver that
is killed at the wrong moment leaves the last row out of the copy.
"""

import importlib
import os
import time
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Protocol

from gansweep.errors import UserError, unknown
from gansweep.results.outlines import read_outlined
from gansweep.results.row_file import FAILED, IDENTITY, Row, slug

MOST_OPEN = 100  # runs that a logger keeps open: a file and a thread each


class Logger(Protocol):
    """What is told of each new row."""

    name: str

    def log(self, row: Row) -> None:
        """Take a row that no logger of this kind has been given before."""

    def close(self) -> None:
        """No more rows come from this driver."""


class RunPerTrial(ABC):
    """A run is open from the first row of its trial to the outcome, unless too many others are used more."""

    name: str
    package: str
    environment: ClassVar[dict[str, str]] = {}  # what the package reads, unless the user has set it

    def __init__(self, study: dict[str, Any], folder: Path) -> None:
        """study: as resolved; folder: the study's, with its manifest."""
        self.study, self.folder = study, folder
        self.created = read_outlined(folder / "manifest.json", {"created": str})["created"]
        self.runs: dict[str, Any] = {}  # by trial_id, the one used last at the end
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        self.module = importlib.import_module(self.package)

    def log(self, row: Row) -> None:
        trial = row["trial_id"]
        run = self.runs.pop(trial, None) or self._open(row)
        self.runs[trial] = run
        if row["metrics"]:
            self._write(run, row)
        if row["outcome"] is not None:
            self._end(run, row)
            self._release(self.runs.pop(trial), row["outcome"])
        elif len(self.runs) > MOST_OPEN:
            self._release(self.runs.pop(next(iter(self.runs))), None)

    def close(self) -> None:
        while self.runs:
            self._release(self.runs.popitem()[1], None)

    @abstractmethod
    def _open(self, row: Row) -> Any:
        """The run of a row's trial, begun now or by an earlier driver."""

    @abstractmethod
    def _write(self, run: Any, row: Row) -> None:
        """Add what a row has measured."""

    @abstractmethod
    def _end(self, run: Any, row: Row) -> None:
        """Note the outcome."""

    @abstractmethod
    def _release(self, run: Any, outcome: str | None) -> None:
        """Keep nothing open; an outcome of None means that the trial goes on."""


class TensorBoard(RunPerTrial):
    """Event files in tensorboard/<data set>/<variant>/<trial_id>."""

    name, package = "tensorboard", "tensorboardX"

    def _open(self, row: Row) -> Any:
        folder = self.folder / "tensorboard" / slug(row["dataset"]) / row["variant"] / row["trial_id"]
        earlier = len(list(folder.glob("events*")))
        # Files are named by the second, and one of the same name would be overwritten.
        writer = self.module.SummaryWriter(str(folder), filename_suffix=f".{earlier}")
        if not earlier:
            first, second, _ = self._hparams(row)
            writer.file_writer.add_summary(first)
            writer.file_writer.add_summary(second)
        return writer

    def _write(self, run: Any, row: Row) -> None:
        for name, value in scalars(row).items():
            run.add_scalar(name, value, row["step"])
        run.flush()

    def _end(self, run: Any, row: Row) -> None:
        run.add_text("outcome", ending(row), row["step"])
        run.file_writer.add_summary(self._hparams(row)[2])

    def _release(self, run: Any, outcome: str | None) -> None:
        run.close()

    def _hparams(self, row: Row) -> Any:
        """What TensorBoard's HPARAMS page reads: what is compared, the trial's start, and its end."""
        metrics = self.study["evaluation"][row["dataset"]]["metrics"]
        values = {name: row[name] for name in ("dataset", "variant", "phase", "seed")} | row["hp"]
        summary = importlib.import_module("tensorboardX.summary")
        return summary.hparams(values, {f"metrics/{name}": 0.0 for name in metrics})


class WandB(RunPerTrial):
    """Runs of the project named as the study, offline in wandb/ unless WANDB_MODE says otherwise."""

    name, package = "wandb", "wandb"
    environment: ClassVar[dict[str, str]] = {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false"}

    def _open(self, row: Row) -> Any:
        quiet = {name: True for name in ("silent", "x_disable_stats", "disable_git", "disable_code")}
        return self.module.init(
            project=slug(self.study["name"]),
            group=f"{row['variant']} on {row['dataset']}",
            job_type=row["phase"],
            name=row["trial_id"],
            # A study that was begun anew under the same name does not go on with the runs of the old one.
            id=f"{row['trial_id']}-{slug(self.created).replace('_', '')}",
            resume="allow",
            config={name: row[name] for name in IDENTITY} | row["hp"],
            dir=str(self.folder),
            settings=self.module.Settings(console="off", reinit="create_new", **quiet),
        )

    def _write(self, run: Any, row: Row) -> None:
        run.log(scalars(row), step=row["step"], commit=True)

    def _end(self, run: Any, row: Row) -> None:
        run.summary["outcome"] = row["outcome"]
        run.summary["ending"] = ending(row)
        run.tags = (*(run.tags or ()), row["outcome"])

    def _release(self, run: Any, outcome: str | None) -> None:
        run.finish(exit_code=int(outcome in FAILED))


class MLflow(RunPerTrial):
    """Runs of the experiment named as the study, at MLFLOW_TRACKING_URI or else in the folder mlruns/."""

    name, package = "mlflow", "mlflow"
    # MLflow refuses to write to a folder unless it is told that it may.
    environment: ClassVar[dict[str, str]] = {
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }

    def __init__(self, study: dict[str, Any], folder: Path) -> None:
        super().__init__(study, folder)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or (folder / "mlruns").resolve().as_uri()
        self.client = importlib.import_module("mlflow.tracking").MlflowClient(uri)
        self.entities = importlib.import_module("mlflow.entities")
        experiment = self.client.get_experiment_by_name(study["name"])
        self.experiment = (
            experiment.experiment_id if experiment else self.client.create_experiment(study["name"])
        )
        self.begun = {run.data.tags["trial_id"]: run.info.run_id for run in self._unfinished()}

    def _unfinished(self) -> list[Any]:
        """The runs of this study that have no outcome."""
        runs: list[Any] = []
        token: str | None = ""
        while token is not None:
            page = self.client.search_runs(
                [self.experiment],
                f"tags.study_created = '{self.created}'",
                max_results=1000,
                page_token=token,
            )
            runs += [run for run in page if "outcome" not in run.data.tags]
            token = page.token or None
        return runs

    def _open(self, row: Row) -> Any:
        trial = row["trial_id"]
        if trial not in self.begun:
            tags = {name: str(row[name]) for name in IDENTITY} | {"study_created": self.created}
            run = self.client.create_run(self.experiment, tags=tags, run_name=trial)
            params = [self.entities.Param(name, str(value)) for name, value in row["hp"].items()]
            self.client.log_batch(run.info.run_id, params=params)
            self.begun[trial] = run.info.run_id
        return self.begun[trial]

    def _write(self, run: Any, row: Row) -> None:
        now = round(time.time() * 1000)
        metrics = [self.entities.Metric(name, v, now, row["step"]) for name, v in scalars(row).items()]
        self.client.log_batch(run, metrics=metrics)

    def _end(self, run: Any, row: Row) -> None:
        tags = {"outcome": row["outcome"], "ending": ending(row)}
        self.client.log_batch(run, tags=[self.entities.RunTag(*tag) for tag in tags.items()])
        self.client.set_terminated(run, "FAILED" if row["outcome"] in FAILED else "FINISHED")
        del self.begun[row["trial_id"]]

    def _release(self, run: Any, outcome: str | None) -> None:
        """Nothing is open."""


LOGGERS: dict[str, type[RunPerTrial]] = {logger.name: logger for logger in (TensorBoard, WandB, MLflow)}


def check_loggers(names: tuple[str, ...]) -> None:
    """Raise UserError for a name that no logger has, or a package that is not installed."""
    for name in names:
        if name not in LOGGERS:
            raise unknown("logger", name, LOGGERS)
        package = LOGGERS[name].package
        if find_spec(package) is None:
            raise UserError(f"logger {name!r} needs the package {package}: pip install {package}")


def open_loggers(names: tuple[str, ...], study: dict[str, Any], folder: Path) -> list[Logger]:
    """The loggers of these names, for a resolved study and its folder, whose manifest is written.

    Raises:
        UserError: as `check_loggers`.
    """
    check_loggers(names)
    return [LOGGERS[name](study, folder) for name in dict.fromkeys(names)]


def scalars(row: Row) -> dict[str, float]:
    """The numbers of a row by name; what was not finite is left out.

    >>> row = {"metrics": {"fid": 3.0, "kid": None}, "terms": {"generator_fake": 0.5}, "train_seconds": 1.5}
    >>> scalars(row)
    {'metrics/fid': 3.0, 'loss/generator_fake': 0.5, 'cost/train_seconds': 1.5}
    """
    named = {f"metrics/{name}": value for name, value in row["metrics"].items()}
    named |= {f"loss/{name}": value for name, value in row["terms"].items()}
    named |= {"cost/train_seconds": row["train_seconds"]}
    return {name: value for name, value in named.items() if value is not None}


def ending(row: Row) -> str:
    """How a trial ended, in words.

    >>> ending({"outcome": "ok", "failure": None})
    'ok'
    """
    failure = row["failure"]
    return f"{row['outcome']}: {failure['message']}" if failure else str(row["outcome"])
