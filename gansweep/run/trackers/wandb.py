"""Trials as runs of Weights & Biases."""

from typing import Any, ClassVar

from gansweep.results.row import FAILED, IDENTITY, Outcome, Row, slug
from gansweep.run.trackers.base import RunPerTrial, outcome_text, scalars


class WandB(RunPerTrial):
    """Runs of the project named as the study, offline in wandb/ unless WANDB_MODE says otherwise."""

    name, package = "wandb", "wandb"
    environment: ClassVar[dict[str, str]] = {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false"}

    def _open(self, row: Row) -> Any:
        quiet = {name: True for name in ("silent", "x_disable_stats", "disable_git", "disable_code")}
        return self.module.init(
            project=slug(self.study.name),
            group=f"{row.variant} on {row.dataset}",
            job_type=row.phase,
            name=row.trial_id,
            # A study that was restarted under the same name does not continue the runs of the old one.
            id=f"{row.trial_id}-{slug(self.created).replace('_', '')}",
            resume="allow",
            config={name: getattr(row, name) for name in IDENTITY} | row.hp,
            dir=str(self.folder),
            settings=self.module.Settings(console="off", reinit="create_new", **quiet),
        )

    def _write(self, run: Any, row: Row) -> None:
        run.log(scalars(row), step=row.step, commit=True)

    def _end(self, run: Any, row: Row) -> None:
        run.summary["outcome"] = row.outcome
        run.summary["ending"] = outcome_text(row)
        run.tags = (*(run.tags or ()), row.outcome)

    def _release(self, run: Any, outcome: Outcome | None) -> None:
        run.finish(exit_code=int(outcome in FAILED))
