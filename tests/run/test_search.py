"""The search: what is asked, how it is packed, and that it goes on where any driver stopped."""

import json
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from msgspec import structs
from optuna._gp.batched_lbfgsb import _greenlet_imports
from rows import row_of

from gansweep import data
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.results.row import Outcome
from gansweep.run.search.samplers import make_sampler
from gansweep.run.search.search import PACKED_AT_ONCE, Search
from gansweep.run.search.storage import open_storage
from gansweep.space import SAMPLERS, choice, loguniform, uniform
from gansweep.study.resolve import resolve
from gansweep.study.study import Study

STUDY = Study(
    variants=("ns", "wgan"),
    datasets=("digits",),
    space={"lr": loguniform(1e-5, 1e-2), "n_critic": choice(1, 5), "clip": loguniform(1e-3, 1)},
    trials=7,
    steps=10,
    evaluation=Evaluation(n_images=200),
)
ONE = replace(STUDY, variants=("ns",), space={"lr": loguniform(1e-5, 1e-2), "n_critic": choice(1, 5)})


def resolved(value=STUDY):
    return resolve("s", "", value, {"digits": data.load("digits")})


def search_in(folder, value=STUDY, rows=(), pack_size=3):
    search = Search(resolved(value), open_storage(folder, None), folder, {"digits": pack_size})
    search.resume(rows)
    return search


def ending(search, trial, fid=1.0, outcome="ok", step=10):
    metrics = {} if fid is None else {"fid": fid}
    return row_of(trial, search.study, step=step, metrics=metrics, outcome=outcome and Outcome(outcome))


def run_all(search, score=lambda hp: hp["lr"]):
    """Hand out and finish everything; the jobs in order."""
    jobs = []
    while job := search.next_job():
        jobs.append(job)
        for trial in job.trials:
            search.report(ending(search, trial, score(trial.hp)))
    assert search.is_done
    return jobs


def configurations(jobs):
    return {trial.trial_id: trial.hp for job in jobs for trial in job.trials}


def test_every_trial_is_handed_out_once_in_packs_of_one_structure(tmp_path):
    jobs = run_all(search_in(tmp_path))
    ids = [trial.trial_id for job in jobs for trial in job.trials]
    assert sorted(ids) == [f"digits-{v}-{n:04d}" for v in ("ns", "wgan") for n in range(7)]
    for job in jobs:
        assert len(job.trials) <= 3
        assert len({(trial.variant, trial.hp["n_critic"]) for trial in job.trials}) == 1


def test_the_first_trial_is_the_published_default(tmp_path):
    first = {t.variant: t for job in run_all(search_in(tmp_path)) for t in job.trials if t.is_default}
    assert first["ns"].hp == {"lr": 5e-5, "beta1": 0.0, "d_norm": "batch", "n_critic": 1}
    assert first["wgan"].hp["clip"] == 0.01 and first["wgan"].trial_number == 0


def test_a_default_outside_the_space_is_still_the_first_trial(tmp_path):
    narrow = replace(STUDY, space={"lr": loguniform(1e-3, 1e-2)})
    hp = configurations(run_all(search_in(tmp_path, narrow)))
    assert hp["digits-ns-0000"]["lr"] == 5e-5
    assert all(1e-3 <= values["lr"] <= 1e-2 for name, values in hp.items() if not name.endswith("0000"))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_every_sampler_searches_within_the_space(tmp_path, sampler):
    value = replace(ONE, sampler=sampler, trials=14)
    hp = configurations(run_all(search_in(tmp_path, value)))
    assert len(hp) == 14
    searched = [values for name, values in hp.items() if not name.endswith("0000")]
    assert all(1e-5 <= values["lr"] <= 1e-2 and values["n_critic"] in (1, 5) for values in searched)
    assert len({values["lr"] for values in searched}) >= 11  # a guided one may try a bound twice


def test_the_seed_decides_a_random_search(tmp_path):
    def search(name, seed):
        (tmp_path / name).mkdir()
        return configurations(run_all(search_in(tmp_path / name, replace(STUDY, seed=seed))))

    assert search("a", 1) == search("b", 1) != search("c", 2)


def test_random_configurations_are_those_of_earlier_versions(tmp_path):
    """A study that an earlier version began is resumed with the values that it would have drawn."""
    space = {
        "lr": loguniform(1e-5, 1e-2),
        "beta1": uniform(0, 1),
        "d_norm": choice("none", "batch"),
        "n_critic": choice(1, 5),
        "penalty_weight": loguniform(0.1, 10),
    }
    value = replace(STUDY, variants=("ns", "wgan_gp"), datasets=("ring",), space=space, trials=30)
    search = Search(
        resolve("x", "q", value, {"ring": data.load("ring")}),
        open_storage(tmp_path, None),
        tmp_path,
        {"ring": 8},
    )
    hp = configurations(run_all(search))
    assert hp["ring-ns-0001"] == {
        "lr": 2.094242476754896e-05,
        "beta1": 0.5660505009384617,
        "d_norm": "batch",
        "n_critic": 1,
    }
    assert hp["ring-wgan_gp-0029"] == {
        "lr": 5.673412871997526e-05,
        "beta1": 0.5611177004435058,
        "d_norm": "batch",
        "n_critic": 5,
        "penalty_weight": 0.9830871299974796,
    }


def test_a_value_drawn_from_a_seed_is_that_of_a_sampler_of_that_seed():
    study, values = optuna.create_study(), optuna.distributions.FloatDistribution(1e-5, 1, log=True)
    trial, ours = study.ask(), make_sampler("random", 0)
    for seed in (0, 1, 2**32 - 1):
        ours.seed(seed)
        theirs = optuna.samplers.RandomSampler(seed=seed)
        assert ours.sample_independent(study, trial, "x", values) == theirs.sample_independent(
            study, trial, "x", values
        )


def test_a_large_search_hands_out_packs_before_it_has_requested_all(tmp_path):
    value = replace(STUDY, trials=PACKED_AT_ONCE + 100)
    search = search_in(tmp_path, value)
    first = [search.next_job() for _ in range(4)]
    assert [job.cell.variant for job in first] == ["ns", "wgan"] * 2  # in turn
    assert [cell.stored.n_asked for cell in search.cells.values()] == [PACKED_AT_ONCE] * 2
    done = [ending(search, trial) for job in first for trial in job.trials]
    again = search_in(tmp_path, value, done)  # the driver was killed
    jobs = run_all(again)
    assert configurations(jobs).keys() | {row.trial_id for row in done} == {
        f"digits-{variant}-{n:04d}" for variant in ("ns", "wgan") for n in range(value.trials)
    }
    assert sum(len(job.trials) for job in jobs) + len(done) == 2 * value.trials
    assert all(cell.stored.n_running == 0 for cell in again.cells.values())


def test_packs_that_wait_to_be_queued_are_split_too(tmp_path):
    search = search_in(tmp_path, replace(ONE, trials=30), pack_size=8)
    job = search.next_job()
    search.hand_back(job)
    search.shrink(job, 4)
    jobs = run_all(search)
    assert max(len(job.trials) for job in jobs) == 4 and len(configurations(jobs)) == 30


def test_guided_samplers_do_not_repeat_themselves_after_a_restart(tmp_path):
    value = replace(ONE, sampler="tpe", trials=12)
    seen, rows = Counter(), []
    for _ in range(20):
        search = search_in(tmp_path, value, rows)
        job = search.next_job()
        if job is None:
            break
        for trial in job.trials:
            seen[trial.hp["lr"]] += 1
            rows.append(ending(search, trial))
            search.report(rows[-1])
    assert len(seen) == 12 and max(seen.values()) == 1


def test_a_guided_sampler_learns(tmp_path):
    value = replace(ONE, sampler="tpe", trials=60)
    jobs = run_all(search_in(tmp_path, value), score=lambda hp: 1e3 * abs(hp["lr"] - 1e-4))
    rates = [trial.hp["lr"] for job in jobs for trial in job.trials][-20:]
    assert sum(3e-5 < rate < 3e-4 for rate in rates) >= 12


@pytest.mark.parametrize("handed_out", range(8))
def test_another_driver_goes_on_where_one_died(tmp_path, handed_out):
    """The first driver dies after handing out some packs, of which it has seen one end and half another."""
    (tmp_path / "whole").mkdir()
    whole = run_all(search_in(tmp_path / "whole"))
    search, rows = search_in(tmp_path), []
    for _ in range(handed_out):
        if (job := search.next_job()) is None:
            break
        rows.append(ending(search, job.trials[0]))
    if rows:
        search.report(rows[0])
    again = search_in(tmp_path, rows=rows)
    rest = run_all(again)
    ended = {row.trial_id for row in rows}
    assert configurations(rest) == {k: v for k, v in configurations(whole).items() if k not in ended}
    known = {job.pack for job in whole}
    assert all(job.pack in known for job in rest)


def test_cells_take_turns_also_when_another_driver_goes_on(tmp_path):
    for _ in range(2):  # the second finds all trials asked for
        search = search_in(tmp_path, pack_size=1)
        variants = [search.next_job().trials[0].variant for _ in range(8)]
        assert variants == ["ns", "wgan"] * 4


def test_a_trial_that_was_half_asked_for_gets_the_same_configuration(tmp_path):
    search = search_in(tmp_path)
    cell = search.cells["digits", "ns"]
    cell.stored.study.enqueue_trial({"lr": 5e-5, "n_critic": 1})
    cell.stored.study.ask()
    requested = cell.stored.study.ask()
    cell._suggest(requested, "lr", cell.space["lr"])
    (tmp_path / "whole").mkdir()
    expected = configurations(run_all(search_in(tmp_path / "whole")))
    assert configurations(run_all(search_in(tmp_path))) == expected


def test_a_job_handed_back_is_handed_out_again_without_those_that_ended(tmp_path):
    search = search_in(tmp_path)
    job = max((search.next_job() for _ in range(3)), key=lambda job: len(job.trials))
    search.report(ending(search, job.trials[0]))
    search.hand_back(job)
    again = search.next_job()
    assert again.pack == job.pack and again.trials == job.trials[1:]
    for trial in job.trials[1:]:
        search.report(ending(search, trial))
    search.hand_back(job)
    assert search.next_job().pack != job.pack


def test_more_trials_extend_a_finished_search(tmp_path):
    search = search_in(tmp_path)
    jobs = run_all(search)
    few, rows = configurations(jobs), [ending(search, trial) for job in jobs for trial in job.trials]
    more = configurations(run_all(search_in(tmp_path, replace(STUDY, trials=10), rows)))
    assert len(more) == 6 and not few.keys() & more.keys()


def test_a_guided_sampler_knows_most_results_before_it_asks_again(tmp_path):
    value = replace(ONE, sampler="tpe", trials=40)
    search, n_known = search_in(tmp_path, value, pack_size=16), 0
    while job := search.next_job():
        asked = len(search.cells["digits", "ns"].stored.study.get_trials(deepcopy=False))
        assert asked - n_known <= 4
        assert len(job.trials) <= 4
        for trial in job.trials:
            search.report(ending(search, trial))
        n_known += len(job.trials)
    assert n_known == 40


def test_rows_and_storage_of_different_searches_are_refused(tmp_path):
    search = search_in(tmp_path)
    (first, *_) = (trial for job in run_all(search) for trial in job.trials)
    with pytest.raises(UserError, match="has no rows, but by the search's storage 14 trials have ended"):
        search_in(tmp_path)
    other = structs.replace(ending(search, first), hp=first.hp | {"beta1": 0.123})
    with pytest.raises(UserError, match="not of one search: they differ in digits-ns-0000"):
        search_in(tmp_path, rows=[other])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not of one search: they differ in digits-ns-0000"):
        search_in(tmp_path / "empty", rows=[ending(search, first)])
    with pytest.raises(UserError, match="holds a different study of the name 's/ns@digits'"):
        search_in(tmp_path, replace(STUDY, steps=99))


def test_trials_whose_last_rows_are_missing_are_trained_again(tmp_path):
    """By the storage they have ended: an older copy of the rows was restored, or their end was torn."""
    search = search_in(tmp_path)
    trials = [trial for job in run_all(search) for trial in job.trials]
    again = search_in(tmp_path, rows=[ending(search, trial) for trial in trials[:-2]])
    assert again.lost == {trial.trial_id for trial in trials[-2:]}
    assert {t.trial_id: t for job in run_all(again) for t in job.trials} == {
        t.trial_id: t for t in trials[-2:]
    }
    assert again.is_done


def test_outcomes_in_optuna(tmp_path):
    one_structure = replace(ONE, space={"lr": loguniform(1e-5, 1e-2)})
    search = search_in(tmp_path, one_structure, pack_size=9)
    trials = search.next_job().trials
    search.report(ending(search, trials[0], fid=5.0, outcome=None, step=5))
    search.report(ending(search, trials[0], fid=7.0))
    search.report(ending(search, trials[1], fid=None, outcome="diverged"))
    search.report(ending(search, trials[2], fid=None, outcome="crashed"))
    search.report(ending(search, trials[3], fid=None, outcome="timeout"))
    search.report(ending(search, trials[0], fid=1.0))
    told = search.cells["digits", "ns"].stored.study.trials
    assert told[0].value == 5.0 and told[0].intermediate_values == {5: 5.0, 10: 7.0}
    assert told[1].value == float("inf")
    assert [t.state.name for t in told[2:5]] == ["FAIL", "FAIL", "RUNNING"]
    assert search.queue.out


def test_the_journal_is_readable_by_optuna_alone(tmp_path):
    run_all(search_in(tmp_path))
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "optuna.journal"))
    loaded = optuna.load_study(study_name="s/ns@digits", storage=optuna.storages.JournalStorage(backend))
    assert len(loaded.trials) == 7 and loaded.best_value > 0
    assert json.dumps(loaded.best_trial.user_attrs["hp"])


def test_the_sampler_gp_has_what_it_needs_to_suggest_the_same_everywhere():
    """Without greenlet, which SQLAlchemy 2.1 no longer brings, Optuna 5 optimises in another way."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert any(name.startswith("greenlet") for name in project["dependencies"])
    assert _greenlet_imports.is_successful()
