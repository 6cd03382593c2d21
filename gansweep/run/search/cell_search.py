"""The search of one cell: its Optuna study, its halving, and the trials that an earlier driver left."""

from collections.abc import Container

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from gansweep.results import row
from gansweep.results.halving import HalvingState
from gansweep.results.row import FAILED, Cell, Outcome, Phase, Report, Row, config_id, slug
from gansweep.results.study_file import ResolvedStudy
from gansweep.run.search.queue import pack_name
from gansweep.run.search.samplers import SeededSampler, make_sampler, suggest
from gansweep.run.search.storage import WriteThroughStudy
from gansweep.space import Distribution, Scalar, contains
from gansweep.training.randomness import derive


class CellSearch:
    """The trials of one cell. The storage of the search is their only source: one Optuna trial each.

    A trial has its configuration and its pack in the storage before it is handed out, so any driver can
    resume where another one was killed.
    """

    def __init__(self, study: ResolvedStudy, cell: Cell, storage: BaseStorage) -> None:
        self.study, self.cell = study, cell
        self.space, self.default = study.space(cell.variant), study.defaults[cell.variant]
        self.stored = self._open(storage)
        self.halving = HalvingState(study.halving, study.evaluations) if study.halving else None
        self.unpacked: list[row.Trial] = []  # requested by an earlier driver, which never handed them out

    def trial_id(self, number: int) -> str:
        """Returns the id of a trial, the same in every run: data set, variant and number in the search."""
        return f"{slug(self.cell.dataset)}-{self.cell.variant}-{number:04d}"

    def until(self, number: int) -> int | None:
        """Returns the evaluation after which a trial pauses; None if the search prunes no trials."""
        return self.halving.until[number] if self.halving else None

    def is_paused(self, number: int) -> bool:
        """Whether a trial waits for others at a rung."""
        return self.halving is not None and self.halving.is_paused(number)

    @property
    def n_running(self) -> int:
        """How many trials have been requested and not ended."""
        return self.stored.n_running

    @property
    def exhausted(self) -> bool:
        """Whether all trials have been requested and packed."""
        return not self.unpacked and self.stored.n_asked >= self.study.trials

    def known(self) -> dict[str, FrozenTrial]:
        """Returns the trials that have been requested, by trial id; adds them to the halving."""
        requested = [trial for trial in self._trials() if trial.state != TrialState.WAITING]
        return {self.trial(trial.number).trial_id: trial for trial in requested}

    def interrupted(self, lost: Container[str]) -> dict[str, list[row.Trial]]:
        """Returns the trials that an earlier driver requested and that did not end, by pack.

        lost: ids of further trials, whose end is not among the rows.

        A driver that was killed while it requested trials, or while it packed those that continue from a
        rung, had not handed any of these out: they become `unpacked`.
        """
        packs: dict[str, list[row.Trial]] = {}
        for frozen in self._trials():
            trial_id = self.trial_id(frozen.number)
            if frozen.state != TrialState.RUNNING and trial_id not in lost:
                continue
            trial = self.trial(frozen.number)
            if self.is_paused(frozen.number):
                continue
            pack, ending = str(frozen.user_attrs.get("pack", "")), pack_name("", self.until(frozen.number))
            if row.is_file_name(pack) and pack.endswith(ending) and frozen.number < self.stored.committed:
                packs.setdefault(pack, []).append(trial)
            else:
                self.unpacked.append(trial)
        return packs

    def request(self, at_most: int) -> list[row.Trial]:
        """Returns new trials from the sampler, and those that an earlier driver left unpacked."""
        if not self.stored.n_known:
            default = {n: value for n, value in self.default.items() if contains(self.space.get(n), value)}
            self.stored.enqueue(default)
        left, self.unpacked = self.unpacked, []
        requested = [self.stored.ask() for _ in range(min(at_most, self.study.trials - self.stored.n_asked))]
        return left + [self.trial(trial.number, trial) for trial in requested]

    def report(self, row: Row | Report) -> None:
        """Report a row to Optuna and to the halving. A repeated report changes nothing."""
        number = row.trial_number
        if self.halving:
            self.halving.note(row)
        if self.stored.trial(number).state.is_finished():
            return
        if row.fid is not None:
            self.stored.score(number, row.step, row.fid)
        if row.outcome == Outcome.PRUNED:
            self.stored.prune(number)
        elif row.outcome is not None:
            self.stored.finish(number, self._value(number, row.outcome))

    def decide(self) -> tuple[list[row.Trial], list[row.Trial]]:
        """Returns the trials that continue from a rung now, and the pruned ones."""
        promoted: list[int] = []
        pruned: list[int] = []
        while self.halving and (decision := self.halving.decide()):
            promoted += decision[0]
            pruned += decision[1]
        return [self.trial(number) for number in promoted], [self.trial(number) for number in pruned]

    def trial(self, number: int, requested: Trial | None = None) -> row.Trial:
        """Returns a trial. requested: by Optuna just now."""
        hp = self._configuration(number, requested)
        if self.halving:
            self.halving.add(number)
        return row.Trial(
            study=self.study.name,
            phase=Phase.SEARCH,
            dataset=self.cell.dataset,
            variant=self.cell.variant,
            architecture=self.study.architectures[self.cell.dataset],
            trial_id=self.trial_id(number),
            trial_number=number,
            config_id=config_id(hp),
            seed=self.study.seed * 100_000 + number,
            sampler=self.study.sampler,
            sampler_seed=self.study.seed,
            is_default=number == 0,
            hp=hp,
        )

    def _value(self, number: int, outcome: Outcome) -> float | None:
        """Returns the value for Optuna: the best FID; infinity for a trial that diverged or froze, so that a
        sampler avoids its neighbourhood; None for a trial that crashed or ran out of time."""
        if outcome in FAILED:
            return float("inf") if outcome in (Outcome.DIVERGED, Outcome.FROZEN) else None
        return min(self.stored.trial(number).intermediate_values.values(), default=float("inf"))

    def _open(self, storage: BaseStorage) -> WriteThroughStudy:
        name = f"{self.study.name}/{self.cell.variant}@{self.cell.dataset}"
        stored = WriteThroughStudy(storage, name, self.study.fingerprint)
        # A QMC sequence is one sequence; any other sampler would repeat itself after a restart.
        start = 0 if self.study.sampler == "qmc" else len(stored.ids)
        stored.study.sampler = make_sampler(self.study.sampler, self._seed(self.cell.dataset, start))
        return stored

    def _seed(self, dataset: str, *purpose: object) -> int:
        return derive(self.study.seed, self.cell.variant, dataset, *purpose) % 2**32

    def _trials(self) -> list[FrozenTrial]:
        return self.stored.study.get_trials(deepcopy=False)

    def _configuration(self, number: int, requested: Trial | None) -> dict[str, Scalar]:
        """Returns the hyperparameters of a trial: as stored, or drawn now if a driver was killed before it
        had drawn all of them. Those that the space does not mention are the published defaults."""
        attributes = self.stored.trial(number).user_attrs
        if "hp" in attributes:
            known: dict[str, Scalar] = attributes["hp"]
            return known
        trial = requested or Trial(self.stored.study, self.stored.trial(number)._trial_id)
        space = self.space
        if number == 0:
            space = {n: values for n, values in space.items() if contains(values, self.default.get(n))}
        drawn = {name: self._suggest(trial, name, space[name]) for name in sorted(space)}
        hp = self.default | drawn
        self.stored.configure(number, hp)
        return hp

    def _suggest(self, trial: Trial, name: str, values: Distribution | Scalar) -> Scalar:
        """Returns a value for one hyperparameter.

        A random value is drawn from a seed of its own, made of the study's seed, the cell, the number of the
        trial and the name, so that an interrupted search resumes with the same values.
        """
        if isinstance(sampler := self.stored.study.sampler, SeededSampler):
            dataset = "" if self.study.same_configurations else self.cell.dataset
            sampler.seed(self._seed(dataset, trial.number, name))
        return suggest(trial, name, values)
