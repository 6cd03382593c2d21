"""How a study stands, from its folder alone: whoever can read the folder can watch, from any machine."""

import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from gansweep.errors import UserError, unknown
from gansweep.results.folder import StudyFolder
from gansweep.results.incidents import read_incidents
from gansweep.results.lock import Driver, read_driver
from gansweep.results.logs import last_progress, logs_of, read_log, trials_in
from gansweep.results.plan import Plan
from gansweep.results.records import Incident, Manifest, read_manifest
from gansweep.results.row_file import RowReader, read_rows, require_known
from gansweep.results.status.progress import FailureGroup, StudyProgress

State: TypeAlias = Literal["preparing", "running", "stopped", "done"]
LATEST = 3  # incidents that are told in full
DISK_SECONDS, DISK_EVERY_SECONDS = 1.0, 60.0  # how long to look at sizes, how often


@dataclass(frozen=True)
class Status:
    """How a study stands. tally: None before there is a manifest."""

    folder: Path
    state: State
    driver: Driver | None
    command: str | None
    tally: StudyProgress | None
    labels: dict[str, str]
    seconds_left: tuple[float, float] | None
    silent_seconds: float | None  # since the last row
    incidents: list[Incident]
    lost_seconds: float  # of workers, to failures of packs, as far as their logs know
    disk: tuple[int, bool]  # bytes, and whether that is all

    def as_json(self) -> dict[str, object]:
        """All of it as JSON values."""
        tally, latest = self.tally, self.incidents[-LATEST:]
        n_ended, n_planned = tally.count() if tally else (0, None)
        return {
            "schema": "gansweep.status/1",
            "study": self.folder.resolve().name,
            "folder": str(self.folder.resolve()),
            "state": self.state,
            "driver": _driver(self.driver),
            "command": self.command,
            "trials": {"ended": n_ended, "planned": n_planned},
            "cells": list(_cells(tally, self.labels)) if tally else [],
            "last_row": tally.last_row if tally else None,
            "seconds_left": list(self.seconds_left) if self.seconds_left else None,
            "outcomes": dict(tally.outcomes) if tally else {},
            "failures": [group._asdict() for group in failures(tally)] if tally else [],
            "incidents": {
                "kinds": dict(kinds(self.incidents)),
                "latest": msgspec.to_builtins(latest),
            },
            "costs": [cost._asdict() for cost in tally.costs()] if tally else [],
            "lost_seconds": self.lost_seconds,
            "disk": dict(zip(("bytes", "is_all"), self.disk, strict=True)),
        }


class StatusReader:
    """Reads how a study stands, as often as wanted; each row is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, RowReader(folder)
        self.tally: StudyProgress | None = None
        self.counted: tuple[float, Plan] | None = None  # since when, of what plan
        self.lost: tuple[int, float] = (0, 0.0)  # of how many incidents, seconds
        self.disk, self.weighed = (0, False), -math.inf

    def read(self) -> Status:
        """Returns how the study stands now.

        Raises:
            UserError: the folder is damaged.
        """
        driver = read_driver(self.folder)
        manifest = read_manifest(self.folder) if StudyFolder(self.folder).manifest.exists() else None
        if manifest:
            self._tally(manifest, driver)
        incidents, now = read_incidents(self.folder), time.time()
        if len(incidents) != self.lost[0]:
            self.lost = len(incidents), sum(_lost_seconds(self.folder, incidents))
        if time.monotonic() - self.weighed > DISK_EVERY_SECONDS:
            self.disk, self.weighed = disk_used(self.folder), time.monotonic()
        last = self.tally.last_row if self.tally else None
        is_running = bool(driver and driver.is_running)
        return Status(
            folder=self.folder,
            state=_state(self.folder, self.tally, is_running),
            driver=driver,
            command=manifest.command if manifest else None,
            tally=self.tally,
            labels={name: variant.label for name, variant in manifest.variants.items()} if manifest else {},
            seconds_left=self.tally.seconds_left(now) if self.tally and is_running else None,
            silent_seconds=max(0.0, now - _epoch(last)) if last else None,
            incidents=incidents,
            lost_seconds=self.lost[1],
            disk=self.disk,
        )

    def _tally(self, manifest: Manifest, driver: Driver | None) -> None:
        """Take the rows that have come; all of them anew when the study was extended or has a new driver."""
        started = _epoch(driver.started) if driver and driver.is_running and driver.started else math.inf
        plan = manifest.plan
        if self.tally is None or (started, plan) != self.counted:
            self.tally, self.rows = StudyProgress(plan, started), RowReader(self.folder)
            self.counted = started, plan
        for row in self.rows.new():
            if row.cell not in self.tally.trials:
                require_known(self.folder, [row.cell], manifest)
            self.tally.note(row)


def _driver(driver: Driver | None) -> dict[str, object] | None:
    """Returns a driver as JSON values."""
    if driver is None:
        return None
    return {"at_work": driver.is_running, "host": driver.host, "pid": driver.pid, "started": driver.started}


def _state(folder: Path, tally: StudyProgress | None, is_running: bool) -> State:
    if is_running:
        return "running" if tally else "preparing"
    n_ended, n_planned = tally.count() if tally else (0, None)
    return "done" if n_ended == n_planned and StudyFolder(folder).page.exists() else "stopped"


def _cells(tally: StudyProgress, labels: dict[str, str]) -> Iterator[dict[str, object]]:
    for cell in tally.cells:
        best = tally.best[cell]
        yield {
            **{"variant": cell.variant, "dataset": cell.dataset, "label": labels[cell.variant]},
            **{"ended": tally.done[cell], "planned": tally.planned(cell), "failed": tally.failed[cell]},
            "best_fid": best if math.isfinite(best) else None,
        }


def failures(tally: StudyProgress) -> list[FailureGroup]:
    """Trials that failed alike, the most first, what may be mended before what diverged."""
    return sorted(tally.failures.values(), key=lambda group: (group.outcome == "diverged", -group.n_trials))


def kinds(incidents: list[Incident]) -> Counter[str]:
    """How many incidents of each kind and action."""
    return Counter(f"{incident.kind} ({incident.action})" for incident in incidents)


def _lost_seconds(folder: Path, incidents: list[Incident]) -> Iterator[float]:
    """What the failures of packs cost: the time of each since its pack last began or reported."""
    for incident in incidents:
        path = StudyFolder(folder).log(incident.pack)
        if path.exists():
            last = last_progress(read_log(path), before=incident.time)
            if last:
                yield _epoch(incident.time) - last.timestamp()


def disk_used(folder: Path) -> tuple[int, bool]:
    """The bytes that a folder takes on its disk, and whether they are all: a large folder far away is not
    looked through."""
    deadline, used, folders = time.monotonic() + DISK_SECONDS, 0, [folder]
    while folders:
        if time.monotonic() > deadline:
            return used, False
        for entry in _entries(folders.pop()):
            with suppress(FileNotFoundError):  # deleted meanwhile, as checkpoints are
                used += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
    return used, True


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except FileNotFoundError:
        return []


def _epoch(time_of_day: str) -> float:
    return datetime.fromisoformat(time_of_day).timestamp()


def study_folder(study: str, results: Path) -> Path:
    """The folder of a study, given by its name or as a folder, from the moment on at which its driver starts.

    Raises:
        UserError: there is none.
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
    """The logs of the packs in which a trial has trained, in order of time.

    Raises:
        UserError: there is no such trial, or its logs are gone.
    """
    found = logs_of(folder, trial)
    if found:
        return found
    known = {row.trial_id: row.files.get("log") for row in read_rows(folder)}
    if trial not in known:
        raise unknown("trial", trial, known.keys() | trials_in(folder))
    raise UserError(f"the log of {trial}, {folder / (known[trial] or 'logs')}, is not there any more")
