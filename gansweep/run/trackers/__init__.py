"""Experiment trackers: TensorBoard, Weights & Biases, MLflow. Off unless requested.

Every trial is a run, grouped by study and cell, with its hyperparameters, its metrics and loss terms by step,
and finally its outcome as a tag. A tracker is sent each new row once, after the row is on disk; it continues
runs that an earlier driver began. Trackers hold a copy: `rows.jsonl` is the truth, and a driver that is
killed at the wrong moment leaves the last row out of the copy.
"""

from importlib.util import find_spec
from pathlib import Path

from gansweep.errors import UserError, unknown
from gansweep.results.study_file import ResolvedStudy
from gansweep.run.trackers.base import RunPerTrial, Tracker
from gansweep.run.trackers.mlflow import MLflow
from gansweep.run.trackers.tensorboard import TensorBoard
from gansweep.run.trackers.wandb import WandB

TRACKERS: dict[str, type[RunPerTrial]] = {tracker.name: tracker for tracker in (TensorBoard, WandB, MLflow)}


def check_trackers(names: tuple[str, ...]) -> None:
    """Raise UserError for an unknown tracker, or one whose package is not installed."""
    for name in names:
        if name not in TRACKERS:
            raise unknown("tracker", name, TRACKERS)
        package = TRACKERS[name].package
        if find_spec(package) is None:
            raise UserError(f"tracker {name!r} needs the package {package}: pip install {package}")


def open_trackers(names: tuple[str, ...], study: ResolvedStudy, folder: Path) -> list[Tracker]:
    """Returns trackers. folder: of the study, with its manifest.

    Raises:
        UserError: as `check_trackers`.
    """
    check_trackers(names)
    return [TRACKERS[name](study, folder) for name in dict.fromkeys(names)]
