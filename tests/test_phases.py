"""What runs after a search follows from the study and the rows alone."""

import math

import pytest

from gansweep.errors import UserError
from gansweep.results.phases import chosen, ended, n_left, n_planned, planned, stages, unfinished
from gansweep.results.plan import Confirm, Replicate
from gansweep.results.row import Phase

STUDY = {
    "datasets": ["digits"],
    "variants": ["ns", "vae"],
    "trials": 5,
    "seed": 0,
    "confirm": {"top": 2, "reruns": 3, "seeds": 4},
    "replicate": {"configurations": 2, "seeds": 2},
}


def row(number, fid, phase="search", variant="ns", i=0, outcome="ok", step=10):
    name = f"digits-{variant}-{number:04d}"
    return {
        "dataset": "digits",
        "variant": variant,
        "phase": phase,
        "trial_id": name if phase == "search" else f"{name}-{phase}-{i:03d}",
        "trial_number": number,
        "is_default": number == 0,
        "seed": number,
        "hp": {"lr": 0.1 * number},
        "step": step,
        "metrics": {} if fid is None else {"fid": fid},
        "outcome": outcome,
    }


def search(variant="ns"):
    """Configuration 3 is best, then 1; 2 has diverged."""
    fids = [9.0, 2.0, None, 1.0, 5.0]
    return [
        row(n, fid, variant=variant, outcome="diverged" if fid is None else "ok")
        for n, fid in enumerate(fids)
    ]


def test_the_score_of_a_trial_is_its_lowest_fid_and_a_failed_one_has_none():
    rows = [
        row(1, 4.0, outcome=None, step=5),
        row(1, 6.0),
        row(2, 3.0, outcome=None),
        row(2, None, outcome="crashed"),
    ]
    assert [(r["trial_number"], r["score"]) for r in ended(rows)] == [(1, 4.0), (2, math.inf)]


def test_the_best_are_run_again_on_fresh_seeds_each_of_its_own():
    trials = planned(Phase.SELECT, STUDY, search())
    assert [t["trial_number"] for t in trials] == [3, 3, 3, 1, 1, 1]
    assert all(t["phase"] == "select" and t["hp"] == {"lr": 0.1 * t["trial_number"]} for t in trials)
    assert len({t["trial_id"] for t in trials}) == len({t["seed"] for t in trials}) == 6
    assert not {t["seed"] for t in trials} & set(range(100_000 * (STUDY["seed"] + 1)))
    assert trials == planned(Phase.SELECT, STUDY, search()[::-1])


def test_the_one_with_the_lowest_median_over_fresh_seeds_is_confirmed():
    """Configuration 3 won the search by luck, and one of its seeds even crashes."""
    again = [row(3, fid, "select", i=i) for i, fid in enumerate((4.0, 5.0))]
    again.append(row(3, None, "select", i=2, outcome="crashed"))
    again += [row(1, fid, "select", i=i) for i, fid in enumerate((2.0, 9.0, 3.0))]
    trials = planned(Phase.CONFIRM, STUDY, search() + again)
    assert [t["trial_number"] for t in trials] == [1, 1, 1, 1]
    assert not {t["seed"] for t in trials} & {t["seed"] for t in planned(Phase.SELECT, STUDY, search())}


def test_with_one_candidate_the_search_chooses():
    alone = STUDY | {"confirm": {"top": 1, "reruns": 3, "seeds": 4}}
    assert stages(alone) == [("replicate",), ("confirm",)]
    assert {t["trial_number"] for t in planned(Phase.CONFIRM, alone, search())} == {3}
    assert chosen(alone, ended([row(0, None, outcome="crashed")])) is None
    assert planned(Phase.CONFIRM, alone, [row(0, None, outcome="crashed")]) == []


def test_random_configurations_without_the_default_are_replicated():
    trials = planned(Phase.REPLICATE, STUDY, search())
    numbers = [t["trial_number"] for t in trials]
    assert len(numbers) == 4 and len(set(numbers)) == 2 and 0 not in numbers
    assert trials == planned(Phase.REPLICATE, STUDY, search()[::-1])
    other = {
        t["trial_number"] for seed in range(8) for t in planned("replicate", STUDY | {"seed": seed}, search())
    }
    assert other == {1, 2, 3, 4}


def test_what_is_left_shrinks_to_nothing():
    assert n_planned(STUDY) == 5 + 2 * 3 + 4 + 2 * 2
    rows: list = []
    assert n_left(STUDY, rows) == 2 * n_planned(STUDY)
    rows += search("ns") + search("vae")
    left = 2 * (n_planned(STUDY) - 5)
    assert n_left(STUDY, rows) == left
    for stage in stages(STUDY):
        for phase in stage:
            for trial in unfinished(phase, STUDY, rows):
                rows.append(trial | {"metrics": {"fid": 3.0}, "outcome": "ok"})
                left -= 1
                assert n_left(STUDY, rows) == left
    assert left == 0


def test_a_cell_without_any_good_trial_has_nothing_to_confirm():
    lost = [row(n, None, variant="vae", outcome="diverged") for n in range(5)]
    rows = search("ns") + lost
    assert n_left(STUDY, rows) == (n_planned(STUDY) - 5) + 4  # of vae only what is replicated


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Confirm(top=0), "top must be a whole number of at least 1, but got 0"),
        (lambda: Confirm(seeds=1.5), "seeds must be a whole number of at least 2, but got 1.5"),
        (
            lambda: Replicate(configurations=1),
            "configurations must be a whole number of at least 2, but got 1",
        ),
    ],
)
def test_counts_that_cannot_be_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
