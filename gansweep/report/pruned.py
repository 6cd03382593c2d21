"""Searches that prune trials: what of them are independent draws.

The final score of a pruned trial is not known, only that others were better at a rung: it is censored, and by
what the search itself has seen. So no statistic of single configurations holds: not of the trials that were
trained to their end, which were chosen for being good, nor of all with their last FID. The groups in which
configurations compete are independent, and what each finds is known: they are the draws.
"""

import math
from typing import Any

import pandas as pd

from gansweep.results.halving import PRUNED, group, n_started, place

CELL = ["dataset", "variant"]


def complete(finished: pd.DataFrame, budget: dict[str, Any]) -> pd.DataFrame:
    """Those finished trials that belong to groups of which all trials have ended, with their `group`."""
    brackets = group(budget["halving"], budget["evaluations"])
    numbers = [place(int(number), brackets)[0][0] for number in finished["trial_number"]]
    known, size = finished.assign(group=numbers), n_started(brackets)
    return known[known.groupby([*CELL, "group"])["trial_id"].transform("size") == size]


def draws(finished: pd.DataFrame, budget: dict[str, Any]) -> pd.DataFrame:
    """A line per complete group: dataset, variant, group, and as score the lowest FID of those of its trials
    that were trained to their end; +inf where all of these failed."""
    found = complete(finished, budget).groupby([*CELL, "group"], as_index=False)["score"].min()
    return found.assign(score=found["score"].fillna(math.inf))


def noun(budget: dict[str, Any]) -> str:
    """What a budget k counts: "configuration", or with halving "bracket", or "group" of brackets."""
    if not budget.get("halving"):
        return "configuration"
    return "bracket" if budget["halving"]["brackets"] == 1 else "group"


def caution(finished: pd.DataFrame, budget: dict[str, Any]) -> str:
    """What a reader of a report must know of a search that prunes trials."""
    n_pruned, name = int((finished["outcome"] == PRUNED).sum()), noun(budget)
    size = n_started(group(budget["halving"], budget["evaluations"]))
    return (
        f"The search has pruned {n_pruned} of {len(finished)} trials by successive halving, so what their "
        "final FID would be is unknown. They count neither as scores nor as failures. A budget k, and all "
        f"that is said of it, counts independent {name}s of {size} configurations in place of single "
        f"configurations; a {name} scores the lowest FID that it found. Figures that need the final FID of "
        "every configuration are left out: of sensitivity, hyperparameters, failures, learning curves and "
        "other metrics. The share of failed trials is too low, as pruned trials had less time to fail."
    )
