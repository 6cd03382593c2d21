"""What Tune asks and tells: packs go out through its searcher, rows come back through its callback."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

from ray import tune
from ray.tune.search import Searcher

from gansweep.queue import Queue
from gansweep.results import Row
from gansweep.training.train import Job

MAX_FAILURES = 2  # how often a pack whose worker died is tried again


class Books(Protocol):
    """What the driver does with news from the workers."""

    def record(self, rows: list[Row]) -> None:
        """Take rows; some may have come before."""

    def crashed(self, trials: list[Row], pack: str, kind: str, message: str) -> None:
        """Trials (their identity and hp) of a pack whose worker failed again and again."""

    def draw(self) -> None:
        """Show progress; called often."""


class PackSearcher(Searcher):
    """Hands the packs of a queue to Tune. Holds no state worth keeping: storage and rows have it all."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(metric=None, mode="min")
        self.queue, self.at_most = queue, 1
        self.jobs: dict[str, Job] = {}  # by Tune's trial id
        self.lost: Counter[str] = Counter()  # by pack: how often Tune gave it up because its worker died

    def suggest(self, trial_id: str) -> Any:
        if len(self.jobs) >= self.at_most:
            return None
        job = self.queue.next_job()
        if job is None:
            # FINISHED is final, and a pack that is out may be handed back.
            return Searcher.FINISHED if self.queue.exhausted and not self.jobs else None
        self.jobs[trial_id] = job
        return {"pack": job.pack, "trials": job.trials}

    def again(self, job: Job) -> bool:
        """Hand a pack back whose worker died; False if that has happened too often.

        Tune may give the retries of a pack to a dead worker that it means to reuse, and so use them up
        before the pack has trained at all.
        """
        self.lost[job.pack] += 1
        if self.lost[job.pack] > MAX_FAILURES:
            return False
        self.queue.hand_back(job)
        return True

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self.jobs.pop(trial_id, None)

    def set_search_properties(self, metric: Any, mode: Any, config: Any, **spec: Any) -> bool:
        return True

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        self.at_most = max_concurrent
        return True

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for snapshots, which nobody reads


class Recorder(tune.Callback):
    """Passes rows on as they come, ends what crashed for good, and keeps the display alive."""

    def __init__(self, books: Books, searcher: PackSearcher) -> None:
        self.books, self.searcher = books, searcher

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        self.books.record(result.get("rows", []))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        kind, message = last_error(Path(trial.error_file).read_text())
        queue = self.searcher.queue
        job = Job(trial.config["pack"], trial.config["trials"], queue.study, queue.folder)
        if kind == "worker_died" and self.searcher.again(job):
            return
        self.books.crashed(job.trials, job.pack, kind, message)

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        self.books.draw()

    def __getstate__(self) -> dict[str, Any]:
        return {}


def last_error(text: str) -> tuple[str, str]:
    """Kind and message of the last failure in Tune's error file: the exception, if Python could still raise
    one; else the worker died.

    >>> last_error("Failure # 1\\nTraceback ...\\nmodule.SomeError: no such thing\\nmore\\n")
    ('SomeError', 'no such thing')
    """
    last = text.rpartition("Failure # ")[2]
    raised = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception|Interrupt)): *(.+)$", last, re.MULTILINE)
    if not raised:
        return "worker_died", "the worker process died"
    kind, message = raised[-1]
    return ("oom" if "out of memory" in message else kind), message[:500]
