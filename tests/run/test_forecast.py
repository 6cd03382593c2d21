"""Plans of guided searches, and what is said of a study before it runs."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gansweep import data
from gansweep.cli import main
from gansweep.evaluation import Evaluation
from gansweep.results.plan import Confirm
from gansweep.run.forecast import plan
from gansweep.run.search.imagined import jobs_by_cell
from gansweep.space import SAMPLERS, choice
from gansweep.study.remarks import remarks
from gansweep.study.resolve import resolve
from gansweep.study.study import Study

STUDY = Study(
    variants=("ns",),
    datasets=("digits",),
    trials=16,
    steps=10,
    evaluations=2,
    sampler="tpe",
    evaluation=Evaluation(n_images=100),
)
TPE = [
    "the sampler 'tpe' learns from results, so its trials depend on each other: the report has no budget "
    "curves, intervals and leading groups of the search; they need 'random' or 'qmc', and "
    "confirm=Confirm(...) compares the winners on fresh seeds",
    "'tpe' has nothing to learn from until 10 trials have ended: at least the first 10 trials of each cell, "
    "of which at most 1 runs at a time, are the default and random draws",
]


@dataclass(frozen=True)
class Wish:
    results: Path
    pack_size: int | None = None
    gpus_per_pack: float | None = None


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_packs_of_every_sampler_hold_all_trials(sampler):
    value = replace(STUDY, sampler=sampler, trials=40)
    resolved = resolve("s", "", value, {"digits": data.load("digits")})
    (jobs,) = jobs_by_cell(resolved, {"digits": 16}).values()
    numbers = [trial.trial_number for job in jobs for trial in job.trials]
    assert sorted(numbers) == list(range(40))
    most = 16 if sampler in ("random", "qmc") else 4  # a tenth of the trials of a guided search run at a time
    assert max(len(job.trials) for job in jobs) <= most


def test_the_plan_of_a_guided_search_counts_all_of_it_and_says_what_it_costs(tmp_path):
    text = plan("s", "Why?", STUDY, Wish(tmp_path))
    assert "in all 1 cells, 16 trials in 16 packs" in text and "trials on fresh seeds" not in text
    assert "with 1 worker on" in text
    assert [line for line in text.splitlines() if "'tpe'" in line] == TPE
    confirm = Confirm(top=1, seeds=3)
    again = plan("s", "Why?", replace(STUDY, trials=2, confirm=confirm), Wish(tmp_path))
    assert "in all 1 cells, 2 trials" in again and "then 3 trials on fresh seeds\n" in again


def test_only_what_is_to_be_known_is_said():
    assert remarks(STUDY) == TPE
    assert remarks(replace(STUDY, sampler="random")) == remarks(replace(STUDY, sampler="qmc")) == []
    costs, first = remarks(replace(STUDY, sampler="cmaes", trials=50, confirm=Confirm()))
    assert costs.startswith("the sampler 'cmaes' learns") and costs.endswith("they need 'random' or 'qmc'")
    assert first == (
        "'cmaes' has nothing to learn from until 1 trial has ended: at least the first 5 trials of each "
        "cell, of which at most 5 run at a time, are the default and random draws, and so is every "
        "choice(...)"
    )
    assert "the first trial of each cell" in remarks(replace(STUDY, sampler="cmaes"))[1]
    assert "the first 3 trials of each cell" in remarks(replace(STUDY, sampler="gp", trials=3))[1]


@pytest.mark.parametrize(
    ("steps", "space", "each"),
    [
        (3, {"n_critic": 1}, "3 with n_critic 1"),
        (3, "wide", "3 with n_critic 1, 1 with n_critic 5"),
        (10, {"n_critic": choice(1, 2, 5)}, "2 with n_critic 5"),
        (25, "wide", None),
    ],
)
def test_trials_that_are_too_short_for_their_evaluations_are_said(steps, space, each):
    said = remarks(replace(STUDY, sampler="random", evaluations=5, steps=steps, space=space))
    assert said == [
        f"trials are measured less often than evaluations=5 says, as their {steps} steps have fewer rounds: "
        f"{each}"
        for _ in range(each is not None)
    ]


def test_a_run_begins_with_what_is_to_be_known(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gansweep.run.driver.run_study", lambda *_: 0)
    monkeypatch.setenv("RAY_ADDRESS", "local")
    file = tmp_path / "mine.py"
    file.write_text(
        "from gansweep import Study\nSTUDY = Study(variants=('ns',), datasets=('digits',), trials=16, "
        "steps=100, sampler='tpe')\n"
    )
    assert main(["run", str(file), "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{file}: starting", *TPE]
