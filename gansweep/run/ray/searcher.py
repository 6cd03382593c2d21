"""What Tune asks and tells: packs go out through its searcher, rows come back through its callback."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ray import tune
from ray.tune.search import Searcher

from gansweep.errors import Stopped, UserError
from gansweep.results.row_file import Row
from gansweep.run.failures import Failure, diagnose
from gansweep.run.search.queue import Queue
from gansweep.training.trainer import Job


class Books(Protocol):
    """What the driver does with news from the workers. Each may raise Stopped or UserError to end the run."""

    def record(self, rows: list[Row]) -> None:
        """Take rows; some may have come before."""

    def failed(self, job: Job, failure: Failure) -> None:
        """Decide about a pack that failed: it is queued again, or its trials end."""

    def draw(self) -> None:
        """Show progress; called often."""

    def asked_to_stop(self) -> bool:
        """Whether the run is to end; called often."""


class PackSearcher(Searcher):
    """Hands the packs of a queue to Tune. Holds no state worth keeping: storage and rows have it all.

    room: how many packs the cluster may hold, at this moment.
    """

    def __init__(self, queue: Queue, room: Callable[[], int]) -> None:
        super().__init__(metric=None, mode="min")
        self.queue, self.room = queue, room
        self.jobs: dict[str, Job] = {}  # by Tune's trial id
        self.trouble: Stopped | UserError | None = None  # why the run ends early

    def suggest(self, trial_id: str) -> Any:
        if self.trouble or len(self.jobs) >= self.room():
            return None
        with ending(self):
            job = self.queue.next_job()
            if job is not None:
                self.jobs[trial_id] = job
                return {"pack": job.pack, "trials": job.trials}
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

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for snapshots, which nobody reads


@contextmanager
def ending(searcher: PackSearcher) -> Iterator[None]:
    """A block whose Stopped or UserError ends the run through Tune's own way out: Tune stops its workers, and
    who started the run raises the searcher's `trouble`."""
    try:
        yield
    except (Stopped, UserError) as error:
        searcher.trouble = error
        interrupt()


def interrupt() -> None:
    """End Tune's run as ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


class Recorder(tune.Callback):
    """Passes rows on as they come, tells what failed, and keeps the display alive."""

    def __init__(self, books: Books, searcher: PackSearcher) -> None:
        self.books, self.searcher = books, searcher

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        if not self.searcher.trouble:
            with ending(self.searcher):
                self.books.record(result.get("rows", []))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        if self.searcher.trouble:
            return
        queue = self.searcher.queue
        job = Job(trial.config["pack"], trial.config["trials"], queue.study, queue.folder)
        failure = diagnose(Path(trial.error_file).read_text(), queue.folder / "logs" / f"{job.pack}.log")
        with ending(self.searcher):
            self.books.failed(job, failure)

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        self.books.draw()
        if self.books.asked_to_stop():
            interrupt()

    def __getstate__(self) -> dict[str, Any]:
        return {}
