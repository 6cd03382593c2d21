"""Training a pack's trials to their rows: random numbers, schedules, checkpoints, and every way to end."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from jobs import CPU, STUDY, job_in, rows_of
from msgspec import structs
from torch.testing import assert_close

from gansweep import data
from gansweep.evaluation.evaluator import Evaluator, build_reference
from gansweep.results.row import Failure
from gansweep.training import trainer
from gansweep.training.checkpoints import Checkpoints
from gansweep.training.job import Job, evaluation_rounds
from gansweep.training.randomness import BLOCK, MemberRandomness, derive, latents
from gansweep.training.samples import draw_samples
from gansweep.training.sizing.estimate import pack_size_for
from gansweep.training.trainer import Trainer


def randomness(seeds, noise=(1, 8, 8)):
    return MemberRandomness(
        seeds, 2, 4, n_samples=50, z_dim=3, prior="uniform", noise=noise, keys=True, device=CPU
    )


def test_a_members_randomness_is_a_function_of_its_seed_and_its_round():
    alone, pack = randomness([7]), randomness([1, 7, 9])
    for round_ in (0, 1, BLOCK - 1, BLOCK, 5 * BLOCK + 3, 2):
        one, three = alone.next(round_), pack.next(round_)
        for name, value in one.items():
            assert torch.equal(three[name][1], value[0]), name
            assert not torch.equal(three[name][0], value[0]), name
    assert {name: tuple(value.shape) for name, value in three.items()} == {
        "index": (3, 2, 4), "z": (3, 2, 4, 3), "u": (3, 2, 4, 1, 8, 8), "key": (3, 2),
    }  # fmt: skip


def test_random_numbers_continue_without_a_member():
    pack = randomness([1, 7, 9])
    pack.next(3)
    pack.select([2, 0])
    after = pack.next(4)
    assert torch.equal(after["z"][0], randomness([9]).next(4)["z"][0])
    assert torch.equal(after["z"][1], randomness([1]).next(4)["z"][0])


def test_priors():
    generator = torch.Generator().manual_seed(0)
    uniform = latents((100_000,), "uniform", generator)
    assert uniform.min() >= -1 and uniform.max() <= 1
    assert_close(uniform.var().item(), 1 / 3, rtol=0.01, atol=0)
    normal = latents((100_000,), "normal", generator)
    assert_close((normal.mean().item(), normal.var().item()), (0.0, 1.0), rtol=0, atol=0.02)
    assert derive(1, "init") != derive(1, "stream") != derive(2, "stream")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((15_625, 1, 5), [3125, 6250, 9375, 12_500, 15_625]), ((10, 5, 5), [1, 2]), ((3, 5, 2), [1])],
)
def test_evaluations_are_evenly_spaced_and_the_last_is_at_the_end(arguments, expected):
    assert evaluation_rounds(*arguments) == expected


def test_small_networks_train_in_large_packs():
    assert pack_size_for("conv8", (1, 8, 8), on_gpu=False) > pack_size_for(
        "infogan", (1, 28, 28), on_gpu=False
    )


@pytest.fixture(scope="module")
def digits():
    dataset = data.load("digits")
    return dataset, Evaluator(build_reference(dataset, STUDY.evaluation), STUDY.evaluation)


def without_clock(rows):
    clock = ("time", "started_at", "train_seconds", "eval_seconds")
    return [{name: value for name, value in structs.asdict(row).items() if name not in clock} for row in rows]


def test_rows_of_a_pack(tmp_path, digits):
    job = job_in(tmp_path, digits)
    rows = rows_of(job, digits)
    assert len(rows) == 3 * len(job.trials)
    for trial in job.trials:
        own = [row for row in rows if row.trial_id == trial.trial_id]
        assert [row.step for row in own] == [2, 4, 6]
        assert [row.outcome for row in own] == [None, None, "ok"]
        assert [row.images_seen for row in own] == [128, 256, 384]
        assert all(row.metrics["fid"] > 0 and row.metrics["isc"] >= 1 for row in own)
        assert all(row.metric_id == digits[1].reference.metric_id for row in own)
        assert set(own[0].terms) == {"discriminator_real", "discriminator_fake", "generator_fake"}
        assert own[2].train_seconds > own[0].train_seconds > 0
        assert (tmp_path / own[0].files["sample"]).stat().st_size > 500


def test_a_run_resumed_at_an_evaluation_gives_the_same_rows(tmp_path, digits):
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole = rows_of(job_in(tmp_path / "whole", digits), digits)
    job = job_in(tmp_path / "stopped", digits)
    run = Trainer(job, *digits, CPU, checkpoint_seconds=0).rows()
    seen = [next(run), next(run)]  # nothing at first, then the first evaluation
    assert seen[0] == [] and {row.step for row in seen[1]} == {2}
    again = rows_of(job, digits)
    assert without_clock(again) == without_clock(whole)
    assert again[0].started_at == seen[1][0].started_at


def test_a_run_resumed_between_evaluations_gives_the_same_rows(tmp_path, digits, monkeypatch):
    monkeypatch.setattr("gansweep.training.trainer.CHECK_ROUNDS", 1)
    (tmp_path / "whole").mkdir()
    whole = rows_of(job_in(tmp_path / "whole", digits), digits)
    job = job_in(tmp_path, digits)
    run = Trainer(job, *digits, CPU, checkpoint_seconds=0)
    rows = run.rows()
    assert {row.step for _ in range(3) for row in next(rows)} == {2, 4} and run.pack.rounds == 4
    for trial in job.trials:  # as if it had been killed before the second evaluation
        (tmp_path / "checkpoints" / trial.trial_id / "round-0000004.pt").unlink()
    common = Checkpoints(tmp_path).load_common(job.study, job.trials, lambda i, state: True)
    assert {state["rounds"] for state in common} == {3}
    resumed = Trainer(job, *digits, CPU)
    assert torch.equal(resumed.evaluated[0], common[0]["evaluated"])
    assert not torch.equal(resumed.evaluated, resumed.pack.generator_weights())
    assert without_clock([row for part in resumed.rows() for row in part]) == without_clock(whole)


def test_states_are_saved_when_enough_training_would_be_lost(tmp_path, digits, monkeypatch):
    clock = iter(range(0, 10**6, 50))  # every look at it is 50 seconds later
    monkeypatch.setattr("gansweep.training.trainer.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("gansweep.training.trainer.CHECK_ROUNDS", 1)
    saved = []
    for seconds in (0, 300, 10**6):
        (folder := tmp_path / str(seconds)).mkdir()
        run = Trainer(job_in(folder, digits), *digits, CPU, checkpoint_seconds=seconds)
        times = []
        run.checkpoints.save = lambda *args, times=times: times.append(args[2]["rounds"])
        for _ in run.rows():
            pass
        saved.append(sorted(set(times)))
    assert saved[0] == [1, 2, 3, 4, 5] and 0 < len(saved[1]) < 4 and saved[2] == []


def test_a_pack_that_pauses_saves_its_states(tmp_path, digits):
    job = replace(job_in(tmp_path, digits), until=2)
    for _ in Trainer(job, *digits, CPU).rows():
        pass
    assert {tuple(Checkpoints(tmp_path).rounds(trial.trial_id)) for trial in job.trials} == {(4,)}


def test_a_damaged_checkpoint_is_trained_again(tmp_path, digits):
    (tmp_path / "whole").mkdir()
    whole = rows_of(job_in(tmp_path / "whole", digits), digits)
    job = job_in(tmp_path, digits)
    run = Trainer(job, *digits, CPU, checkpoint_seconds=0).rows()
    for _ in range(3):
        next(run)
    for trial, damage in zip(job.trials, (b"", b"PK\x03\x04 half a file"), strict=False):
        newest = max((tmp_path / "checkpoints" / trial.trial_id).glob("round-*.pt"))
        newest.write_bytes(damage)
    common = Checkpoints(tmp_path).load_common(job.study, job.trials, lambda i, state: True)
    assert common[0]["rounds"] == 2
    assert len(list((tmp_path / "set-aside").iterdir())) == 2
    assert without_clock(rows_of(job, digits)) == without_clock(whole)


def with_a_wild_rate(trials):
    first = structs.replace(trials[0], hp=trials[0].hp | {"lr": 1e30})
    return [first, *trials[1:]]


def test_a_trial_that_diverges_ends_in_a_row_and_the_others_go_on(tmp_path, digits):
    job = job_in(tmp_path, digits)
    wild = with_a_wild_rate(job.trials)
    rows = rows_of(replace(job, trials=wild), digits)
    (end,) = [row for row in rows if row.trial_id == wild[0].trial_id]
    assert end.outcome == "diverged" and end.metrics == {} and end.step == 2
    assert end.failure == Failure(kind="nan_loss", message="a loss or a weight is not finite", step=2)
    for trial in job.trials[1:]:
        assert [r.outcome for r in rows if r.trial_id == trial.trial_id] == [None, None, "ok"]


def test_samples_that_are_not_finite_end_a_trial(tmp_path, digits):
    job = job_in(tmp_path, digits)
    run = Trainer(job, *digits, CPU)
    rows = run.rows()
    next(rows), next(rows)
    for player in run.pack.players.values():
        if "G" in player.views:
            player.views["G"]["body.last.bias"][0] = torch.nan
    run.pack.rounds, run.evaluated = 4, run.evaluated + 1  # as if it had come this far with finite losses
    rest = [row for found in run._evaluate({}, run.targets[1]) for row in found]
    assert [row.outcome for row in rest] == ["diverged"] + [None] * (len(job.trials) - 1)
    assert rest[0].failure.kind == "nan_images"


def test_a_trial_that_takes_too_long_ends_in_a_row(tmp_path, digits):
    job = job_in(tmp_path, digits, replace(STUDY, time_limit_seconds=1e-6))
    rows = rows_of(job, digits)
    assert len(rows) == len(job.trials)
    for row in rows:
        assert row.outcome == "timeout" and row.failure.kind == "time_limit"
        assert row.failure.message == "it took more than 1e-06 seconds"


def test_the_shares_of_the_trials_of_a_pack_add_up_to_its_time(tmp_path, digits, monkeypatch):
    """By a clock of its own: a round takes two seconds, an evaluation five."""
    passed = [0.0]
    monkeypatch.setattr(trainer, "time", SimpleNamespace(perf_counter=lambda: passed[0]))

    def taking(seconds, function):
        def timed(*args):
            passed[0] += seconds
            return function(*args)

        return timed

    job = job_in(tmp_path, digits, replace(STUDY, steps=30))
    wild = with_a_wild_rate(job.trials)
    run = Trainer(replace(job, trials=wild), *digits, CPU, gpus=0.5)
    monkeypatch.setattr(run.pack, "round", taking(2, run.pack.round))
    monkeypatch.setattr(run.evaluator, "score_pack", taking(5, run.evaluator.score_pack))
    rows = [row for rows in run.rows() for row in rows]
    ends = [row for row in rows if row.outcome]
    assert [row.outcome for row in ends] == ["diverged"] + ["ok"] * (len(wild) - 1)
    assert sum(row.train_seconds for row in ends) == pytest.approx(30 * 2, abs=0.01)
    assert sum(row.eval_seconds for row in ends) == pytest.approx(3 * 5, abs=0.01)
    assert {(row.gpus, row.gpu_kind, row.device) for row in rows} == {(0.5, None, "cpu")}


def test_all_trials_of_all_packs_are_given_the_same_latents(tmp_path, digits):
    job = job_in(tmp_path, digits)
    packs = [Trainer(Job("p", trials, job.study, tmp_path / "x"), *digits, CPU).pack
             for trials in (job.trials, job.trials[1:2])]  # fmt: skip
    whole, alone = (draw_samples(pack, STUDY.evaluation) for pack in packs)
    assert whole[2] == [True] * len(job.trials)
    assert (whole[0][1].int() - alone[0][0].int()).abs().max() <= 1
