"""A trial whose generator or losses no longer change is named so; one that learns never is."""

from dataclasses import replace

import pytest
import torch
from jobs import CPU, STUDY, job_in, rows_of

from gansweep import data
from gansweep.evaluation.evaluator import Evaluator, build_reference
from gansweep.results.row import Outcome
from gansweep.training.trainer import Trainer
from gansweep.variants import VARIANTS

WGAN = replace(STUDY, variants=("wgan",), steps=60, evaluations=2, trials=1, space="wide")


@pytest.fixture(scope="module")
def digits():
    dataset = data.load("digits")
    return dataset, Evaluator(build_reference(dataset, STUDY.evaluation), STUDY.evaluation)


def test_a_generator_without_gradients_is_frozen(tmp_path, digits):
    """A bound of 0.001 on the weights of a network this small leaves G gradients below Adam's eps."""
    job = job_in(tmp_path, digits, replace(WGAN, space={"clip": 1e-3, "d_norm": "batch"}))
    (row,) = rows_of(job, digits)
    assert row.outcome == Outcome.FROZEN and row.step == 30 and not row.metrics
    assert row.failure.kind == "still_weights" and "its gradients vanish" in row.failure.message


def test_the_published_wgan_is_not_frozen_on_a_small_network(tmp_path, digits):
    (*_, last) = rows_of(job_in(tmp_path, digits, WGAN), digits)
    assert last.hp["clip"] == 0.01 and last.hp["d_norm"] == "batch"
    assert last.outcome == Outcome.OK


@pytest.mark.parametrize("name", sorted(set(VARIANTS) - {"acgan"}))
def test_no_variant_is_frozen_by_its_published_settings(tmp_path, digits, name):
    variant = replace(STUDY, variants=(name,), trials=1, space="narrow", steps=10, evaluations=2)
    outcomes = {row.outcome for row in rows_of(job_in(tmp_path, digits, variant), digits)}
    assert Outcome.FROZEN not in outcomes


def test_losses_that_do_not_change_are_named_and_the_others_go_on(tmp_path, digits):
    job = job_in(tmp_path, digits)
    run = Trainer(job, *digits, CPU)
    rows = run.rows()
    next(rows)
    (first, *others) = next(rows)
    terms = {"discriminator": {}, "generator": {}}
    for i, row in enumerate((first, *others)):
        for name, value in row.terms.items():
            player, term = name.split("_", 1)
            terms[player].setdefault(term, torch.zeros(len(job.trials)))[i] = value + (i > 0)
    run.evaluated = run.evaluated + 1
    found = [row for each in run._evaluate(terms, run.targets[0]) for row in each]
    assert [row.outcome for row in found] == [Outcome.FROZEN] + [None] * len(others)
    assert found[0].failure.kind == "still_losses" and found[0].trial_id == first.trial_id


def test_frozen_counts_as_failed_in_tables_and_as_infinite_for_a_sampler(tmp_path, digits):
    from gansweep.results.tables import trials_table

    job = job_in(tmp_path, digits, replace(WGAN, space={"clip": 1e-3, "d_norm": "batch"}))
    table = trials_table(rows_of(job, digits), {"digits": 10.0})
    assert table.outcome.tolist() == ["frozen"] and table.status.tolist() == ["failed"]
