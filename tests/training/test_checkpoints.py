"""Checkpoints: what was written is what is read, for the same trial of the same study, or nothing is."""

import random
from dataclasses import replace

import pytest
import torch
from jobs import CPU, STUDY, job_in, rows_of
from msgspec import structs
from rows import a_row, a_study

from gansweep import data
from gansweep.evaluation.evaluator import Evaluator, build_reference
from gansweep.space import loguniform
from gansweep.training.checkpoints import Checkpoints, same_layout
from gansweep.training.trainer import Trainer

TRIALS = [a_row(i).trial for i in range(3)]


def any_state(i, state):
    return True


@pytest.fixture(scope="module")
def digits():
    dataset = data.load("digits")
    return dataset, Evaluator(build_reference(dataset, STUDY.evaluation), STUDY.evaluation)


def saved(folder, *rounds, trial=TRIALS[0], study=None):
    checkpoints = Checkpoints(folder)
    for n in rounds:
        checkpoints.save(
            study or a_study(), trial, {"rounds": n, "scalars": {"k": torch.full((64,), 1.0 * n)}}
        )
    return checkpoints


def test_the_last_two_rounds_and_one_generator_are_kept(tmp_path):
    study, (a, b, c) = a_study(), TRIALS
    checkpoints = saved(tmp_path, 10, 20, 30)
    saved(tmp_path, 20, trial=b)
    assert checkpoints.rounds(a.trial_id) == [20, 30]
    assert [state["rounds"] for state in checkpoints.load_common(study, [a, b], any_state)] == [20, 20]
    assert checkpoints.load_common(study, [a, c], any_state) is None
    checkpoints.save_generator(study, a, {"weight": torch.ones(2)})
    checkpoints.forget_training(a.trial_id)
    assert [path.name for path in (tmp_path / "checkpoints" / a.trial_id).iterdir()] == ["generator.pt"]
    checkpoints.forget(a.trial_id)
    assert not (tmp_path / "checkpoints" / a.trial_id).exists()


@pytest.mark.parametrize("part", ["bit", "block", "cut", "text", "folder", "link"])
def test_no_damage_is_taken_for_a_state(tmp_path, part):
    chance = random.Random(part)
    for i in range(40 if part in ("bit", "block", "cut") else 1):
        folder = tmp_path / str(i)
        checkpoints = saved(folder, 10, 20)
        newest = folder / "checkpoints" / TRIALS[0].trial_id / "round-0000020.pt"
        content = bytearray(newest.read_bytes())
        at = chance.randrange(len(content))
        if part == "bit":
            content[at] ^= 1 << chance.randrange(8)
        elif part == "block":
            content[at : at + 512] = bytes(len(content[at : at + 512])).replace(b"\0", b"\xff")
        elif part == "cut":
            del content[at:]
        newest.unlink()
        if part == "folder":
            newest.mkdir()
        elif part == "text":
            newest.write_text("no checkpoint")
        elif part == "link":
            newest.symlink_to(newest.with_name("round-0000010.pt"))
        else:
            newest.write_bytes(content)
        if part == "link":
            with pytest.raises(Exception, match="is a link"):
                checkpoints.load_common(a_study(), TRIALS[:1], any_state)
            continue
        (state,) = checkpoints.load_common(a_study(), TRIALS[:1], any_state)
        assert state["rounds"] == 10 and state["scalars"]["k"].tolist() == [10.0] * 64
        (aside,) = (folder / "set-aside").iterdir()
        assert aside.name.endswith("round-0000020.pt")


@pytest.mark.parametrize(
    "other",
    [
        (a_study(steps=123), TRIALS[0]),
        (a_study(batch_size=7), TRIALS[0]),
        (a_study(seed=1), TRIALS[0]),
        (a_study(), structs.replace(TRIALS[0], seed=5)),
        (a_study(), structs.replace(TRIALS[0], config_id="0" * 12)),
    ],
    ids=["steps", "batch", "study's seed", "seed", "configuration"],
)
def test_a_checkpoint_of_another_configuration_is_not_taken(tmp_path, other):
    study, trial = other
    checkpoints = saved(tmp_path, 10)
    checkpoints.save_generator(a_study(), TRIALS[0], {"weight": torch.ones(2)})
    assert checkpoints.load_common(study, [trial], any_state) is None
    assert checkpoints.load_generator(study, trial) is None
    assert len(list((tmp_path / "set-aside").iterdir())) == 2


def test_a_longer_search_and_another_question_go_on_with_it(tmp_path):
    checkpoints = saved(tmp_path, 10)
    longer = a_study(trials=a_study().trials + 5, question="and now?")
    assert checkpoints.load_common(longer, TRIALS[:1], any_state) is not None


def test_a_generator_without_a_hash_is_taken_as_it_is(tmp_path):
    file = tmp_path / "checkpoints" / TRIALS[0].trial_id / "generator.pt"
    file.parent.mkdir(parents=True)
    torch.save({"weight": torch.ones(2)}, file)
    assert Checkpoints(tmp_path).load_generator(a_study(), TRIALS[0])["weight"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "other",
    [{"seed": 3}, {"batch_size": 32}, {"space": {"lr": loguniform(1e-5, 1e-2)}}, {"steps": 9}],
    ids=str,
)
def test_a_changed_study_in_a_folder_of_checkpoints_begins_anew(tmp_path, digits, other):
    """The folder has no rows: nothing but the checkpoints' own identity tells the studies apart."""
    begun = Trainer(job_in(tmp_path, digits), *digits, CPU, checkpoint_seconds=0).rows()
    next(begun), next(begun)
    (tmp_path / "optuna.journal").unlink()
    job = job_in(tmp_path, digits, replace(STUDY, **other))
    rows = rows_of(job, digits)
    assert {row.step for row in rows} == ({3, 6, 9} if "steps" in other else {2, 4, 6})
    assert {row.seed for row in rows} == {trial.seed for trial in job.trials}
    assert all(row.hp == {t.trial_id: t.hp for t in job.trials}[row.trial_id] for row in rows)


def test_layouts():
    like = {"rounds": 1, "players": {"g": {"params": torch.zeros(3), "average": torch.zeros(3)}}}
    assert same_layout({"rounds": 9, "players": {"g": {"params": torch.ones(3)}}}, like)
    assert not same_layout({"rounds": 9, "players": {"g": {"params": torch.ones(4)}}}, like)
    assert not same_layout({"rounds": 9, "players": {"g": {"params": torch.ones(3).double()}}}, like)
    assert not same_layout({"rounds": 9, "players": {}}, like)
    assert not same_layout({"rounds": "9", "players": like["players"]}, like)
