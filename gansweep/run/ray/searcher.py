"""The two ends of Tune: packs go out through its searcher, rows come back through its callback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ray import tune
from ray.tune.search import Searcher

from gansweep.errors import Stopped, UserError
from gansweep.results.folder import StudyFolder
from gansweep.results.row import Row
from gansweep.run import signals
from gansweep.run.failures import PackFailure, diagnose
from gansweep.run.search.queue import TrialSource
from gansweep.training.job import Job


class RunListener(Protocol):
    """What the driver does with messages from workers. Each may raise Stopped or UserError to end the run."""

    def record(self, rows: list[Row]) -> None:
        """Take rows; some may have come before."""

    def failed(self, job: Job, failure: PackFailure) -> None:
        """Decide about a pack that failed: it is queued again, or its trials end."""

    def draw(self) -> None:
        """Show progress; called often."""

    def stop_requested(self) -> bool:
        """Whether the run is to end; called often."""


class PackSearcher(Searcher):
    """Hands the packs of a queue to Tune. Holds no state worth keeping: storage and rows have it all.

    room: how many packs the cluster may hold, at this moment.
    """

    def __init__(self, queue: TrialSource, room: Callable[[], int]) -> None:
        super().__init__(metric=None, mode="min")
        self.queue, self.room = queue, room
        self.jobs: dict[str, Job] = {}  # by Tune's trial id
        self.error: Stopped | UserError | None = None  # why the run ends early

    def suggest(self, trial_id: str) -> Any:
        if self.error or len(self.jobs) >= self.room():
            return None
        with stop_on_error(self):
            job = self.queue.next_job()
            if job is not None:
                self.jobs[trial_id] = job
                return job.to_config()
            if self.queue.exhausted and not self.jobs:  # FINISHED is final; what is out may be handed back
                return Searcher.FINISHED
        return None

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self.jobs.pop(trial_id, None)

    def set_search_properties(self, metric: Any, mode: Any, config: Any, **spec: Any) -> bool:
        return True

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        return True

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...

    def __getstate__(self) -> dict[str, object]:
        return {}  # Tune pickles its searcher for snapshots, which nobody reads


@contextmanager
def stop_on_error(searcher: PackSearcher) -> Iterator[None]:
    """A block whose Stopped or UserError ends the run as Ctrl-C does: Tune stops its workers, and `tune.run`
    raises the searcher's `error`."""
    try:
        yield
    except (Stopped, UserError) as error:
        searcher.error = error
        signals.end_gently()


class RowCallback(tune.Callback):
    """Passes on rows and failures of packs, and keeps the display alive."""

    def __init__(self, listener: RunListener, searcher: PackSearcher) -> None:
        self.listener, self.searcher = listener, searcher

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        if not self.searcher.error:
            with stop_on_error(self.searcher):
                self.listener.record(result.get("rows", []))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if self.searcher.error:
            return
        queue = self.searcher.queue
        job = Job.from_config(trial.config, queue.study, queue.folder)
        with stop_on_error(self.searcher):
            failure = diagnose(Path(trial.error_file).read_text(), StudyFolder(queue.folder).log(job.pack))
            self.listener.failed(job, failure)

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        self.listener.draw()
        if self.listener.stop_requested():
            signals.end_gently()

    def __getstate__(self) -> dict[str, object]:
        return {}
