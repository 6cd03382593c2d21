"""After a study: a validation set has selected, finalists are measured again, any trial can be had again."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rows import a_row, json_manifest, json_rows

from gansweep import data
from gansweep.cli import main
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation, check_metrics
from gansweep.evaluation.evaluator import Evaluator, to_uint8
from gansweep.evaluation.metrics import features
from gansweep.evaluation.reference import build_reference, describe
from gansweep.evaluation.stored import study_reference
from gansweep.report import figures
from gansweep.results.decoding import SEAL, sealed_json
from gansweep.results.folder import StudyFolder
from gansweep.results.phases import FinishedTrial, finished_trials
from gansweep.results.phases import finalists as finalists_of
from gansweep.results.plan import Confirm
from gansweep.results.records import read_finalists
from gansweep.results.row_file import read_rows
from gansweep.results.study_file import read_study
from gansweep.results.tables import read_tables
from gansweep.run import finalists
from gansweep.run.driver import run_study
from gansweep.run.options import Options
from gansweep.run.packing import read_packing
from gansweep.run.ray import measure
from gansweep.run.reproduce import Repetition, square
from gansweep.space import loguniform
from gansweep.study.study import Study
from gansweep.training.trained import load_trained

STUDY = Study(
    variants=("ns",),
    datasets=("digits", "ring"),
    space={"lr": loguniform(1e-4, 1e-2)},
    same_configurations=True,
    trials=3,
    steps=10,
    evaluations=2,
    evaluation=Evaluation(n_images=300, selection="validation"),
    confirm=Confirm(top=1, seeds=2),
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def results(local_ray, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "FIGURES", figures.FIGURES[:2])
        assert run_study("small", "Which is better?", STUDY, Options(results=folder)) == 0
    return folder


@pytest.fixture(scope="module")
def folder(results) -> Path:
    return results / "small"


def command(results, *arguments: str) -> int:
    return main([*arguments, "--results", str(results)])


def test_a_validation_set_is_held_out_of_training():
    whole, held = data.load("digits"), data.load("digits", validation=True)
    assert len(held.validation) == len(whole.train) // 4 < len(whole.test)
    assert len(held.train) + len(held.validation) == len(whole.train)
    both = torch.cat([held.train, held.validation]).flatten(1).sum(1).sort().values
    assert torch.equal(both, whole.train.flatten(1).sum(1).sort().values)
    assert torch.equal(held.test, whole.test) and held.sha256 == whole.sha256
    again = data.load("digits", validation=True)
    assert torch.equal(held.validation, again.validation)
    assert torch.equal(held.validation_labels, again.validation_labels)
    assert whole.selecting[0] is whole.test and held.selecting[0] is held.validation


def test_both_fids_are_of_the_same_samples_to_their_own_images():
    dataset = data.load("digits", validation=True)
    evaluation = Evaluation(n_images=300, selection="validation")
    assert evaluation.metrics == ("fid", "isc", "test_fid")
    reference = build_reference(dataset, evaluation)
    evaluator = Evaluator(reference, evaluation)
    scores = evaluator.score(dataset.train[:300])
    moments = features.statistics(evaluator.features(dataset.train[:300]))
    for name, images in (("fid", dataset.validation), ("test_fid", dataset.test)):
        theirs = features.statistics(evaluator.features(images))
        assert scores[name] == pytest.approx(features.frechet(moments, theirs), rel=1e-12)
    plain = describe(data.load("digits"), Evaluation(n_images=300))
    assert reference.description["split"] == "validation" and plain["split"] == "test"
    assert set(reference.floor) == {"fid", "test_fid"}


def test_what_cannot_be_asked_for_is_said():
    with pytest.raises(UserError, match="unknown selection 'tset'; did you mean 'test'"):
        Evaluation(selection="tset")
    with pytest.raises(UserError, match="'test_fid' needs a validation set: set Evaluation"):
        check_metrics(Evaluation(metrics=("fid", "test_fid")), data.load("digits"), conditional=False)
    with pytest.raises(UserError, match="same_configurations needs the sampler 'random', but"):
        replace(STUDY, sampler="tpe")
    with pytest.raises(UserError, match="unknown data set of architecture 'mnist'"):
        replace(STUDY, architecture={"mnist": "conv28"})


def test_the_validation_set_selects_and_the_test_set_reports(folder):
    trials, evaluations = (read_tables(folder)[name] for name in ("trials", "evaluations"))
    for _, trial in trials.iterrows():
        mine = evaluations[evaluations.trial_id == trial.trial_id].set_index("step")
        assert trial.fid_best == mine.fid.min() and trial.fid_best_step == mine.fid.idxmin()
        assert trial.fid_reported == mine.test_fid[trial.fid_best_step] != trial.fid_best
    assert json_manifest(folder)["selection"] == {"digits": "validation", "ring": "validation"}
    assert json_manifest(folder)["datasets"]["digits"]["n_validation"] == 299


def test_the_data_sets_have_the_same_configurations_and_seeds(folder):
    search = read_tables(folder)["trials"].query("phase == 'search'")
    for _, same in search.groupby("trial_number"):
        assert same.config_id.nunique() == same.seed.nunique() == 1 and len(same) == 2
    assert search.config_id.nunique() == 3


def test_the_best_fresh_seed_of_every_cell_is_measured_again(folder):
    entries = {entry.trial_id: entry for entry in read_finalists(folder)}
    assert {trial.trial_id for trial in current(folder)} == set(entries)
    trials = read_tables(folder)["trials"].set_index("trial_id")
    for name, entry in entries.items():
        assert entry.phase == "confirm" and len(entry.draws) == 3
        assert np.mean(entry.draws) == pytest.approx(trials.test_fid[name], rel=0.2)
        line = entry.fid_infinity + entry.slope / np.array(entry.sizes)
        assert line == pytest.approx(entry.fids, rel=0.2)
    assert {entry.dataset: bool(entry.neighbours) for entry in entries.values()} == {
        "digits": True,
        "ring": False,
    }


@pytest.mark.parametrize("limit", ["HERE_SECONDS", "MOST_FEATURES"])
def test_workers_measure_what_takes_longer_and_find_the_same(folder, limit, monkeypatch):
    def measured():
        found = measure.measure_finalists(folder, current(folder), read_packing(folder))
        return {trial.trial_id: entry for trial, entry in found}

    here = measured()
    assert here == {entry.trial_id: entry for entry in read_finalists(folder)}
    monkeypatch.setattr(measure, limit, -1)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: pytest.fail("it was measured here"))
    assert measured() == here


def test_a_finalist_that_cannot_be_measured_is_a_sentence(folder, monkeypatch):
    def fails(*args):
        raise ValueError("the samples are not finite\n: the generator has diverged")

    monkeypatch.setattr(finalists, "measure", fails)
    found = measure.measure_finalists(folder, current(folder), read_packing(folder))
    assert {entry for _, entry in found} == {": the generator has diverged"}


def reference_of(folder, dataset, evaluation):
    return study_reference(StudyFolder(folder).reference(dataset.name), dataset, evaluation)


def test_the_nearest_training_image_of_a_training_image_is_itself(folder):
    study, dataset = read_study(folder), data.load("digits", validation=True)
    evaluation = Evaluation.of(study, "digits")
    evaluator = Evaluator(reference_of(folder, dataset, evaluation), evaluation)
    images = dataset.train[[3, 600]]
    picture = finalists._neighbours(images, evaluator.features(images), dataset, evaluator)
    (folder / "picture.png").write_bytes(picture)
    pixels = np.asarray(Image.open(folder / "picture.png").convert("L"))
    assert pixels.shape == (2 * 9 + 1, 7 * 9 + 1)  # a sample, a gap and five neighbours
    for row in range(2):
        tiles = [pixels[9 * row + 1 : 9 * row + 9, 9 * i + 1 : 9 * i + 9] for i in range(7)]
        assert (tiles[0] == tiles[2]).all() and (tiles[0] == images[row, 0].numpy()).all()
        assert (tiles[1] == 255).all()


@pytest.mark.parametrize("dataset", ["digits", "ring"])
def test_a_kept_generator_draws_the_samples_that_were_scored(folder, dataset):
    """Its FID, for the evaluation's own latents, is that of the trial's last row."""
    study, samples = read_study(folder), data.load(dataset, validation=True)
    trial = {trial.cell: trial for trial in current(folder)}[dataset, "ns"]
    (*_, last) = (row for row in json_rows(folder) if row["trial_id"] == trial.trial_id)
    evaluation = Evaluation.of(study, dataset)
    drawn, _ = load_trained(folder, trial, study, samples, CPU).samples(300, evaluation.seed)
    evaluator = Evaluator(reference_of(folder, samples, evaluation), evaluation)
    scored = evaluator.score(to_uint8(drawn) if samples.kind == "image" else drawn)
    assert scored["test_fid"] == pytest.approx(last["metrics"]["test_fid"], rel=1e-4)


def test_a_trial_is_reproduced_to_the_last_digit(results, capsys):
    assert command(results, "reproduce", "small/digits-ns-0001") == 0
    said = capsys.readouterr().out
    assert "in a pack of" in said and said.strip().endswith("reproduced to the last digit: ok")
    assert said.count("test_fid") == 2


def test_a_number_that_was_changed_is_found():
    def row(fid, outcome):
        return a_row(step=5, metrics={"fid": fid}, outcome=outcome)

    assert Repetition([row(2.0, "ok")], [row(2.0, "ok")], 1).largest == 0
    changed = Repetition([row(2.0, "ok")], [row(2.1, "ok")], 1)
    assert changed.largest == pytest.approx(0.1 / 2.1) and "differ by up to 4.8 %" in changed.lines()[-1]
    ended = Repetition([row(2.0, "ok")], [row(None, "diverged")], 1)
    assert ended.largest == np.inf
    assert ended.lines()[-1] == "not reproduced: the outcome was ok and is diverged"


def test_samples_are_drawn_from_what_was_kept(results, folder, tmp_path, capsys):
    best = {trial.cell: trial.trial_id for trial in current(folder)}
    image, vectors = best["digits", "ns"], best["ring", "ns"]
    assert command(results, "sample", f"small/{image}", "--n", "9", "-o", str(tmp_path / "a" / "x.png")) == 0
    assert Image.open(tmp_path / "a" / "x.png").size == (196, 196)
    assert command(results, "sample", f"{folder}/{vectors}", "--n", "5", "-o", str(tmp_path / "x.npy")) == 0
    assert np.load(tmp_path / "x.npy").shape == (5, 2)
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'a' / 'x.png'}: 9 samples of 8×8 pixels in 3 rows of 3, each pixel 8×8 pixels large",
        f"{tmp_path / 'x.npy'}: 5 samples, an array of shape (5, 2)",
    ]


@pytest.mark.parametrize(
    ("n", "side", "size", "what"),
    [
        (36, 8, 6 * 65 + 1, "36 samples of 8×8 pixels in 6 rows of 6, each pixel 8×8 pixels large"),
        (5, 28, 3 * 85 + 1, "5 samples of 28×28 pixels in 2 rows of 3, each pixel 3×3 pixels large"),
        (1, 64, 64, "1 sample of 64×64 pixels in 1 row of 1"),
        (
            10_000,
            8,
            100 * 17 + 1,
            "10000 samples of 8×8 pixels in 100 rows of 100, each pixel 2×2 pixels large",
        ),
    ],
)
def test_small_samples_are_enlarged_until_they_can_be_seen(n, side, size, what):
    images = torch.randint(256, (n, 1, side, side), dtype=torch.uint8)
    content, said = square(images)
    picture = np.asarray(Image.open(io.BytesIO(content)))
    assert said == what and picture.shape[1] == size
    factor = int(said.split("×")[-2].split()[-1]) if "each" in said else 1
    first = picture[n > 1 :, n > 1 :][: side * factor : factor, : side * factor : factor, 0]
    assert (first == images[0, 0].numpy()).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sample", "digits-ns-0001"), "a trial is named STUDY/TRIAL, as quickstart/digits-ns-0003, but got"),
        (("sample", "smal/digits-ns-0001"), "'smal'; did you mean 'small'?"),
        (("sample", "small/digits-ns-001"), "unknown trial 'digits-ns-001'; did you mean 'digits-ns-0001'?"),
        (("reproduce", "small/x"), "unknown trial 'x'."),
        (("sample", "small/digits-ns-0000", "-o", "x.jpg"), "are written to a .png file, but got x.jpg"),
    ],
)
def test_a_mistake_is_one_sentence(results, capsys, arguments, message):
    assert command(results, *arguments) == 2
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said


def test_a_generator_that_was_not_kept_is_named_with_those_that_were(results, folder, capsys):
    kept = {trial.trial_id for trial in current(folder)}
    lost = next(f"digits-ns-{n:04d}" for n in range(3) if f"digits-ns-{n:04d}" not in _kept(folder))
    assert command(results, "sample", f"small/{lost}") == 2
    said = capsys.readouterr().err
    assert f"there is no generator of {lost}" in said and min(kept) in said


def current(folder: Path) -> list[FinishedTrial]:
    """The finalists by the rows."""
    return list(finalists_of(finished_trials(read_rows(folder))).values())


def _kept(folder: Path) -> set[str]:
    return {file.parent.name for file in folder.glob("checkpoints/*/generator.pt")}


@pytest.mark.slow
def test_finalists_that_were_not_measured_are_measured_by_the_same_command(results, folder, capsys):
    file = StudyFolder(folder).finalists
    before = json.loads(file.read_text())
    rest = {name: value for name, value in before.items() if name != SEAL}
    file.write_text(sealed_json(rest | {"finalists": before["finalists"][:1]}))
    assert run_study("small", "Which is better?", STUDY, Options(results=results)) == 0
    assert "measuring the best trial of each variant again: 1 of them" in capsys.readouterr().out
    assert json.loads(file.read_text()) == before
