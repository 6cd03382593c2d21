"""Each kind of damage to results is found and named; sound results pass."""

import json
import shutil

import pandas as pd
import pytest
import torch
from rows import json_manifest
from synthetic import make_study

from gansweep.errors import UserError
from gansweep.evaluation.reference import Reference
from gansweep.files import dump_json
from gansweep.report.comparison import read_comparison
from gansweep.report.summary import summary_table, write_summary
from gansweep.report.verify.verify import verify_study
from gansweep.results.folder import StudyFolder
from gansweep.results.row import config_id
from gansweep.results.tables import write_tables

TRIAL = "digits-ns-003"  # which ends well


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A finished study with all phases, and metric ids that are hashes as real ones are."""
    folder = make_study(
        tmp_path_factory.mktemp("verify") / "study",
        variants=("ns",),
        datasets=1,
        trials=8,
        seed=3,
        samples=False,
        confirm={"top": 2, "reruns": 2, "seeds": 3},
        replicate={"configurations": 2, "seeds": 2},
    )
    manifest = json_manifest(folder)
    ((old, description),) = manifest["metrics"].items()
    description["dataset_sha256"] = manifest["datasets"]["digits"]["sha256"]
    floor = description.pop("floor")
    new = config_id(description)
    manifest["metrics"] = {new: description | {"floor": floor}}
    (folder / "manifest.json").write_text(dump_json(manifest))
    rows = folder / "rows.jsonl"
    rows.write_text(rows.read_text().replace(old, new))
    empty = torch.zeros(0)
    StudyFolder(folder).reference("digits").parent.mkdir()
    Reference(description, empty, empty, empty, floor).save(StudyFolder(folder).reference("digits"))
    write_all_tables(folder)
    return folder


def write_all_tables(folder):
    write_tables(folder, json_manifest(folder)["collapse_above"])
    write_summary(folder / "report", summary_table(read_comparison(folder)))


@pytest.fixture
def study(original, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(original, tmp_path / "study")


def edit_rows(study, change, trial_id=TRIAL):
    """Give the rows of a trial to `change`, which returns those to have instead; the tables follow."""
    rows = [json.loads(line) for line in (study / "rows.jsonl").read_text().splitlines()]
    mine = change([row for row in rows if row["trial_id"] == trial_id])
    lines = [row for row in rows if row["trial_id"] != trial_id] + mine
    (study / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))


def edit_each(study, trial_id=TRIAL, **values):
    edit_rows(study, lambda rows: [row | values for row in rows], trial_id)


def of_rows(study):
    """What is wrong besides the tables, which the edited rows do not agree with."""
    return [
        sentence
        for sentence in verify_study(study)
        if not sentence.startswith(("trials.", "evaluations.", "report/"))
    ]


def test_sound_results_pass(study):
    assert verify_study(study) == []


def test_a_changed_number_in_a_table_is_named(study):
    table = pd.read_csv(study / "trials.csv", dtype=str, keep_default_na=False)
    line = table.index[table["trial_id"] == TRIAL][0]
    truth = table.loc[line, "fid_best"]
    table.loc[line, "fid_best"] = "1.5"
    table.to_csv(study / "trials.csv", index=False)
    expected = f"trials.csv, trial_id {TRIAL}, column fid_best: the file has 1.5, the rows give {truth}"
    assert verify_study(study) == [expected]


def test_a_seed_that_differs_by_one_is_no_rounding(study):
    table = pd.read_parquet(study / "trials.parquet")
    seed = table.loc[0, "seed"]
    table.loc[0, "seed"] = seed + 1
    table.to_parquet(study / "trials.parquet")
    (sentence,) = verify_study(study)
    assert sentence.endswith(f"column seed: the file has {seed + 1}, the rows give {seed}")


def test_lines_and_columns_of_tables(study):
    table = pd.read_parquet(study / "evaluations.parquet")
    dropped = table.iloc[3]
    changed = pd.concat([table.drop(3), table.iloc[:1], table.iloc[:1].assign(step=7)]).drop(columns="kid")
    changed.to_parquet(study / "evaluations.parquet")
    first = table.loc[0, "trial_id"]
    assert verify_study(study) == [
        "evaluations.parquet: column kid is missing",
        f"evaluations.parquet, trial_id {first}, step {table.loc[0, 'step']} occurs more than once",
        f"evaluations.parquet, trial_id {dropped['trial_id']}, step {dropped['step']} is missing",
        f"evaluations.parquet, trial_id {first}, step 7 does not follow from the rows",
    ]


def test_many_differences_are_counted(study):
    table = pd.read_parquet(study / "evaluations.parquet")
    table.assign(fid=table["fid"] + 1).to_parquet(study / "evaluations.parquet")
    sentences = verify_study(study)
    assert (
        len(sentences) == 11
        and sentences[-1] == f"evaluations.parquet: {table['fid'].count() - 10} more differences"
    )


def test_the_summary_is_recomputed(study):
    table = pd.read_parquet(study / "report" / "data" / "summary.parquet")
    rounded = table.assign(best_fid=table["best_fid"] * (1 + 1e-13))
    rounded.assign(hours=1.0).to_parquet(study / "report" / "data" / "summary.parquet")
    (sentence,) = verify_study(study)
    assert sentence.startswith(
        "report/data/summary.parquet, dataset digits, variant ns, column hours: the file has 1.0, the rows"
    )


@pytest.mark.parametrize(
    "name", ["trials.csv", "evaluations.parquet", "datapackage.json", "report/data/summary.csv"]
)
def test_a_missing_table(study, name):
    (study / name).unlink()
    assert verify_study(study) == [f"{name} is missing"]


def test_damaged_files(study):
    (study / "trials.parquet").write_bytes((study / "trials.parquet").read_bytes()[:-100])
    (study / "evaluations.csv").write_bytes(b"\xff\xfe")
    first, second = verify_study(study)
    assert first.startswith("trials.parquet cannot be read: ")
    assert second.startswith("evaluations.csv cannot be read: ")


def test_an_edited_score_shows_in_every_table(study):
    edit_rows(study, lambda rows: [row | {"metrics": row["metrics"] | {"fid": 0.5}} for row in rows])
    sentences = verify_study(study)
    for name in ("trials.csv", "trials.parquet", "evaluations.csv", "evaluations.parquet"):
        assert any(s.startswith(f"{name}, trial_id {TRIAL}") and "the rows give 0.5" in s for s in sentences)
    assert any(s.startswith("report/data/summary.csv") and "the rows give 0.5" in s for s in sentences)


def test_a_dropped_row(study):
    edit_rows(study, lambda rows: [*rows[:1], *rows[2:]])
    assert of_rows(study) == [f"trial {TRIAL}: it has 4 of 5 measurements"]


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [rows[0], *rows],
        lambda rows: [rows[1], rows[0], *rows[2:]],
        lambda rows: [*rows, rows[-1]],
        lambda rows: [*rows[:-1], rows[0]],
    ],
    ids=["a doubled row", "rows out of order", "a second end", "a row after the end"],
)
def test_rows_that_contradict_others(study, change):
    edit_rows(study, change)
    (sentence,) = of_rows(study)
    assert sentence.endswith(
        f"damaged: it is a row of {TRIAL} that an earlier line contradicts; restore it from a copy"
    )


def test_a_missing_trial(study):
    edit_rows(study, lambda rows: [])
    assert "the search of ns on digits: 1 planned trials have not ended: number 3" in of_rows(study)


def test_a_missing_seed_of_the_winner(study):
    trial_id = confirmed(study)
    edit_rows(study, lambda rows: [], trial_id)
    assert of_rows(study) == [f"phase confirm: 1 planned trials have not ended: {trial_id}"]


def confirmed(study):
    table = pd.read_parquet(study / "trials.parquet")
    return table.loc[table["phase"] == "confirm", "trial_id"].iloc[0]


def test_an_edited_hyperparameter(study):
    edit_rows(study, lambda rows: [row | {"hp": row["hp"] | {"lr": 0.5}} for row in rows])
    first, second = of_rows(study)
    assert first.startswith(f"trial {TRIAL}: config_id ") and first.endswith(
        "is not the hash of its hyperparameters"
    )
    assert second == f"trial {TRIAL}: hyperparameter lr is 0.5, which is outside its space"


def test_a_hyperparameter_edited_with_its_hash_and_in_one_phase_only(study):
    def change(rows):
        hp = rows[0]["hp"] | {"lr": 0.00123}
        return [row | {"hp": hp, "config_id": config_id(hp)} for row in rows]

    trial_id = confirmed(study)
    edit_rows(study, change, trial_id)
    (sentence,) = of_rows(study)
    assert sentence.startswith(f"trial {trial_id}: its hyperparameters differ from digits-")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"seed": 7}, "its seed is 7, which does not follow from its number"),
        ({"trial_number": 60}, "its number is 60, but a search has 8 trials"),
        ({"is_default": True}, "it is marked as the default, but has other hyperparameters"),
        ({"metric_id": "0123456789ab"}, "its metric_id 0123456789ab is not in the manifest"),
        ({"n_images": 77}, "belongs to other images than those of the trial"),
        ({"variant": "lsgan"}, "the manifest has no lsgan on digits"),
        ({"sampler": "tpe"}, "its sampler is 'tpe', the manifest's 'random'"),
        ({"steps_planned": 4000}, "its steps_planned is 4000, the manifest's 5000"),
        ({"failure": {"kind": "k", "message": "m", "step": 3}}, "its outcome is ok, but its failure is"),
    ],
)
def test_what_a_row_says_of_its_trial(study, values, sentence):
    edit_each(study, **values)
    assert any(found.startswith(f"trial {TRIAL}: ") and sentence in found for found in of_rows(study))


def test_a_seed_of_a_winner_that_was_not_planned(study):
    trial_id = confirmed(study)
    edit_each(study, trial_id, seed=99)
    assert of_rows(study) == [f"trial {trial_id}: its seed is 99, which is not the planned one"]


def test_two_trials_of_one_number(study):
    edit_rows(study, lambda rows: [row | {"trial_id": f"{TRIAL}b-003"} for row in rows] + rows)
    assert "the search of ns on digits has 2 trials of number 3" in of_rows(study)


def test_rows_that_are_not_finite_or_not_whole(study):
    rows = (study / "rows.jsonl").read_text().splitlines()
    one = json.loads(rows[1])
    without = {name: value for name, value in one.items() if name != "seed"}
    for values, why in (
        (one | {"metrics": {"fid": float("nan")}}, "it is not JSON (NaN is not a number of JSON)"),
        (without, "row: object missing required field seed"),
        (one | {"outcome": "won"}, "row.outcome: invalid enum value 'won'"),
    ):
        (study / "rows.jsonl").write_text("\n".join([rows[0], json.dumps(values), *rows[2:]]) + "\n")
        (sentence,) = verify_study(study)
        assert f"rows.jsonl, line 2, is damaged: {why}" in sentence


def test_a_line_that_is_no_row(study):
    with (study / "rows.jsonl").open("a") as file:
        file.write("nonsense\n")
    (sentence,) = verify_study(study)
    assert "it is not JSON" in sentence


def test_no_rows(study):
    (study / "rows.jsonl").unlink()
    assert verify_study(study) == ["rows.jsonl is missing or empty"]


def test_the_manifest_is_held_to_its_hashes(study):
    manifest = json_manifest(study)
    (metric_id,) = manifest["metrics"]
    manifest["metrics"][metric_id]["n_images"] = 1000  # as it was
    manifest["metrics"][metric_id]["extractor"] = "inception"
    manifest["datasets"]["digits"]["sha256"] = "ef" * 32
    (study / "manifest.json").write_text(dump_json(manifest))
    assert verify_study(study) == [
        f"manifest.json: metric {metric_id} is not the hash of its description",
        f"manifest.json: metric {metric_id} has other data than data set digits",
        f"references/digits.pt is not the reference of metric {metric_id} in manifest.json",
    ]


def test_a_damaged_reference(study):
    (study / "references" / "digits.pt").write_bytes(b"nothing")
    (sentence,) = verify_study(study)
    assert sentence.startswith("references/digits.pt is not the reference of metric")


def test_the_manifest_is_held_to_the_study(study):
    manifest = json_manifest(study)
    resolved = manifest["budget"] | {name: manifest[name] for name in ("sampler", "spaces", "defaults")}
    resolved |= {"name": "synthetic", "seed": 0, "same_configurations": False, "batch_size": 64}
    resolved |= {"optimizer": "adam", "conditional": "none", "architectures": {"digits": "mlp"}}
    resolved |= {"evaluation": {"digits": {"n_images": 1000}}}
    resolved |= {"data_sha256": {"digits": "ab" * 32}, "variants": ["ns"], "datasets": ["digits"]}
    (study / "study.json").write_text(dump_json(resolved))
    assert verify_study(study) == []
    (study / "study.json").write_text(dump_json(resolved | {"steps": 9, "variants": ["mm"]}))
    assert verify_study(study) == [
        "manifest.json and study.json differ in steps",
        "manifest.json and study.json differ in variants",
    ]


def test_an_interrupted_study_is_not_finished_but_nothing_else(tmp_path, study):
    lines = (study / "rows.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["trial_id"] in {TRIAL, "digits-ns-000"}]
    (study / "rows.jsonl").write_text("".join(kept[:-2]))
    write_all_tables(study)
    (sentence,) = verify_study(study)
    assert sentence.startswith(
        "the search of ns on digits: 7 planned trials have not ended: number 1, number 2"
    )
    assert sentence.endswith(" and 2 more")


def test_no_results(tmp_path):
    with pytest.raises(UserError, match=r"holds no results: manifest.json is missing"):
        verify_study(tmp_path)
