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
from typing import Any, Literal, TypeAlias

from gansweep.errors import UserError, unknown
from gansweep.results.incidents import FILE, Incident, read_incidents
from gansweep.results.lock import LOCK, Driver, read_driver
from gansweep.results.logs import last_progress, logs_of, read_log, trials_in
from gansweep.results.outlines import INCIDENT, ROW, Outline, misfit
from gansweep.results.row_file import RowReader, read_manifest, read_rows, require_known
from gansweep.results.status.progress import FailureGroup, Tally

State: TypeAlias = Literal["preparing", "running", "stopped", "done"]
assert isinstance(ROW, dict)
WATCHED: Outline = {  # of a row, what is quickly checked; the rest is looked at when a Tally cannot take it
    name: ROW[name]
    for name in (
        *("phase", "dataset", "variant", "trial_id", "trial_number", "is_default", "step", "steps_planned"),
        *("seed", "outcome", "train_seconds", "eval_seconds", "device", "gpus", "gpu_kind"),
    )
}
LATEST = 3  # incidents that are told in full
DISK_SECONDS, DISK_EVERY_SECONDS = 1.0, 60.0  # how long to look at sizes, how often


@dataclass(frozen=True)
class Status:
    """How a study stands. tally: None before there is a manifest."""

    folder: Path
    state: State
    driver: Driver | None
    command: str | None
    tally: Tally | None
    labels: dict[str, str]
    seconds_left: tuple[float, float] | None
    silent_seconds: float | None  # since the last row
    incidents: list[Incident]
    lost_seconds: float  # of workers, to failures of packs, as far as their logs know
    disk: tuple[int, bool]  # bytes, and whether that is all

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        tally = self.tally
        n_ended, n_planned = tally.count() if tally else (0, None)
        return {
            "schema": "gansweep.status/1",
            "study": self.folder.resolve().name,
            "folder": str(self.folder.resolve()),
            "state": self.state,
            "driver": self.driver._asdict() if self.driver else None,
            "command": self.command,
            "trials": {"ended": n_ended, "planned": n_planned},
            "cells": list(_cells(tally, self.labels)) if tally else [],
            "last_row": tally.last_row if tally else None,
            "seconds_left": list(self.seconds_left) if self.seconds_left else None,
            "outcomes": dict(tally.outcomes) if tally else {},
            "failures": [group._asdict() for group in failures(tally)] if tally else [],
            "incidents": {"kinds": dict(kinds(self.incidents)), "latest": self.incidents[-LATEST:]},
            "costs": [cost._asdict() for cost in tally.costs()] if tally else [],
            "lost_seconds": self.lost_seconds,
            "disk": dict(zip(("bytes", "is_all"), self.disk, strict=True)),
        }


class Watch:
    """Looks at a study again and again; rows are read once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, RowReader(folder)
        self.tally: Tally | None = None
        self.counted: tuple[float, dict[str, Any]] | None = None  # since when, of what study
        self.lost: tuple[int, float] = (0, 0.0)  # of how many incidents, seconds
        self.disk, self.weighed = (0, False), -math.inf

    def look(self) -> Status:
        """How the study stands now.

        Raises:
            UserError: the folder is damaged.
        """
        driver = read_driver(self.folder)
        manifest = read_manifest(self.folder) if (self.folder / "manifest.json").exists() else None
        if manifest:
            self._tally(manifest, driver)
        incidents, now = checked_incidents(self.folder), time.time()
        if len(incidents) != self.lost[0]:
            self.lost = len(incidents), sum(_lost_seconds(self.folder, incidents))
        if time.monotonic() - self.weighed > DISK_EVERY_SECONDS:
            self.disk, self.weighed = disk_used(self.folder), time.monotonic()
        last = self.tally.last_row if self.tally else None
        at_work = bool(driver and driver.at_work)
        return Status(
            folder=self.folder,
            state=_state(self.folder, self.tally, at_work),
            driver=driver,
            command=manifest["command"] if manifest else None,
            tally=self.tally,
            labels={name: v["label"] for name, v in manifest["variants"].items()} if manifest else {},
            seconds_left=self.tally.seconds_left(now) if self.tally and at_work else None,
            silent_seconds=max(0.0, now - _epoch(last)) if last else None,
            incidents=incidents,
            lost_seconds=self.lost[1],
            disk=self.disk,
        )

    def _tally(self, manifest: dict[str, Any], driver: Driver | None) -> None:
        """Take the rows that have come; all of them anew when the study was extended or has a new driver."""
        started = _epoch(driver.started) if driver and driver.at_work and driver.started else math.inf
        budget = {"datasets": list(manifest["datasets"]), "variants": list(manifest["variants"])}
        budget |= {"seed": manifest["sampler_seed"]} | manifest["budget"]
        if self.tally is None or (started, budget) != self.counted:
            self.tally, self.rows = Tally(budget, started), RowReader(self.folder)
            self.counted = started, budget
        for row in self.rows.new(WATCHED):
            try:
                self.tally.note(row)
            except (KeyError, TypeError, ValueError, AttributeError):
                self.rows.require(row, ROW)
                require_known(self.folder, [(row["dataset"], row["variant"])], manifest)
                raise


def _state(folder: Path, tally: Tally | None, at_work: bool) -> State:
    if at_work:
        return "running" if tally else "preparing"
    n_ended, n_planned = tally.count() if tally else (0, None)
    return "done" if n_ended == n_planned and (folder / "report" / "index.html").exists() else "stopped"


def _cells(tally: Tally, labels: dict[str, str]) -> Iterator[dict[str, Any]]:
    for cell in tally.cells:
        best = tally.best[cell]
        yield {
            **{"variant": cell[0], "dataset": cell[1], "label": labels[cell[0]]},
            **{"ended": tally.done[cell], "planned": tally.planned(cell), "failed": tally.failed[cell]},
            "best_fid": best if math.isfinite(best) else None,
        }


def failures(tally: Tally) -> list[FailureGroup]:
    """Trials that failed alike, the most first, what may be mended before what diverged."""
    return sorted(tally.failures.values(), key=lambda group: (group.outcome == "diverged", -group.n_trials))


def kinds(incidents: list[Incident]) -> Counter[str]:
    """How many incidents of each kind and action."""
    return Counter(f"{incident['kind']} ({incident['action']})" for incident in incidents)


def checked_incidents(folder: Path) -> list[Incident]:
    """The incidents of a study whose folder may come from somebody else.

    Raises:
        UserError: one lacks something that an incident has.
    """
    incidents = read_incidents(folder)
    for incident in incidents:
        if wrong := misfit(incident, INCIDENT, "incident"):
            raise UserError(f"{folder / FILE} is damaged: {wrong}; restore the file")
    return incidents


def _lost_seconds(folder: Path, incidents: list[Incident]) -> Iterator[float]:
    """What the failures of packs cost: the time of each since its pack last began or reported."""
    for incident in incidents:
        path = folder / "logs" / f"{incident['pack']}.log"
        if path.exists():
            last = last_progress(read_log(path), before=incident["time"])
            if last:
                yield _epoch(incident["time"]) - last.timestamp()


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
        if any((folder / name).exists() for name in ("manifest.json", LOCK)):
            return folder
    known = {file.parent.name for name in ("manifest.json", LOCK) for file in results.glob(f"*/{name}")}
    raise unknown(f"study in {results}", study, known)


def logs(folder: Path, trial: str) -> list[Path]:
    """The logs of the packs in which a trial has trained, in order of time.

    Raises:
        UserError: there is no such trial, or its logs are gone.
    """
    found = logs_of(folder, trial)
    if found:
        return found
    known = {row["trial_id"]: row["files"].get("log") for row in read_rows(folder)}
    if trial not in known:
        raise unknown("trial", trial, known.keys() | trials_in(folder))
    raise UserError(f"the log of {trial}, {folder / (known[trial] or 'logs')}, is not there any more")
