"""Trials as runs of MLflow."""

import importlib
import os
import time
from pathlib import Path
from typing import Any, ClassVar

from gansweep.results.row import FAILED, IDENTITY, Outcome, Row
from gansweep.results.study_file import ResolvedStudy
from gansweep.run.trackers.base import RunPerTrial, outcome_text, scalars


class MLflow(RunPerTrial):
    """Runs of the experiment named as the study, at MLFLOW_TRACKING_URI or else in the folder mlruns/."""

    name, package = "mlflow", "mlflow"
    # MLflow refuses to write to a folder unless it is told that it may.
    environment: ClassVar[dict[str, str]] = {
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }

    def __init__(self, study: ResolvedStudy, folder: Path) -> None:
        super().__init__(study, folder)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or (folder / "mlruns").resolve().as_uri()
        self.client = importlib.import_module("mlflow.tracking").MlflowClient(uri)
        self.entities = importlib.import_module("mlflow.entities")
        experiment = self.client.get_experiment_by_name(study.name)
        self.experiment = (
            experiment.experiment_id if experiment else self.client.create_experiment(study.name)
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
        trial = row.trial_id
        if trial not in self.begun:
            tags = {name: str(getattr(row, name)) for name in IDENTITY} | {"study_created": self.created}
            run = self.client.create_run(self.experiment, tags=tags, run_name=trial)
            params = [self.entities.Param(name, str(value)) for name, value in row.hp.items()]
            self.client.log_batch(run.info.run_id, params=params)
            self.begun[trial] = run.info.run_id
        return self.begun[trial]

    def _write(self, run: Any, row: Row) -> None:
        now = round(time.time() * 1000)
        metrics = [self.entities.Metric(name, v, now, row.step) for name, v in scalars(row).items()]
        self.client.log_batch(run, metrics=metrics)

    def _end(self, run: Any, row: Row) -> None:
        tags = {"outcome": row.outcome, "ending": outcome_text(row)}
        self.client.log_batch(run, tags=[self.entities.RunTag(*tag) for tag in tags.items()])
        self.client.set_terminated(run, "FAILED" if row.outcome in FAILED else "FINISHED")
        del self.begun[row.trial_id]

    def _release(self, run: Any, outcome: Outcome | None) -> None:
        """Nothing is open."""
