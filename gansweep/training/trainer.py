"""Trains and evaluates the trials of one pack and yields their rows; independent of Ray."""

import platform
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from msgspec import structs
from torch import Tensor

from gansweep.data import Dataset
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator
from gansweep.files import retry_io, write_atomically
from gansweep.results.folder import StudyFolder
from gansweep.results.row import Failure, Outcome, Row, finite
from gansweep.training.checkpoints import USUAL_SECONDS, Checkpoints, TrainingState, same_layout
from gansweep.training.job import Job, TrialState, evaluation_rounds
from gansweep.training.pack import Pack
from gansweep.training.samples import array, by_class, draw_samples, grid, member_generator

CHECK_ROUNDS = 50  # between two checks of divergence and of the clock
LEAST_MOVE = 0.01  # of the learning rate, by which a usual step of Adam or RMSProp moves a weight
FROZEN = {  # why nothing changes any more, by kind of failure
    "still_weights": f"no weight of the generator has moved by {LEAST_MOVE:g} of the learning rate since the "
    "last evaluation: its gradients vanish",
    "still_losses": "no term of any loss has changed in its last bit since the last evaluation",
}


class Trainer:
    """Trains the trials of a job to their end or their pause, from their checkpoints if there are any.

    on_progress: called at least once in `CHECK_ROUNDS` rounds and after every evaluation. gpus: the share of
    a GPU that the pack holds. checkpoint_seconds: the training that may be lost, see `checkpoints`.
    """

    def __init__(
        self,
        job: Job,
        dataset: Dataset,
        evaluator: Evaluator,
        device: torch.device,
        on_progress: Callable[[], object] = lambda: None,
        gpus: float = 0.0,
        checkpoint_seconds: float = USUAL_SECONDS,
    ) -> None:
        self.job, self.evaluator, self.device, self.on_progress = job, evaluator, device, on_progress
        kind = torch.cuda.get_device_name(device) if device.type == "cuda" else None
        self.hardware: dict[str, Any] = {"device": str(device), "gpus": gpus, "gpu_kind": kind}
        members = job.members()
        self.evaluation = Evaluation.of(job.study, dataset.name)
        self.n_steps = members[0].n_steps
        self.targets = evaluation_rounds(job.study.steps, self.n_steps, job.study.evaluations)
        self.ahead = self.targets[: job.until]
        self.pack = Pack(members, dataset, device, n_rounds=self.ahead[-1])
        self.checkpoints = Checkpoints(job.folder)
        self.trials = [TrialState(trial) for trial in job.trials]
        self.clock = self.saved = time.perf_counter()
        self.checkpoint_seconds = checkpoint_seconds
        self.evaluated = self.pack.generator_weights()  # at the last evaluation
        states = self.checkpoints.load_common(job.study, job.trials, self._fits)
        if states:
            self.pack.restore(states)
            for i, state in enumerate(states):
                self.trials[i] = TrialState.from_history(job.trials[i], state["history"])
            self.evaluated = self.pack.generator_weights()
        for i, state in enumerate(states or ()):
            self.evaluated[i] = state.get("evaluated", self.evaluated[i])

    def _fits(self, i: int, state: TrainingState) -> bool:
        """Whether a state can continue trial i: one of another version of gansweep may not."""
        try:
            TrialState.from_history(self.job.trials[i], state["history"])
        except (KeyError, TypeError, ValueError):
            return False
        return same_layout(state, self._state(i))

    def rows(self) -> Iterator[list[Row]]:
        """Yields rows: one for each trial at each evaluation, and one for each trial that fails.

        Rows from before the checkpoint come first, since an earlier worker may not have reported them.
        """
        yield [row for state in self.trials for row in state.rows]
        for target in (target for target in self.ahead if target > self.pack.rounds):
            terms: dict[str, dict[str, Tensor]] = {}
            while self.pack.rounds < target and self.trials:
                terms = self.pack.round()
                if self.pack.rounds % CHECK_ROUNDS == 0 or self.pack.rounds == target:
                    for rows, keep in self._check_members():
                        terms = {p: {k: v[keep] for k, v in t.items()} for p, t in terms.items()}
                        yield rows
                    if self.pack.rounds < target:
                        self._save_if_due()
            yield from self._evaluate(terms, target)

    def _check_members(self) -> Iterator[tuple[list[Row], list[int]]]:
        """Charge the time; end the trials that have diverged or exceeded the time limit.

        Yields the last rows of the ended trials, and the indices of the remaining ones.
        """
        diverged = self.pack.diverged_members()  # synchronises with a GPU, which is training time
        self._charge_time("train_seconds")
        if any(diverged):
            yield self._end(diverged, Outcome.DIVERGED, "nan_loss", "a loss or a weight is not finite")
        limit = self.job.study.time_limit_seconds
        late = [trial.train_seconds + trial.eval_seconds > limit for trial in self.trials]
        if any(late):
            yield self._end(late, Outcome.TIMEOUT, "time_limit", f"it took more than {limit:g} seconds")

    def _end(
        self, ended: list[bool], outcome: Outcome, kind: str, message: str
    ) -> tuple[list[Row], list[int]]:
        """Returns the last rows of the failed trials; the pack continues with the others."""
        failure = Failure(kind=kind, message=message, step=self._step())
        failed = [state for state, is_ended in zip(self.trials, ended, strict=True) if is_ended]
        rows = [self._row(state, {}, {}, outcome, failure) for state in failed]
        keep = [i for i, value in enumerate(ended) if not value]
        self.trials = [self.trials[i] for i in keep]
        if keep:
            self.pack.select(keep)
            self.evaluated = self.evaluated[keep]
        return rows, keep

    def _frozen(self, kind: str, terms: dict[str, dict[str, Tensor]]) -> list[bool]:
        """Returns for each trial whether it is frozen in this way, see `FROZEN`."""
        if kind == "still_losses":
            earlier = (trial.rows[-1].terms if trial.rows else None for trial in self.trials)
            return [before == named(terms, i) for i, before in enumerate(earlier)]
        if not self.trials:
            return []
        moved = (self.pack.generator_weights() - self.evaluated).abs().amax(1).tolist()
        return [move < LEAST_MOVE * m.g_lr for move, m in zip(moved, self.pack.members, strict=True)]

    def _evaluate(self, terms: dict[str, dict[str, Tensor]], target: int) -> Iterator[list[Row]]:
        """Evaluate every trial; save its training state, or its generator after the last evaluation."""
        final = target == self.targets[-1]
        for kind, message in FROZEN.items():
            frozen = self._frozen(kind, terms)
            if any(frozen):
                rows, keep = self._end(frozen, Outcome.FROZEN, kind, message)
                terms = {p: {k: v[keep] for k, v in t.items()} for p, t in terms.items()}
                yield rows
        if not self.trials:
            return
        samples, labels, is_finite = draw_samples(self.pack, self.evaluation)
        if not all(is_finite):
            rows, keep = self._end(
                [not ok for ok in is_finite], Outcome.DIVERGED, "nan_images", "a sample is not finite"
            )
            terms = {p: {k: v[keep] for k, v in t.items()} for p, t in terms.items()}
            samples = samples[keep]
            yield rows
        generators = [member_generator(self.pack, i) for i in range(len(samples))]
        scores = self.evaluator.score_pack(samples, labels, generators)
        if final:
            for trial, made in zip(self.trials, self.pack.generators(), strict=True):
                self.checkpoints.save_generator(self.job.study, trial.trial, made)
        self._charge_time("eval_seconds")
        for i, trial in enumerate(self.trials):
            row = self._row(trial, scores[i], named(terms, i), Outcome.OK if final else None, None)
            sample = self._save_samples(row, samples[i], labels)
            trial.rows.append(structs.replace(row, files=row.files | {"sample": sample}))
        self.evaluated = self.pack.generator_weights()
        if not final:
            self._save_if_due(is_pause=target == self.ahead[-1])
        yield [trial.rows[-1] for trial in self.trials]

    def _save_if_due(self, is_pause: bool = False) -> None:
        """Save the training states, if that much training would be lost else, or where the pack pauses."""
        if is_pause or time.perf_counter() - self.saved >= self.checkpoint_seconds:
            for i, trial in enumerate(self.trials):
                self.checkpoints.save(self.job.study, trial.trial, self._state(i))
            self.saved = time.perf_counter()

    def _state(self, i: int) -> TrainingState:
        state = {**self.pack.state(i), "history": self.trials[i].history()}
        if not torch.equal(self.pack.generator_weights()[i], self.evaluated[i]):
            state["evaluated"] = self.evaluated[i].cpu()
        return cast(TrainingState, state)

    def _save_samples(self, row: Row, samples: Tensor, labels: Tensor | None) -> str:
        """Save a grid of images or 1,000 vectors. Returns the path relative to the study's folder.

        The grid has 64 images; that of a conditional trial has 8 of each class, for 10 classes at most.
        """
        if self.pack.dataset.kind == "image":
            name = f"samples/{row.trial_id}.png"
            content = grid(samples[:64] if labels is None else by_class(samples, labels))
        else:
            name = f"samples/{row.trial_id}.npy"
            content = array(samples[:1000])
        file = StudyFolder(self.job.folder).inside(*name.split("/"))
        retry_io(lambda: write_atomically(file, content), f"{file} cannot be written")
        return name

    def _row(
        self,
        state: TrialState,
        metrics: dict[str, float],
        terms: dict[str, float | None],
        outcome: Outcome | None,
        failure: Failure | None,
    ) -> Row:
        step, study = self._step(), self.job.study
        first = Row.first(state.trial, self.job.pack, study.steps, study.n_images(state.trial.dataset))
        return structs.replace(
            first,
            step=step,
            images_seen=step * study.batch_size,
            metric_id=self.evaluator.reference.metric_id,
            metrics={name: finite(value) for name, value in metrics.items()},
            terms=terms,
            outcome=outcome,
            failure=failure,
            train_seconds=round(state.train_seconds, 3),
            eval_seconds=round(state.eval_seconds, 3),
            pack_size=len(self.job.trials),
            host=platform.node(),
            started_at=state.started_at,
            **self.hardware,
        )

    def _step(self) -> int:
        return self.pack.rounds * self.n_steps

    def _charge_time(self, account: str) -> None:
        """Divide the time since the last call equally among the trials that are training."""
        self.on_progress()
        elapsed, self.clock = time.perf_counter() - self.clock, time.perf_counter()
        for trial in self.trials:
            setattr(trial, account, getattr(trial, account) + elapsed / len(self.trials))


def named(terms: dict[str, dict[str, Tensor]], i: int) -> dict[str, float | None]:
    """Returns the terms of the losses of member i as rows have them."""
    return {f"{p}_{k}": finite(v[i].item()) for p, t in terms.items() for k, v in t.items()}
