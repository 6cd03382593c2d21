"""Successive halving: which trials of a search continue at a rung. It follows from the rows alone.

A *rung* is one of a study's evaluations. A *bracket* is a number of configurations that compete: at each rung
the best of them continue, the others are pruned. A *group* is one bracket, or for Hyperband several brackets
that begin at different rungs; a search is its default configuration, which is never pruned, and whole groups.
Groups do not compete, so each is an independent run of the whole procedure.

Sources: Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
2016, arXiv:1502.07943; Li et al., "Hyperband", 2018, arXiv:1603.06560.
Deviations: a bracket keeps the same number of trials whether or not some of them have failed; a trial counts
with its best evaluation so far, not with its last one, as everywhere in a study.
"""

import math
from collections.abc import Iterable
from itertools import accumulate
from typing import TypeAlias

from gansweep.errors import UserError
from gansweep.results.plan import Budget, Halving
from gansweep.results.row import Report, Row

DEFAULT = (-1, -1)  # the place of the default, which has no rival
Bracket: TypeAlias = dict[int, int]  # by the evaluation that ends each stage, how many trials train up to it


def rungs(halving: Halving, evaluations: int) -> list[int]:
    """The evaluations at which stages end, the last one of a trial included.

    >>> rungs(Halving(eta=3, first=1), 10)
    [1, 3, 9, 10]
    """
    found, rung = [], halving.first
    while rung < evaluations:
        found.append(rung)
        rung *= halving.eta
    return [*found, evaluations]


def group(halving: Halving, evaluations: int) -> list[Bracket]:
    """The brackets of a group, of about equal cost.

    >>> group(Halving(eta=3, first=1, size=9, brackets=3), 9)
    [{1: 9, 3: 3, 9: 1}, {3: 5, 9: 1}, {9: 3}]
    """
    levels, eta = rungs(halving, evaluations), halving.eta
    sizes = [
        -(-halving.size * len(levels) // (eta**skipped * (len(levels) - skipped)))
        for skipped in range(min(halving.brackets, len(levels)))
    ]
    return [
        {rung: max(1, size // eta**i) for i, rung in enumerate(levels[skipped:])}
        for skipped, size in enumerate(sizes)
    ]


def n_started(brackets: Iterable[Bracket]) -> int:
    """How many configurations a group has."""
    return sum(max(bracket.values()) for bracket in brackets)


def check_brackets(halving: Halving, trials: int, evaluations: int) -> None:
    """Raise UserError if a search cannot be divided into groups of brackets."""
    most = len(rungs(halving, evaluations))
    if most < 2:
        raise UserError(
            f"halving must have first below the study's {evaluations} evaluations, but got {halving.first}"
        )
    if halving.brackets > most:
        raise UserError(
            f"halving must have at most {most} brackets, as many as its evaluations allow, but got "
            f"{halving.brackets}"
        )
    size = n_started(group(halving, evaluations))
    if trials < 1 + size or (trials - 1) % size:
        near = dict.fromkeys(1 + size * max(1, (trials - 1) // size + more) for more in (0, 1))
        raise UserError(
            f"trials must be 1, for the default, and a multiple of {size}, for the configurations that "
            f"halving compares, such as {' or '.join(map(str, near))}, but got {trials}"
        )


def n_completed(budget: Budget) -> int:
    """Returns how many trials of a cell's search train to their end, if none fails."""
    if not budget.halving:
        return budget.trials
    brackets = group(budget.halving, budget.evaluations)
    n_groups = (budget.trials - 1) // n_started(brackets)
    return 1 + n_groups * sum(bracket[budget.evaluations] for bracket in brackets)


def share_left(budget: Budget, number: int, done: float = 0.0) -> float:
    """The share of its steps that a trial of the search has still before it, expected of its bracket.

    done: the share that it has behind it.
    """
    if not budget.halving or number == 0:
        return 1.0 - done
    last = budget.evaluations
    bracket, start = place(number, group(budget.halving, last))[1], round(done * last)
    ahead = [end for end in bracket if end > start]
    if not ahead:
        return 0.0
    among, left = bracket.get(start, bracket[ahead[0]]), 0.0
    for end in ahead:
        left += bracket[end] / among * (end - start)
        start = end
    return left / last


def place(number: int, brackets: list[Bracket]) -> tuple[tuple[int, int], Bracket]:
    """Where a configuration, by its number from 1 on, competes: the group and the bracket in it, by number;
    and that bracket."""
    index, offset = divmod(number - 1, n_started(brackets))
    sizes = [max(bracket.values()) for bracket in brackets]
    within = next(i for i, end in enumerate(accumulate(sizes)) if offset < end)
    return (index, within), brackets[within]


class HalvingState:
    """The trials of a cell's search between the rungs.

    All of it follows from the numbers of the trials and from their rows, in whatever order the rows of
    different trials come, so a driver that takes over decides as the one before it did.

    until: by number, the evaluation at which a trial pauses. pruned: the numbers of the pruned trials.
    """

    def __init__(self, halving: Halving, evaluations: int) -> None:
        self.last = evaluations
        self.brackets = group(halving, evaluations)
        self.until: dict[int, int] = {}
        self.fids: dict[int, dict[int, float]] = {}  # by number and step
        self.ended: set[int] = set()
        self.pruned: set[int] = set()

    def add(self, number: int) -> None:
        """Add a trial; once is enough."""
        if number not in self.until:
            self.until[number] = min(self._place(number)[1])
            self.fids[number] = {}

    def note(self, row: Row | Report) -> None:
        """Take a row of a trial that has entered; twice changes nothing."""
        number, fid = row.trial_number, row.fid
        if row.is_score:
            self.fids[number][row.step] = math.inf if fid is None else fid
        if row.outcome is not None:
            self.ended.add(number)

    def is_paused(self, number: int) -> bool:
        """Whether a trial is measured as far as it trains for now."""
        return len(self.fids[number]) >= self.until[number]

    def decide(self) -> tuple[list[int], list[int]] | None:
        """Decide the lowest rung at which all trials have arrived.

        Returns the trials that continue and those that are pruned; None if there is no such rung. To be
        called until there is none.
        """
        rung = min((until for n, until in self.until.items() if n not in self.pruned), default=self.last)
        here = sorted(n for n, until in self.until.items() if until == rung and n not in self.pruned)
        if rung == self.last or any(not self.is_paused(n) and n not in self.ended for n in here):
            return None
        brackets: dict[tuple[int, int], list[int]] = {}
        for number in here:
            brackets.setdefault(self._place(number)[0], []).append(number)
        chosen = [
            number for place, members in brackets.items() for number in self._best(place, members, rung)
        ]
        for number in chosen:
            self.until[number] = min(end for end in self._place(number)[1] if end > rung)
        lost = [number for number in here if number not in chosen]
        self.pruned.update(lost)
        return chosen, [number for number in lost if number not in self.ended]

    def _best(self, place: tuple[int, int], members: list[int], rung: int) -> list[int]:
        """Returns the members of a bracket that continue at a rung; those without a finite FID never do."""
        scores = {n: min(list(self.fids[n].values())[:rung]) for n in members if self.is_paused(n)}
        bracket = self.brackets[place[1]]
        n_kept = bracket[min(end for end in bracket if end > rung)]
        good = [number for number, score in scores.items() if score < math.inf]
        return sorted(good, key=lambda number: (scores[number], number))[:n_kept]

    def _place(self, number: int) -> tuple[tuple[int, int], Bracket]:
        return place(number, self.brackets) if number else (DEFAULT, {self.last: 1})
