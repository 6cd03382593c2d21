"""Real samples are looked at once: kept in a file, shared by processes and studies, read ever after."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_evaluator import FEATURE_METRICS, evaluator, noisy, random_inception  # noqa: F401

from gansweep import data
from gansweep.data.tensors import save_tensors
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator, Reference, build_reference
from gansweep.evaluation.extractors import features_by
from gansweep.evaluation.reference import KIND, describe
from gansweep.evaluation.stored import shared_reference
from gansweep.results.study_file import read_study

EXAMPLE = Path(__file__).parents[2] / "results" / "examples" / "quickstart"

TOGETHER = """
import os, time
from gansweep import data
from gansweep.evaluation import Evaluation
from gansweep.evaluation.extractors import Classifier
from gansweep.evaluation.stored import shared_reference

seen, forward = 0, Classifier.forward
def counting(self, x):
    global seen
    seen += len(x)
    time.sleep(0.3)  # long enough for the others to come
    return forward(self, x)
Classifier.forward = counting
digits = data.load("digits")
if os.fork():
    os.fork()
reference = shared_reference(digits, Evaluation(n_images=100))
os.write(1, f"{seen} {reference.metric_id} {reference.floor['fid']}\\n".encode())
"""


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path / "cache"))


def test_of_processes_that_start_together_one_looks_at_the_real_images(digits, tmp_path):
    done = subprocess.run([sys.executable, "-c", TOGETHER], stdout=subprocess.PIPE, text=True, check=True)
    said = [line.split() for line in done.stdout.splitlines()]
    seen, ids, floors = zip(*said, strict=True)
    assert sorted(map(int, seen)) == [0, 0, len(digits.test) + 100]  # and 100 training images, for the floor
    assert len(set(ids)) == len(set(floors)) == 1
    (file,) = (tmp_path / "cache" / "references").glob("*.pt")
    written = file.stat().st_mtime_ns
    assert shared_reference(digits, Evaluation(n_images=100)).metric_id == ids[0] == file.stem
    assert file.stat().st_mtime_ns == written


def test_a_shared_reference_gains_what_other_metrics_need(digits, tmp_path):
    first = shared_reference(digits, Evaluation(n_images=200))
    assert list(first.derived) == ["root"]
    evaluation = Evaluation(n_images=200, metrics=FEATURE_METRICS)
    second = shared_reference(digits, evaluation)
    assert second.metric_id == first.metric_id and set(second.derived) == {"root", "kernel_means", "radii"}
    (file,) = (tmp_path / "cache" / "references").glob("*.pt")
    assert file.stem == first.metric_id
    assert Reference.load(file, first.metric_id).completed(evaluation).derived.keys() == second.derived.keys()
    images = noisy(digits.train[:200], 0.2)
    assert Evaluator(second, evaluation).score(images) == evaluator(digits, 200, FEATURE_METRICS).score(
        images
    )


def test_where_nothing_can_be_kept_a_reference_is_made_all_the_same(digits, monkeypatch):
    monkeypatch.setenv("GANSWEEP_CACHE", os.devnull + "/here")
    assert (
        shared_reference(digits, Evaluation(n_images=100)).floor
        == build_reference(digits, Evaluation(n_images=100)).floor
    )


def test_references_and_studies_of_early_versions_are_read_and_mean_the_same(digits, tmp_path):
    study = read_study(EXAMPLE)
    evaluation = Evaluation.of(study, "digits")
    assert "precision" not in study.evaluation["digits"] and evaluation.precision == "float32"
    assert json.loads(json.dumps(evaluation.to_json())) == study.evaluation["digits"]
    (known,) = json.loads((EXAMPLE / "manifest.json").read_text())["metrics"]
    asked = dataclasses.replace(evaluation, metrics=FEATURE_METRICS)
    made = build_reference(digits, asked)
    assert made.metric_id == known
    made.save(tmp_path / "new.pt")
    content = torch.load(tmp_path / "new.pt", weights_only=True)
    del content["derived"]
    save_tensors(content, tmp_path / "old.pt", KIND, known)
    images = noisy(digits.train[:1000], 0.2)
    old = Evaluator(Reference.load(tmp_path / "old.pt", known).completed(asked), asked)
    assert old.score(images) == Evaluator(made, asked).score(images)


def test_a_precision_is_one_that_is_known():
    with pytest.raises(UserError, match="unknown precision 'bfloat'; did you mean 'bfloat16'"):
        Evaluation(precision="bfloat")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_scores_of_a_shorter_precision_are_near_but_never_compared(digits, precision):
    evaluation = Evaluation(n_images=600, precision=precision)
    scorer, exact = (evaluator(digits, 600, ("fid", "isc"), **o) for o in ({"precision": precision}, {}))
    assert scorer.reference.metric_id != exact.reference.metric_id
    assert scorer.reference.description["precision"] == evaluation.to_json()["precision"] == precision
    images = noisy(digits.train[:600], 0.3)
    short, full = scorer.score(images), exact.score(images)
    assert short != full
    torch.testing.assert_close(short, full, rtol=0.02, atol=0)


def test_a_precision_is_none_of_coordinates():
    ring = data.load("ring")
    one, other = (describe(ring, Evaluation(precision=precision)) for precision in ("float32", "bfloat16"))
    assert one == other


def test_inceptions_features_of_a_shorter_precision_are_near(digits, random_inception):  # noqa: F811
    images = digits.test[:3]
    full, *short = (
        features_by("inception", random_inception, "cpu", precision)(images)
        for precision in ("float32", "bfloat16", "float16")
    )
    errors = [((some - full).norm() / full.norm()).item() for some in short]
    assert 0 < errors[1] < errors[0] < 0.05
