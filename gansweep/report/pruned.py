"""The independent draws of searches that prune trials.

The final score of a pruned trial is unknown: it is censored, and the censoring depends on results of the
search. So statistics over single configurations are not valid: neither over trials trained to their end,
which were chosen for low FIDs, nor over all trials with their last FIDs. The groups in which configurations
compete are independent, and the lowest FID of each group is known: groups are the draws.
"""

import math

import pandas as pd

from gansweep.results.halving import Bracket, group, n_started, place
from gansweep.results.plan import Budget
from gansweep.results.row import Outcome

_CELL = ["dataset", "variant"]


def complete(finished: pd.DataFrame, plan: Budget) -> pd.DataFrame:
    """Returns the finished trials of groups in which all trials have ended, with their `group`."""
    brackets = _brackets(plan)
    numbers = [place(int(number), brackets)[0][0] for number in finished["trial_number"]]
    known = finished.assign(group=numbers)
    sizes = known.groupby([*_CELL, "group"])["trial_id"].transform("size")
    return known[sizes == n_started(brackets)]


def draws(finished: pd.DataFrame, plan: Budget) -> pd.DataFrame:
    """Returns a line per complete group: dataset, variant, group, and as score the lowest FID of its trials
    that were trained to their end; +inf if all of them failed."""
    found = complete(finished, plan).groupby([*_CELL, "group"], as_index=False)[["score"]].min()
    return found.assign(score=found["score"].fillna(math.inf))


def _brackets(plan: Budget) -> list[Bracket]:
    """Returns the brackets of a group, of a search that prunes trials."""
    assert plan.halving, "the search prunes no trials"
    return group(plan.halving, plan.evaluations)


def unit_of_budget(plan: Budget) -> str:
    """What a budget k counts: "configuration", or with halving "bracket", or "group" of brackets."""
    if not plan.halving:
        return "configuration"
    return "bracket" if plan.halving.brackets == 1 else "group"


def caution(finished: pd.DataFrame, plan: Budget) -> str:
    """Returns the caution of a report about a search that prunes trials."""
    n_pruned, name = int((finished["outcome"] == Outcome.PRUNED).sum()), unit_of_budget(plan)
    size = n_started(_brackets(plan))
    return (
        f"The search has pruned {n_pruned} of {len(finished)} trials by successive halving, so their "
        "final FIDs are unknown. They count neither as scores nor as failures. A budget k "
        f"counts independent {name}s of {size} configurations in place of single "
        f"configurations; a {name} scores the lowest FID that it found. Figures that need the final FID of "
        "every configuration are omitted: sensitivity, hyperparameters, failures, learning curves and "
        "other metrics. The share of failed trials is too low, as pruned trials had less time to fail."
    )
