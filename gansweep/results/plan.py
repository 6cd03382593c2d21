"""How much a study trains: the budget of its search, and what follows the search."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from gansweep.fields import Several, check_fields, whole
from gansweep.results.row import Cell

MOST_TRIALS, MOST_EVALUATIONS = 100_000, 100_000


@dataclass(frozen=True, kw_only=True)
class Halving:
    """Of the `size` configurations of a bracket, the best 1/eta continue after `first` evaluations, the best
    1/eta of these after eta times as many, and so on; the last ones train to their end.

    `brackets` above 1 is Hyperband: beside each bracket are others with fewer configurations, the next one of
    which begins with the next rung, so that configurations that learn slowly have a chance.
    """

    eta: Several = 3
    first: Annotated[int, whole(1, MOST_EVALUATIONS)] = 1
    size: Annotated[int, whole(2, MOST_TRIALS)] = 27
    brackets: Annotated[int, whole(1, 100)] = 1

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """The best `top` configurations of each cell are run on `reruns` fresh seeds, and the one with the lowest
    median on `seeds` more. With `top` 1 the search alone chooses.

    Lucic et al. (2018) have top=1 and seeds=50. Of 100 configurations the luckiest is rarely the best: five
    candidates and five seeds each cost little and choose better.
    """

    top: Annotated[int, whole(1, 1000)] = 5
    reruns: Annotated[int, whole(1, 1000)] = 5
    seeds: Several = 30

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """`configurations` random ones of each search, each run on `seeds` fresh seeds."""

    configurations: Several = 20
    seeds: Several = 3

    def __post_init__(self) -> None:
        check_fields(self)


class Budget(Struct, frozen=True, kw_only=True):
    """What each cell may spend."""

    trials: Annotated[int, Meta(ge=1, le=MOST_TRIALS)]  # of its search
    steps: Annotated[int, Meta(ge=1, le=10**9)]  # of a trial
    evaluations: Annotated[int, Meta(ge=1, le=MOST_EVALUATIONS)]  # of a trial
    confirm: Confirm | None
    replicate: Replicate | None
    halving: Halving | None = None


class Plan(Budget, frozen=True, kw_only=True):
    """The cells of a study, the budget of each, and the seed of the search."""

    datasets: tuple[str, ...]
    variants: tuple[str, ...]
    seed: int

    @property
    def cells(self) -> list[Cell]:
        return [Cell(dataset, variant) for dataset in self.datasets for variant in self.variants]


def budget_of(plan: Budget) -> Budget:
    """Returns the budget alone of a plan."""
    return Budget(**{name: getattr(plan, name) for name in Budget.__struct_fields__})
