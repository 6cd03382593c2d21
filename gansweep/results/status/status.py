"""The status of a study, from its folder alone: any machine with access to the folder can watch it."""

import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from gansweep.errors import UserError, unknown
from gansweep.results.folder import StudyFolder
from gansweep.results.incidents import read_incidents
from gansweep.results.lock import Driver, read_driver
from gansweep.results.plan import Plan
from gansweep.results.records import Incident, Manifest, read_manifest
from gansweep.results.row import Outcome, epoch
from gansweep.results.row_file import RowReader, read_rows, require_known
from gansweep.results.status.logs import last_progress, logs_of, read_log, trials_in
from gansweep.results.status.progress import FailureGroup, StudyProgress

State: TypeAlias = Literal["preparing", "running", "stopped", "done"]
N_LATEST_INCIDENTS = 3  # incidents that are reported in full
_DISK_SECONDS, _DISK_EVERY_SECONDS = 1.0, 60.0  # time limit for summing file sizes; interval between sums


@dataclass(frozen=True)
class Status:
    """The status of a study. progress: None before there is a manifest."""

    folder: Path
    state: State
    driver: Driver | None
    command: str | None
    progress: StudyProgress | None
    labels: dict[str, str]
    seconds_left: tuple[float, float] | None
    silent_seconds: float | None  # since the last row
    incidents: list[Incident]
    lost_seconds: float  # worker time lost to failures of packs, as far as their logs record it
    disk: tuple[int, bool]  # bytes, and whether the sum is complete
    set_aside: list[str]  # names of what was damaged, or of something else, and was moved out of the way

    def as_json(self) -> dict[str, object]:
        """Returns the status as JSON values."""
        progress, latest = self.progress, self.incidents[-N_LATEST_INCIDENTS:]
        n_ended, n_planned = progress.count() if progress else (0, None)
        return {
            "schema": "gansweep.status/1",
            "study": self.folder.resolve().name,
            "folder": str(self.folder.resolve()),
            "state": self.state,
            "driver": _driver(self.driver),
            "command": self.command,
            "trials": {"ended": n_ended, "planned": n_planned},
            "cells": list(_cells(progress, self.labels)) if progress else [],
            "last_row": progress.last_row if progress else None,
            "seconds_left": list(self.seconds_left) if self.seconds_left else None,
            "outcomes": dict(progress.outcomes) if progress else {},
            "failures": [group._asdict() for group in failures(progress)] if progress else [],
            "incidents": {
                "kinds": dict(kinds(self.incidents)),
                "latest": msgspec.to_builtins(latest),
            },
            "costs": [cost._asdict() for cost in progress.costs()] if progress else [],
            "lost_seconds": self.lost_seconds,
            "disk": dict(zip(("bytes", "is_all"), self.disk, strict=True)),
            "set_aside": self.set_aside,
        }


class StatusReader:
    """Reads the status of a study repeatedly; each row is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, RowReader(folder)
        self.progress: StudyProgress | None = None
        self.counted: tuple[float, Plan] | None = None  # start of the driver, plan
        self.lost: tuple[int, float] = (0, 0.0)  # number of incidents, seconds
        self.disk, self.weighed = (0, False), -math.inf

    def read(self) -> Status:
        """Returns the present status of the study.

        Raises:
            UserError: the folder is damaged.
        """
        driver = read_driver(self.folder)
        manifest = read_manifest(self.folder) if StudyFolder(self.folder).manifest.exists() else None
        if manifest:
            self._count(manifest, driver)
        incidents, now = read_incidents(self.folder), time.time()
        if len(incidents) != self.lost[0]:
            self.lost = len(incidents), sum(_lost_seconds(self.folder, incidents))
        if time.monotonic() - self.weighed > _DISK_EVERY_SECONDS:
            self.disk, self.weighed = _disk_used(self.folder), time.monotonic()
        last = self.progress.last_row if self.progress else None
        is_running = bool(driver and driver.is_running)
        return Status(
            folder=self.folder,
            state=_state(self.folder, self.progress, is_running),
            driver=driver,
            command=manifest.command if manifest else None,
            progress=self.progress,
            labels={name: variant.label for name, variant in manifest.variants.items()} if manifest else {},
            seconds_left=self.progress.seconds_left(now) if self.progress and is_running else None,
            silent_seconds=max(0.0, now - epoch(last)) if last else None,
            incidents=incidents,
            lost_seconds=self.lost[1],
            disk=self.disk,
            set_aside=sorted(entry.name for entry in _entries(StudyFolder(self.folder).aside)),
        )

    def _count(self, manifest: Manifest, driver: Driver | None) -> None:
        """Count new rows; count all rows again when the study was extended or has a new driver."""
        started = epoch(driver.started) if driver and driver.is_running and driver.started else math.inf
        plan = manifest.plan
        if self.progress is None or (started, plan) != self.counted:
            self.progress, self.rows = StudyProgress(plan, started), RowReader(self.folder)
            self.counted = started, plan
        for row in self.rows.new():
            if row.cell not in self.progress.trials:
                require_known(self.folder, [row.cell], manifest)
            self.progress.note(row)


def _driver(driver: Driver | None) -> dict[str, object] | None:
    """Returns a driver as JSON values."""
    if driver is None:
        return None
    return {"at_work": driver.is_running, "host": driver.host, "pid": driver.pid, "started": driver.started}


def _state(folder: Path, progress: StudyProgress | None, is_running: bool) -> State:
    if is_running:
        return "running" if progress else "preparing"
    n_ended, n_planned = progress.count() if progress else (0, None)
    return "done" if n_ended == n_planned and StudyFolder(folder).page.exists() else "stopped"


def _cells(progress: StudyProgress, labels: dict[str, str]) -> Iterator[dict[str, object]]:
    for cell in progress.cells:
        best = progress.best[cell]
        yield {
            **{"variant": cell.variant, "dataset": cell.dataset, "label": labels[cell.variant]},
            **{
                "ended": progress.done[cell],
                "planned": progress.planned(cell),
                "failed": progress.failed[cell],
            },
            "best_fid": best if math.isfinite(best) else None,
        }


def failures(progress: StudyProgress) -> list[FailureGroup]:
    """Returns the groups of failed trials, the largest first; those that need no fix last."""
    harmless = (Outcome.DIVERGED, Outcome.FROZEN)
    return sorted(progress.failures.values(), key=lambda group: (group.outcome in harmless, -group.n_trials))


def kinds(incidents: list[Incident]) -> Counter[str]:
    """Returns the number of incidents of each kind and action."""
    return Counter(f"{incident.kind} ({incident.action})" for incident in incidents)


def _lost_seconds(folder: Path, incidents: list[Incident]) -> Iterator[float]:
    """Yields the time that each failure of a pack cost: since the last start or report of the pack [s]."""
    for incident in incidents:
        path = StudyFolder(folder).log(incident.pack)
        if path.exists():
            last = last_progress(read_log(path), before=incident.time)
            if last:
                yield epoch(incident.time) - last.timestamp()


def _disk_used(folder: Path) -> tuple[int, bool]:
    """Returns the bytes that a folder takes on its disk, and whether the sum is complete: the scan of a
    large folder on a slow disk is cut short."""
    deadline, used, folders = time.monotonic() + _DISK_SECONDS, 0, [folder]
    while folders:
        if time.monotonic() > deadline:
            return used, False
        for entry in _entries(folders.pop()):
            with suppress(FileNotFoundError):  # deleted in the meantime, as checkpoints are
                used += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
    return used, True


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except FileNotFoundError:
        return []


def study_folder(study: str, results: Path) -> Path:
    """Returns the folder of a study, given by its name or as a folder, once its driver has started.

    Raises:
        UserError: the folder does not exist.
    """
    for folder in (results / study, Path(study)):
        if _has_begun(folder):
            return folder
    known = {folder.name for folder in results.glob("*/") if _has_begun(folder)}
    raise unknown(f"study in {results}", study, known)


def _has_begun(folder: Path) -> bool:
    files = StudyFolder(folder)
    return files.manifest.exists() or files.lock.exists()


def logs(folder: Path, trial: str) -> list[Path]:
    """Returns the logs of the packs in which a trial has trained, in order of time.

    Raises:
        UserError: the trial does not exist, or its logs were deleted.
    """
    found = logs_of(folder, trial)
    if found:
        return found
    known = {row.trial_id: row.files.get("log") for row in read_rows(folder)}
    if trial not in known:
        raise unknown("trial", trial, known.keys() | trials_in(folder))
    raise UserError(f"the log of {trial}, {folder / (known[trial] or 'logs')}, no longer exists")
