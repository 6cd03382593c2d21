"""The driver's books: what comes from the workers is written, told to the queue and shown."""

import math
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from gansweep.loggers import Logger
from gansweep.progress import Progress
from gansweep.queue import Queue
from gansweep.results import Row, RowWriter, blank_row, now, read_rows
from gansweep.training.checkpoints import Checkpoints
from gansweep.variants import VARIANTS


class Ledger:
    """Every row is written, told to the queue, shown and logged, in this order: a crash loses none of it."""

    def __init__(
        self,
        folder: Path,
        study: dict[str, Any],
        writer: RowWriter,
        queue: Queue,
        loggers: Iterable[Logger] = (),
    ) -> None:
        self.study, self.writer, self.queue, self.loggers = study, writer, queue, list(loggers)
        self.checkpoints = Checkpoints(folder)
        self.progress = Progress(study, {name: VARIANTS[name].label for name in study["variants"]})
        self.scores: dict[str, float] = {}  # the best FID of every trial so far
        self.best: dict[tuple[str, str, str], str] = {}  # the best finished trial of a cell in a phase
        for row in read_rows(folder):
            self.progress.note(row, earlier=True)
            self._tidy(row)

    def record(self, rows: list[Row]) -> None:
        """Take rows as they come from a worker; what is known already is passed over."""
        for row in self.writer.append(rows):
            self.queue.tell(row)
            self.progress.note(row)
            self._tidy(row)
            for logger in list(self.loggers):
                self._trying(logger, partial(logger.log, row))

    def close(self) -> None:
        """No more rows come: close the loggers."""
        for logger in list(self.loggers):
            self._trying(logger, logger.close)

    def _trying(self, logger: Logger, action: Callable[[], None]) -> None:
        """Switch a logger off that fails: nothing that only watches may stop a study."""
        try:
            action()
        except Exception as error:  # whatever a tracker and its server may raise
            self.loggers.remove(logger)
            print(f"logger {logger.name} is switched off: {type(error).__name__}: {error}", file=sys.stderr)

    def crashed(self, trials: list[Row], pack: str, kind: str, message: str) -> None:
        """End trials whose worker failed again and again."""
        rows = []
        for trial in trials:
            latest = self.writer.latest.get(trial["trial_id"]) or blank_row(trial, self.study, pack)
            failure = {"kind": kind, "message": message, "step": latest["step"]}
            end = {"metrics": {}, "terms": {}, "outcome": "crashed", "failure": failure, "time": now()}
            rows.append(latest | end)
        self.record(rows)

    def draw(self) -> None:
        self.progress.draw()

    def _tidy(self, row: Row) -> None:
        """Keep no training state of a finished trial, and of a cell one generator a phase, the best."""
        trial, cell = row["trial_id"], (row["variant"], row["dataset"], row["phase"])
        fid = row["metrics"].get("fid")
        self.scores[trial] = min(self.scores.get(trial, math.inf), math.inf if fid is None else fid)
        if row["outcome"] is None:
            return
        self.checkpoints.forget_training(trial)
        best = self.best.get(cell)
        loser: str | None = trial
        if row["outcome"] == "ok" and (best is None or self.scores[trial] < self.scores[best]):
            self.best[cell], loser = trial, best
        if loser:
            self.checkpoints.forget(loser)
