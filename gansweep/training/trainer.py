"""Train and measure the trials of one pack; yields their rows. Knows nothing of how it is launched."""

import io
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from gansweep.data import Dataset
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator, quantised
from gansweep.evaluation.metrics.polygons import Generator
from gansweep.files import patiently, write_atomically
from gansweep.results.row_file import Row, blank_row, finite, now
from gansweep.training.binding import sampling_labels
from gansweep.training.checkpoints import Checkpoints
from gansweep.training.member import Member, common, make_member
from gansweep.training.pack import Pack
from gansweep.training.randomness import latents
from gansweep.variants import VARIANTS

CHECK_ROUNDS = 50  # between two looks at divergence and at the clock


@dataclass(frozen=True)
class Job:
    """The trials of one pack. `trials` hold the identity and the hp of a row, and with halving as `until` the
    evaluation at which they pause, the same for all; `study` is a resolved study.
    """

    pack: str
    trials: list[Row]
    study: dict[str, Any]
    folder: Path

    def members(self) -> list[Member]:
        """What trains, in the order of the trials."""
        return [
            make_member(
                VARIANTS[trial["variant"]],
                trial["hp"],
                **{name: trial[name] for name in ("trial_id", "dataset", "architecture", "seed")},
                **common(self.study),
            )
            for trial in self.trials
        ]


@dataclass
class Progress:
    """A trial on its way: its identity, its rows so far, and its share of the pack's time."""

    trial: Row
    rows: list[Row] = field(default_factory=list)
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    started_at: str = field(default_factory=now)

    def history(self) -> str:
        """All but the trial, as JSON: part of its checkpoint."""
        return json.dumps({name: value for name, value in vars(self).items() if name != "trial"})


def evaluation_rounds(steps: int, n_steps: int, evaluations: int) -> list[int]:
    """After which rounds to evaluate: evenly spaced, the last one after all `steps`.

    n_steps: the steps in a round; a rest of `steps` that fills no round is not trained.

    >>> evaluation_rounds(15_625, 5, 5)
    [625, 1250, 1875, 2500, 3125]
    """
    total = max(1, steps // n_steps)
    return sorted({max(1, total * (i + 1) // evaluations) for i in range(evaluations)})


class Run:
    """Trains the trials of a job to their end, or to where they pause, from checkpoints if they have any.

    on_progress: called after every stretch of training and every evaluation. gpus: the share of a GPU that
    the pack holds.
    """

    def __init__(
        self,
        job: Job,
        dataset: Dataset,
        evaluator: Evaluator,
        device: torch.device,
        on_progress: Callable[[], object] = lambda: None,
        gpus: float = 0.0,
    ) -> None:
        self.job, self.evaluator, self.device, self.on_progress = job, evaluator, device, on_progress
        kind = torch.cuda.get_device_name(device) if device.type == "cuda" else None
        self.hardware = {"device": str(device), "gpus": gpus, "gpu_kind": kind}
        members = job.members()
        self.evaluation = Evaluation(**job.study["evaluation"][dataset.name])
        self.pack = Pack(members, dataset, device)
        self.n_steps = members[0].n_steps
        self.checkpoints = Checkpoints(job.folder)
        self.trials = [Progress(trial) for trial in job.trials]
        self.clock = time.perf_counter()
        states = self.checkpoints.load_common([trial["trial_id"] for trial in job.trials])
        if states:
            self.pack.restore(states)
            for i, state in enumerate(states):
                self.trials[i] = Progress(job.trials[i], **json.loads(state["history"]))

    def rows(self) -> Iterator[list[Row]]:
        """Rows as they come: one for each trial at each evaluation, and one for each that ends badly.

        Rows from before the checkpoint come first, once more, in case nobody has seen them.
        """
        yield [row for progress in self.trials for row in progress.rows]
        study = self.job.study
        targets = evaluation_rounds(study["steps"], self.n_steps, study["evaluations"])
        ahead = targets[: self.job.trials[0].get("until")]
        for target in (target for target in ahead if target > self.pack.rounds):
            terms: dict[str, dict[str, Tensor]] = {}
            while self.pack.rounds < target and self.trials:
                terms = self.pack.round()
                if self.pack.rounds % CHECK_ROUNDS == 0 or self.pack.rounds == target:
                    for rows, keep in self._look():
                        terms = {p: {k: v[keep] for k, v in t.items()} for p, t in terms.items()}
                        yield rows
            yield from self._evaluate(terms, final=target == targets[-1])

    def _look(self) -> Iterator[tuple[list[Row], list[int]]]:
        """Take the time; end the trials that have diverged or run out of time; who goes on."""
        diverged = self.pack.lost()  # waits for a GPU, which belongs to the training
        self._spend("train_seconds")
        if any(diverged):
            yield self._end(diverged, "diverged", "nan_loss", "a loss or a weight is not finite")
        limit = self.job.study["time_limit_seconds"]
        late = [trial.train_seconds + trial.eval_seconds > limit for trial in self.trials]
        if any(late):
            yield self._end(late, "timeout", "time_limit", f"it took more than {limit:g} seconds")

    def _end(self, ended: list[bool], outcome: str, kind: str, message: str) -> tuple[list[Row], list[int]]:
        """The last rows of the trials that ended badly; the pack goes on with the others."""
        failure = {"kind": kind, "message": message, "step": self._step()}
        rows = [self._row(trial, {}, {}, outcome, failure) for trial in self._where(ended)]
        keep = [i for i, value in enumerate(ended) if not value]
        self.trials = [self.trials[i] for i in keep]
        if keep:
            self.pack.select(keep)
        return rows, keep

    def _evaluate(self, terms: dict[str, dict[str, Tensor]], final: bool) -> Iterator[list[Row]]:
        """Measure every trial; save what it needs to go on, or its generator if it is done."""
        if not self.trials:
            return
        samples, labels, is_finite = draw_samples(self.pack, self.evaluation)
        if not all(is_finite):
            rows, keep = self._end(
                [not ok for ok in is_finite], "diverged", "nan_images", "a sample is not finite"
            )
            terms = {p: {k: v[keep] for k, v in t.items()} for p, t in terms.items()}
            samples = samples[keep]
            yield rows
        generators = [generator_of(self.pack, i) for i in range(len(samples))]
        scores = self.evaluator.score_pack(samples, labels, generators)
        if final:
            for trial, made in zip(self.trials, self.pack.generators(), strict=True):
                self.checkpoints.save_generator(trial.trial["trial_id"], made)
        self._spend("eval_seconds")
        for i, trial in enumerate(self.trials):
            losses = {f"{p}_{k}": finite(v[i].item()) for p, t in terms.items() for k, v in t.items()}
            row = self._row(trial, scores[i], losses, "ok" if final else None, None)
            self._save_samples(row, samples[i], labels)
            trial.rows.append(row)
        if not final:
            self._save()
        yield [trial.rows[-1] for trial in self.trials]

    def _save(self) -> None:
        for i, trial in enumerate(self.trials):
            state = self.pack.state(i) | {"history": trial.history()}
            self.checkpoints.save(trial.trial["trial_id"], self.pack.rounds, state)

    def _save_samples(self, row: Row, samples: Tensor, labels: Tensor | None) -> None:
        """A grid of 64 images, of 8 for each of 10 classes at most if it is conditional; or 1,000 vectors."""
        if self.pack.dataset.kind == "image":
            row["files"]["sample"] = f"samples/{row['trial_id']}.png"
            content = grid(samples[:64] if labels is None else by_class(samples, labels))
        else:
            row["files"]["sample"] = f"samples/{row['trial_id']}.npy"
            content = array(samples[:1000])
        file = self.job.folder / row["files"]["sample"]
        patiently(lambda: write_atomically(file, content), f"{file} cannot be written")

    def _row(
        self,
        trial: Progress,
        metrics: dict[str, float],
        terms: dict[str, float | None],
        outcome: str | None,
        failure: Row | None,
    ) -> Row:
        step = self._step()
        return blank_row(trial.trial, self.job.study, self.job.pack) | {
            "step": step,
            "images_seen": step * self.job.study["batch_size"],
            "metric_id": self.evaluator.reference.metric_id,
            "metrics": {name: finite(value) for name, value in metrics.items()},
            "terms": terms,
            "outcome": outcome,
            "failure": failure,
            "train_seconds": round(trial.train_seconds, 3),
            "eval_seconds": round(trial.eval_seconds, 3),
            "pack_size": len(self.job.trials),
            "host": platform.node(),
            **self.hardware,
            "started_at": trial.started_at,
        }

    def _step(self) -> int:
        return self.pack.rounds * self.n_steps

    def _spend(self, account: str) -> None:
        """Share the time since the last call among the trials that are training."""
        self.on_progress()
        elapsed, self.clock = time.perf_counter() - self.clock, time.perf_counter()
        for trial in self.trials:
            setattr(trial, account, getattr(trial, account) + elapsed / len(self.trials))

    def _where(self, mask: list[bool]) -> list[Progress]:
        return [trial for trial, chosen in zip(self.trials, mask, strict=True) if chosen]


def generator_of(pack: Pack, i: int) -> Generator:
    """Member i's generator as metrics that search among its samples take it."""
    return Generator(pack.generate(i), pack.z_dim, pack.prior)


def draw_samples(pack: Pack, evaluation: Evaluation) -> tuple[Tensor, Tensor | None, list[bool]]:
    """Samples [P, S, ...] on the CPU, uint8 if they are images; the labels [S] that they were asked for, if
    they are conditional; and whether each member's are all finite.

    All members of all packs are given the same latents and labels.
    """
    generator = torch.Generator().manual_seed(evaluation.seed)
    z = latents((evaluation.n_images, pack.z_dim), pack.prior, generator)
    y = None
    if pack.members[0].is_conditional:
        y = sampling_labels(pack.dataset, evaluation.n_images, evaluation.seed)
    chunks, is_finite = [], torch.ones(len(pack), dtype=torch.bool, device=pack.device)
    for chunk in pack.samples(z, y):
        is_finite &= (chunk.flatten(1) * 0).sum(1) == 0  # ten times as fast as isfinite
        chunks.append((quantised(chunk) if pack.dataset.kind == "image" else chunk).cpu())
    return torch.cat(chunks, 1), y, is_finite.tolist()


def by_class(samples: Tensor, labels: Tensor) -> Tensor:
    """The first eight samples of each class in turn, of ten classes at most; blank where there are fewer."""
    rows = []
    for label in labels.unique()[:10]:
        some = samples[labels == label][:8]
        rows.append(torch.cat([some, some.new_full((8 - len(some), *some.shape[1:]), 255)]))
    return torch.cat(rows)


def array(samples: Tensor) -> bytes:
    """Samples as the content of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, samples.numpy(), allow_pickle=False)
    return buffer.getvalue()


def grid(images: Tensor, columns: int = 8) -> bytes:
    """A PNG of images [S, C, H, W] uint8 in rows of so many columns, one pixel apart."""
    picture = to_pil_image(make_grid(images, nrow=columns, padding=1, pad_value=255))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
