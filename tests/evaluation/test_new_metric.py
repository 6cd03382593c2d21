"""A metric is one function and one entry of the table: it arrives in rows, tables and report."""

import dataclasses
import json
import math
import subprocess
import sys

import pytest
import torch
from jobs import STUDY, job_in, rows_of
from synthetic import make_study

from gansweep import data
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation, check_metrics
from gansweep.evaluation.evaluator import Evaluator, build_reference
from gansweep.evaluation.metrics import COMPUTE, PRECOMPUTE, pairwise
from gansweep.report import write_report
from gansweep.results import tables
from gansweep.results.metrics import METRICS, Metric, compared_with_fid, in_strips

SPREAD = Metric(label="spread", description="mean standard deviation of the features", better="higher")


@pytest.fixture
def spread(monkeypatch):
    """One function and one entry."""
    monkeypatch.setitem(METRICS, "spread", SPREAD)
    monkeypatch.setitem(COMPUTE, "spread", lambda scored: scored.features.std(1).mean(1))


def test_every_metric_has_a_function():
    assert COMPUTE.keys() == METRICS.keys() and PRECOMPUTE.keys() <= METRICS.keys()


def test_a_new_metric_arrives_in_rows(tmp_path, spread):
    evaluation = Evaluation(n_images=200, metrics=("fid", "spread"))
    digits = data.load("digits")
    evaluator = Evaluator(build_reference(digits, evaluation), evaluation)
    value = dataclasses.replace(STUDY, evaluation=evaluation)
    rows = rows_of(job_in(tmp_path, (digits, evaluator), value), (digits, evaluator))
    samples = digits.test[:200]
    expected = evaluator.features(samples).std(0).mean().item()
    assert evaluator.score(samples)["spread"] == pytest.approx(expected, rel=1e-12)
    assert rows and all(row.metrics["spread"] > 0 for row in rows)


def test_a_new_metric_arrives_in_tables_and_report(tmp_path, spread):
    folder = make_study(tmp_path / "study", variants=2, datasets=1, metrics=("spread",), trials=12)
    found = tables.write_tables(folder, {"digits": math.inf})
    values = found["evaluations"][["spread", "fid"]]
    assert (values["spread"].notna() == values["fid"].notna()).all() and values["spread"].notna().any()
    package = json.loads((folder / "datapackage.json").read_text())
    described = {f["name"]: f["description"] for f in package["resources"][0]["schema"]["fields"]}
    assert described["spread"] == "mean standard deviation of the features: higher is better"
    page = write_report(folder, ("html",)).read_text()
    assert "Spread, best trial" in page and "The highest spread of a trial" in page
    assert "spread" in in_strips("further") and compared_with_fid()[-1] == "spread"


def test_a_new_metric_is_refused_where_its_need_is_not_met(monkeypatch, spread):
    monkeypatch.setitem(METRICS, "spread", dataclasses.replace(SPREAD, needs="mixture"))
    with pytest.raises(
        UserError, match=r"metric 'spread' needs a mixture \(.*\), but the data set is 'digits'"
    ):
        check_metrics(Evaluation(metrics=("fid", "spread")), data.load("digits"), conditional=False)


def test_what_metrics_share_is_computed_once(monkeypatch):
    calls = []
    original = pairwise.precision_recall
    monkeypatch.setattr(pairwise, "precision_recall", lambda *given: calls.append(1) or original(*given))
    digits = data.load("digits")
    evaluation = Evaluation(n_images=200, metrics=("fid", "recall", "precision"))
    evaluator = Evaluator(build_reference(digits, evaluation), evaluation)
    evaluator.score_pack(torch.stack([digits.test[:200], digits.test[100:300]]))
    assert len(calls) == 2  # one for each member


@pytest.mark.parametrize("name", METRICS)
def test_the_words_for_a_metric_are_complete(name):
    metric = METRICS[name]
    assert metric.label and len(metric.description) > 10
    assert metric.column.endswith(f"{metric.better} is better") or metric.better == "neither"


def test_the_table_of_metrics_and_the_settings_need_no_torch():
    code = "import sys, gansweep.evaluation; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
