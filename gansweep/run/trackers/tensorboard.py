"""Trials as runs of TensorBoard."""

import importlib
from typing import Any

from gansweep.results.row import Outcome, Row, slug
from gansweep.run.trackers.base import RunPerTrial, outcome_text, scalars


class TensorBoard(RunPerTrial):
    """Event files in tensorboard/<data set>/<variant>/<trial_id>."""

    name, package = "tensorboard", "tensorboardX"

    def _open(self, row: Row) -> Any:
        folder = self.folder / "tensorboard" / slug(row.dataset) / row.variant / row.trial_id
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
            run.add_scalar(name, value, row.step)
        run.flush()

    def _end(self, run: Any, row: Row) -> None:
        run.add_text("outcome", outcome_text(row), row.step)
        run.file_writer.add_summary(self._hparams(row)[2])

    def _release(self, run: Any, outcome: Outcome | None) -> None:
        run.close()

    def _hparams(self, row: Row) -> Any:
        """What TensorBoard's HPARAMS page reads: what is compared, the trial's start, and its end."""
        metrics = self.study.evaluation[row.dataset]["metrics"]
        values = {name: getattr(row, name) for name in ("dataset", "variant", "phase", "seed")} | row.hp
        summary = importlib.import_module("tensorboardX.summary")
        return summary.hparams(values, {f"metrics/{name}": 0.0 for name in metrics})
