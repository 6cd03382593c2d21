"""The columns of the tables are described, and CSV, Parquet and `gansweep.load` give the same."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from rows import as_rows, json_manifest, json_rows
from synthetic import make_study

import gansweep
from gansweep.errors import Damaged, UserError
from gansweep.evaluation.metrics import COMPUTE
from gansweep.results import columns, csv
from gansweep.results.csv import read_csv
from gansweep.results.metrics import METRICS
from gansweep.results.row import Outcome, Phase
from gansweep.results.row_file import RowWriter
from gansweep.results.tables import read_tables, write_tables


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Failed and running trials, a hyperparameter of one variant only, text that CSV finds hard."""
    folder = make_study(
        tmp_path_factory.mktemp("schema") / "study",
        variants=("ns", "wgan_gp"),
        datasets=1,
        trials=9,
        running=("ns",),
        fail=("wgan_gp",),
        metrics=("kid", "modes"),
        samples=False,
        confirm={"top": 2, "reruns": 2, "seeds": 2},
    )
    rows = json_rows(folder)
    (folder / "rows.jsonl").unlink()
    messages = iter(
        ['say "no", twice', "two\nlines", "carriage\rreturn", "NA", "", "half a \udce9", "None", "=1+1"]
    )
    for row in rows:
        if row["failure"]:
            row["failure"]["message"] = next(messages, "nan")
        if row["variant"] == "ns":
            row["hp"] |= {"flag": row["trial_number"] % 2 == 0, "mixed": "none" if row["step"] > 1000 else 1}
        row["hp"]["fraction"] = float(np.exp(row["trial_number"] - 20)) / 3
    RowWriter(folder).append(as_rows(rows))
    write_tables(folder, json_manifest(folder)["collapse_above"])
    return folder


class Cells(pd.ExcelWriter):
    """Keeps the cells that pandas would write into an Excel file, whatever packages are there."""

    _engine, _supported_extensions = "cells", (".cells",)
    book, sheets = None, {}
    written: dict[tuple[int, int], object]

    def __init__(self, *args, **kwargs):
        self.written = {}

    def _write_cells(self, cells, sheet_name, startrow=0, startcol=0, freeze_panes=None, **kwargs):
        self.written |= {(cell.row, cell.col): cell.val for cell in cells}


def test_tables_can_be_saved_as_excel_files(study):
    trials = gansweep.load(study).trials
    trials.loc[0, "variant"] = "=1+1"
    writer = object.__new__(Cells)
    writer.__init__()
    trials[trials["phase"] == "search"].to_excel(writer, index=False)
    column = {value: place for (row, place), value in writer.written.items() if row == 0}
    assert list(column) == list(trials.columns)
    started = writer.written[1, column["started_at"]]
    assert pd.Timestamp(started) == pd.Timestamp("2026-01-01") and pd.Timestamp(started).tzinfo is None
    assert writer.written[1, column["variant"]] == "'=1+1"
    assert str(trials["started_at"].dtype) == "datetime64[us, UTC]"
    gansweep.load(study).summary.to_excel(writer)


@pytest.mark.parametrize("name", ["trials", "evaluations"])
def test_csv_and_parquet_give_the_same_table(study, name):
    parquet, plain = pd.read_parquet(study / f"{name}.parquet"), csv.read_csv(study / f"{name}.csv")
    assert_frame_equal(plain, parquet, check_exact=True)
    assert_frame_equal(getattr(gansweep.load(study), name), parquet, check_exact=True)


BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # OWASP, "CSV Injection"
FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1.5", "@SUM(A1)", "\t=1", "'=1", "''@a", "'", "'plain", "a=1"]
FORMULAS += ["\n=1", "＝1+1", "＠a", "a;=1", "a;'=1;＋1", "a; b;;", "'＝1"]


@pytest.mark.parametrize("sign", BEGINNINGS)
def test_no_cell_is_a_formula_where_a_semicolon_begins_one_either(sign):
    for text in (f"{sign}1", f"a;{sign}1", f"'{sign}1", f"a;'{sign}1;{sign}", f"'';{sign};'"):
        held = csv.guarded(text)
        assert not [cell for cell in held.split(";") if cell.startswith(BEGINNINGS)]
        assert csv.unguarded(held) == text


def test_no_text_of_a_csv_file_is_a_formula_and_all_come_back(study, tmp_path):
    """Names of variants and messages are what others wrote."""
    folder = shutil.copytree(study, tmp_path / "hostile")
    rows = json_rows(folder)
    (folder / "rows.jsonl").unlink()
    texts, last = iter(FORMULAS * 9), {row["trial_id"]: row for row in rows}
    for row in last.values():
        row["failure"] = {"kind": next(texts), "message": next(texts), "step": 3}
        row["metrics"] |= {"kid": -1.5, "=1+1": 0.5, "a;＝1": 0.5}
    for row in rows:
        row["hp"] |= {"a;@b": 1.0}
        row["variant"] = {"ns": "=1+1", "wgan_gp": "'-2"}[row["variant"]]
    RowWriter(folder).append(as_rows(rows))
    tables = write_tables(folder, json_manifest(folder)["collapse_above"])
    for name, table in tables.items():
        written = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        assert set(written["variant"]) == {"'=1+1", "''-2"} and "-1.5" in set(written["kid"])
        for column in written.columns.difference(table.select_dtypes("number").columns):
            assert not written[column].str.match(r"(?s)(.*;)?[=+\-@\t\r\n＝＋－＠]").any(), column
        assert not [n for n in written.columns for cell in n.split(";") if cell.startswith(BEGINNINGS)]
        assert {"'=1+1", "a;'＝1"} <= set(written.columns)
        assert_frame_equal(csv.read_csv(folder / f"{name}.csv"), table, check_exact=True)
    assert set(tables["trials"]["failure_message"]) | set(tables["trials"]["failure_kind"]) == set(FORMULAS)
    assert {"=1+1", "a;＝1", "hp_a;@b"} <= set(tables["trials"])
    assert "apostrophe" in json.loads((folder / "datapackage.json").read_text())["description"]


def test_types(study):
    trials = gansweep.load(study).trials
    dtypes = trials.dtypes.astype(str)
    expected = {
        "trial_number": "int64",
        "is_default": "bool",
        "fid_best_step": "Int64",
        "failed_step": "Int64",
        "recall": "float64",  # which was never measured
        "failure_kind": "str",
        "started_at": "datetime64[us, UTC]",
        "finished_at": "datetime64[us, UTC]",
        "hp_n_critic": "int64",
        "hp_flag": "boolean",
        "hp_mixed": "str",
        "hp_penalty_weight": "float64",
    }
    assert {name: dtypes[name] for name in expected} == expected
    assert trials["finished_at"].isna().equals(trials["outcome"].isna()) and trials["outcome"].isna().any()
    assert trials["started_at"].dropna().unique().tolist() == [pd.Timestamp("2026-01-01T00:00:00Z")]
    messages = set(trials["failure_message"].dropna())
    assert (
        messages >= {'say "no", twice', "two\nlines", "carriage\nreturn", "NA", "half a \ufffd"}
        and "" not in messages
    )


def test_every_column_is_described(study):
    package = json.loads((study / "datapackage.json").read_text())
    for resource, name in zip(package["resources"], ("trials", "evaluations"), strict=True):
        header = (study / resource["path"]).read_text().split("\n", 1)[0].split(",")
        fields = resource["schema"]["fields"]
        assert [field["name"] for field in fields] == header and resource["name"] == name
        assert all(len(field["description"]) > 10 for field in fields)
    trials, evaluations = package["resources"]
    fields = {field["name"]: field for field in trials["schema"]["fields"]}
    assert fields["trial_id"]["constraints"] == {"required": True, "unique": True}
    assert fields["outcome"]["constraints"] == {"enum": list(columns.OUTCOMES)}
    assert fields["hp_flag"]["type"] == "boolean" and "constraints" not in fields["hp_flag"]
    assert evaluations["schema"]["primaryKey"] == ["trial_id", "step"]
    assert evaluations["schema"]["foreignKeys"][0]["reference"]["resource"] == "trials"


def test_the_words_of_the_schema_are_those_of_the_project():
    assert set(columns.OUTCOMES) == set(Outcome) - {Outcome.PRUNED, Outcome.FROZEN}
    assert columns.SHARED["phase"].values == tuple(Phase)
    assert COMPUTE.keys() == METRICS.keys()


def test_what_a_table_may_not_hold(study):
    trials = gansweep.load(study).trials
    assert columns.violations("trials", trials) == []
    wrong = trials.assign(phase="lost", train_seconds=-1.5, study=None)
    assert columns.violations("trials", wrong) == [
        "trials, column study: a value is missing",
        "trials, column phase: 'lost' is none of search, select, confirm, replicate",
        "trials, column train_seconds: -1.5 is below 0",
    ]


def test_tables_without_lines_have_their_columns(tmp_path):
    for name in ("trials", "evaluations"):
        table = columns.typed(name, [])
        (tmp_path / f"{name}.csv").write_text(csv.to_csv(table))
        (tmp_path / "datapackage.json").write_text(json.dumps(csv.datapackage({name: table})))
        assert table.empty and "trial_id" in table
        assert_frame_equal(csv.read_csv(tmp_path / f"{name}.csv"), table)


def test_load_follows_a_running_study(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "running")
    before = gansweep.load(folder)
    assert len(before.summary) == 2 and before.manifest.study == "synthetic"
    rows = json_rows(folder)
    (row,) = [row for row in rows if row["trial_id"] == "digits-ns-002"]
    RowWriter(folder).append(as_rows([row | {"step": 5000, "outcome": "ok"}]))
    after = gansweep.load(str(folder))
    assert len(after.evaluations) == len(before.evaluations) + 1
    assert (after.trials["status"] == "running").sum() == (before.trials["status"] == "running").sum() - 1
    assert after.summary["n_running"].sum() == before.summary["n_running"].sum() - 1


def test_a_summary_follows_from_the_rows_whatever_stands_in_the_report(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "reported")
    file = folder / "report" / "data" / "summary.parquet"
    file.parent.mkdir(parents=True)
    pd.DataFrame({"variant": ["of the report"]}).to_parquet(file)  # newer than the rows
    assert gansweep.load(folder).summary["variant"].tolist() == ["ns", "wgan_gp"]


def test_a_wrong_folder(study):
    with pytest.raises(UserError, match=r"unknown folder of results '.*/studdy'; did you mean '.*/study'\?"):
        gansweep.load(study.parent / "studdy")


def test_reading_results_is_light(study):
    heavy = "{'torch', 'ray', 'matplotlib', 'scipy', 'optuna'}"
    script = (
        f"import sys, gansweep; assert not {heavy} & sys.modules.keys(); assert 'pandas' not in sys.modules\n"
        f"gansweep.load({str(study)!r}).trials; assert not {heavy} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_table_that_its_description_does_not_fit_is_damaged(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "copy")
    write_tables(folder, {"digits": 100.0})
    assert len(read_csv(folder / "trials.csv")) == len(read_tables(folder)["trials"])
    whole = (folder / "trials.csv").read_bytes()
    for damaged in (whole[:100], whole.replace(b"2026-01", b"yester"), b"\xff\xfe" + whole):
        (folder / "trials.csv").write_bytes(damaged)
        with pytest.raises(Damaged, match=r"trials\.csv and datapackage\.json beside it do not fit together"):
            read_csv(folder / "trials.csv")
    (folder / "trials.csv").write_bytes(whole)
    for text in ("{}", "[]", '{"resources": [3]}', "nothing"):
        (folder / "datapackage.json").write_text(text)
        with pytest.raises(Damaged):
            read_csv(folder / "trials.csv")
