"""What runs after a search follows from the study and the rows alone."""

import math

import pytest
from msgspec import structs
from rows import a_plan, a_row

from gansweep.errors import UserError
from gansweep.results.phases import (
    finished_trial,
    finished_trials,
    n_left,
    n_planned,
    planned,
    stages,
    unfinished,
    winner,
)
from gansweep.results.plan import Confirm, Replicate
from gansweep.results.row import Outcome, Phase

PLAN = a_plan(
    variants=["ns", "vae"],
    trials=5,
    confirm={"top": 2, "reruns": 3, "seeds": 4},
    replicate={"configurations": 2, "seeds": 2},
)


def row(number, fid, phase="search", variant="ns", i=0, outcome="ok", step=10):
    name = f"digits-{variant}-{number:04d}"
    trial_id = name if phase == "search" else f"{name}-{phase}-{i:03d}"
    known = {"variant": variant, "phase": phase, "trial_id": trial_id, "hp": {"lr": 0.1 * number}}
    return a_row(number, fid=fid, outcome=outcome, step=step, **known)


def search(variant="ns", more=(), reverse=False):
    """Configuration 3 is best, then 1; 2 has diverged."""
    fids = [9.0, 2.0, None, 1.0, 5.0]
    rows = [
        row(n, fid, variant=variant, outcome="diverged" if fid is None else "ok")
        for n, fid in enumerate(fids)
    ]
    return finished_trials([*(reversed(rows) if reverse else rows), *more])


def test_the_score_of_a_trial_is_its_lowest_fid_and_a_failed_one_has_none():
    rows = [
        row(1, 4.0, outcome=None, step=5),
        row(1, 6.0),
        row(2, 3.0, outcome=None),
        row(2, None, outcome="crashed"),
    ]
    assert [(r.trial_number, r.score) for r in finished_trials(rows)] == [(1, 4.0), (2, math.inf)]


def test_the_best_are_run_again_on_fresh_seeds_each_of_its_own():
    trials = planned(Phase.SELECT, PLAN, search())
    assert [t.trial_number for t in trials] == [3, 3, 3, 1, 1, 1]
    assert all(t.phase == "select" and t.hp == {"lr": 0.1 * t.trial_number} for t in trials)
    assert len({t.trial_id for t in trials}) == len({t.seed for t in trials}) == 6
    assert not {t.seed for t in trials} & set(range(100_000 * (PLAN.seed + 1)))
    assert trials == planned(Phase.SELECT, PLAN, search(reverse=True))


def test_the_one_with_the_lowest_median_over_fresh_seeds_is_confirmed():
    """Configuration 3 won the search by luck, and one of its seeds even crashes."""
    again = [row(3, fid, "select", i=i) for i, fid in enumerate((4.0, 5.0))]
    again.append(row(3, None, "select", i=2, outcome="crashed"))
    again += [row(1, fid, "select", i=i) for i, fid in enumerate((2.0, 9.0, 3.0))]
    trials = planned(Phase.CONFIRM, PLAN, search(more=again))
    assert [t.trial_number for t in trials] == [1, 1, 1, 1]
    assert not {t.seed for t in trials} & {t.seed for t in planned(Phase.SELECT, PLAN, search())}


def test_with_one_candidate_the_search_chooses():
    alone = structs.replace(PLAN, confirm=Confirm(top=1, reruns=3, seeds=4))
    assert stages(alone) == [("replicate",), ("confirm",)]
    assert {t.trial_number for t in planned(Phase.CONFIRM, alone, search())} == {3}
    failed = finished_trials([row(0, None, outcome="crashed")])
    assert winner(alone.confirm, failed) is None
    assert planned(Phase.CONFIRM, alone, failed) == []


def test_random_configurations_without_the_default_are_replicated():
    trials = planned(Phase.REPLICATE, PLAN, search())
    numbers = [t.trial_number for t in trials]
    assert len(numbers) == 4 and len(set(numbers)) == 2 and 0 not in numbers
    assert trials == planned(Phase.REPLICATE, PLAN, search(reverse=True))
    plans = [structs.replace(PLAN, seed=seed) for seed in range(8)]
    other = {t.trial_number for plan in plans for t in planned(Phase.REPLICATE, plan, search())}
    assert other == {1, 2, 3, 4}


def test_what_is_left_shrinks_to_nothing():
    assert n_planned(PLAN) == 5 + 2 * 3 + 4 + 2 * 2
    assert n_left(PLAN, []) == 2 * n_planned(PLAN)
    finished = search("ns") + search("vae")
    left = 2 * (n_planned(PLAN) - 5)
    assert n_left(PLAN, finished) == left
    for stage in stages(PLAN):
        for phase in stage:
            for trial in unfinished(phase, PLAN, finished):
                finished.append(finished_trial(trial, Outcome.OK, 3.0))
                left -= 1
                assert n_left(PLAN, finished) == left
    assert left == 0


def test_a_cell_without_any_good_trial_has_nothing_to_confirm():
    lost = [row(n, None, variant="vae", outcome="diverged") for n in range(5)]
    finished = search("ns", more=lost)
    assert n_left(PLAN, finished) == (n_planned(PLAN) - 5) + 4  # of vae only what is replicated


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Confirm(top=0), "top must be a whole number from 1 to 1000, but got 0"),
        (lambda: Confirm(seeds=1.5), "seeds must be a whole number from 2 to 1000, but got 1.5"),
        (
            lambda: Replicate(configurations=1),
            "configurations must be a whole number from 2 to 1000, but got 1",
        ),
    ],
)
def test_counts_that_cannot_be_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_no_two_cells_share_a_fresh_seed():
    """Cells whose chosen trials have the same number would begin with the same generator."""
    plan = a_plan(("digits", "ring"), ("ns", "mm"), trials=8, confirm={"top": 1, "reruns": 1, "seeds": 30})
    ended = [
        finished_trial(
            a_row(3, outcome="ok", dataset=d, variant=v, trial_id=f"{d}-{v}-0003").trial, Outcome.OK, 1.0
        )
        for d, v in plan.cells
    ]
    seeds = [trial.seed for trial in planned(Phase.CONFIRM, plan, ended)]
    assert len(set(seeds)) == len(seeds) == 120
