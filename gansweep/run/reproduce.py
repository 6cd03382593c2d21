"""One trial again: its training repeated and compared, or samples of its trained generator."""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from msgspec import structs
from torch import Tensor

from gansweep import data
from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator, to_uint8
from gansweep.evaluation.stored import study_reference
from gansweep.files import require_writable, write_atomically
from gansweep.results.folder import StudyFolder
from gansweep.results.row import Outcome, Row
from gansweep.results.study_file import ResolvedStudy, read_study
from gansweep.training.job import Job
from gansweep.training.samples import array, grid
from gansweep.training.trained import load_trained
from gansweep.training.trainer import Trainer

SAME = 1e-6  # relative differences up to this are rounding
VISIBLE = 64  # pixels: the side to which smaller samples are enlarged, by a whole factor
WIDE = 2048  # pixels: the side of a picture, beyond which none is enlarged


@dataclass(frozen=True)
class Repetition:
    """The rows of a trial as they are in the results and as they came out now."""

    before: list[Row]
    now: list[Row]
    n_members: int

    def differences(self) -> Iterator[tuple[int, str, float | None, float | None, float]]:
        """(step, metric, before, now, relative difference) of every number of either; inf where only one is
        there."""
        by_step = [{row.step: row.metrics for row in rows if row.metrics} for rows in (self.before, self.now)]
        for step in sorted(by_step[0].keys() | by_step[1].keys()):
            one, other = (metrics.get(step, {}) for metrics in by_step)
            for name in sorted(one.keys() | other.keys()):
                yield step, name, one.get(name), other.get(name), _relative(one.get(name), other.get(name))

    @property
    def largest(self) -> float:
        """The largest relative difference of a number; inf where the outcomes differ."""
        if self.before[-1].outcome != self.now[-1].outcome:
            return math.inf
        return max((difference for *_, difference in self.differences()), default=0.0)

    def lines(self) -> list[str]:
        """The comparison for people: a line a number, and what it comes to."""
        first, last = self.before[-1], self.now[-1]
        text = [
            f"trial {first.trial_id}, in a pack of {self.n_members} (then {first.pack_size}), on "
            f"{last.device} of {last.host} (then {first.device} of {first.host})",
            f"{'step':>7}  {'metric':<18} {'then':>12} {'now':>12}  relative difference",
        ]
        for step, name, before, now, difference in self.differences():
            numbers = " ".join(f"{'–' if x is None else format(x, '.6g'):>12}" for x in (before, now))
            text.append(f"{step:>7}  {name:<18} {numbers}  {difference:.2g}")
        return [*text, self._verdict()]

    def _verdict(self) -> str:
        outcomes = [rows[-1].outcome or "unfinished" for rows in (self.before, self.now)]
        if outcomes[0] != outcomes[1]:
            return f"not reproduced: the outcome was {outcomes[0]} and is {outcomes[1]}"
        if self.largest == 0:
            return f"reproduced to the last digit: {outcomes[0]}"
        if self.largest <= SAME:
            return f"reproduced except for rounding: {outcomes[0]}, no number differs by more than {SAME:g}"
        return (
            f"not reproduced to the last digit: the same outcome ({outcomes[0]}), but numbers differ by up "
            f"to {100 * self.largest:.2g} %; another processor, library or pack size rounds differently, and "
            "training carries that on"
        )


def repeat(folder: Path, rows: list[Row], trial_id: str, alone: bool) -> Repetition:
    """Train a finished trial again, in a temporary folder: in a pack with the trials it was trained with or,
    in less time, alone. rows: of the whole study.

    Raises:
        UserError: it has not ended, or the data set here is a different one.
    """
    before = [row for row in rows if row.trial_id == trial_id]
    if before[-1].outcome is None:
        raise UserError(f"{trial_id} has not ended: wait for it")
    study = read_study(folder)
    members = {row.trial_id: row.trial for row in rows if row.pack == before[-1].pack}
    trials = [before[0].trial] if alone else list(members.values())
    is_pruned = before[-1].outcome == Outcome.PRUNED
    until = sum(bool(row.metrics) for row in before) if is_pruned else None  # it stops there now, too
    on_gpu = (before[-1].device or "").startswith("cuda") and torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    dataset = _dataset(study, trials[0].dataset)
    evaluation = Evaluation.of(study, dataset.name)
    reference = study_reference(StudyFolder(folder).reference(dataset.name), dataset, evaluation)
    torch.set_num_threads(1)  # as a worker has it
    with tempfile.TemporaryDirectory() as scratch:
        job = Job(before[-1].pack, trials, study, Path(scratch), until)
        run = Trainer(job, dataset.to(device), Evaluator(reference, evaluation, device), device)
        now = [row for rows in run.rows() for row in rows if row.trial_id == trial_id]
    if is_pruned and now[-1].outcome is None:
        now[-1] = structs.replace(now[-1], outcome=Outcome.PRUNED)
    return Repetition(before, now, len(trials))


def draw(folder: Path, last: Row, n: int, seed: int, out: Path) -> str:
    """Write n samples of a trial's trained generator: a .png of images in a square, those of a class together
    if it is conditional, small ones enlarged; or a .npy of vectors [n, d]. Returns what is in the file.
    last: the last row of the trial.

    Raises:
        UserError: its generator was not saved, or `out` is of the wrong kind.
    """
    study = read_study(folder)
    dataset = _dataset(study, last.dataset)
    suffix = ".png" if dataset.kind == "image" else ".npy"
    if out.suffix != suffix:
        raise UserError(f"samples of {dataset.name} are written to a {suffix} file, but got {out}")
    require_writable(out.parent)
    torch.set_num_threads(1)
    samples, labels = load_trained(folder, last, study, dataset, torch.device("cpu")).samples(n, seed)
    if dataset.kind == "vector":
        write_atomically(out, array(samples))
        return f"{_count(n, 'sample')}, an array of shape {tuple(samples.shape)}"
    images = to_uint8(samples if labels is None else samples[labels.argsort(stable=True)])
    content, what = square(images)
    write_atomically(out, content)
    return what


def square(images: Tensor) -> tuple[bytes, str]:
    """Images [n, C, H, W] uint8 as a PNG in a square, each pixel as a square of pixels if they are small.

    Returns the PNG and what it shows.
    """
    n, side = len(images), max(images.shape[2:])
    columns = math.isqrt(n - 1) + 1
    factor = max(1, min(-(-VISIBLE // side), WIDE // (columns * side)))
    large = images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    size = "×".join(map(str, images.shape[:1:-1]))
    shown = f", each pixel {factor}×{factor} pixels large" if factor > 1 else ""
    what = f"{_count(n, 'sample')} of {size} pixels in {_count(-(-n // columns), 'row')} of {columns}{shown}"
    return grid(large, columns), what


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n > 1 else ''}"


def _dataset(study: ResolvedStudy, name: str) -> Dataset:
    evaluation = Evaluation.of(study, name)
    dataset = data.load(name, validation=evaluation.validates)
    if dataset.sha256 != study.data_sha256[name]:
        raise UserError(f"data set {name} in {data.data_root()} is not the one of the study")
    return dataset


def _relative(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    return abs(one - other) / max(abs(one), abs(other), 1e-12)
