"""Rows survive crashes and come out as tables that say the same."""

import json
import math
import re
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from msgspec import structs
from pandas.testing import assert_frame_equal
from rows import a_row

from gansweep.errors import UserError
from gansweep.results.row import Row, config_id, finite, slug, to_json
from gansweep.results.row_file import RowWriter, read_rows
from gansweep.results.tables import evaluations_table, trials_table, write_tables


def row(number=0, step=50, fid=None, outcome=None, failure=None, **hp):
    metrics = {} if fid is None else {"fid": fid, "isc": 2.0}
    known = {"step": step, "metrics": metrics, "outcome": outcome, "failure": failure, "metric_id": "abc"}
    return a_row(number, hp=hp, config_id=config_id(hp), **known)


def test_a_row_is_written_once(tmp_path):
    writer = RowWriter(tmp_path)
    assert writer.append([row(step=50, fid=3.0), row(step=50, fid=3.0)]) == [row(step=50, fid=3.0)]
    assert len(writer.append([row(step=50, fid=3.0), row(step=100, fid=2.0, outcome="ok")])) == 1
    assert writer.append([row(step=150, fid=1.0)]) == []
    again = RowWriter(tmp_path)
    assert again.ended == {"digits-ns-0000"}
    assert again.append([row(step=50, fid=3.0), row(step=100, fid=2.0, outcome="ok")]) == []
    assert [r.step for r in read_rows(tmp_path)] == [50, 100]


def test_a_crash_at_the_step_of_a_measurement_is_still_recorded(tmp_path):
    writer = RowWriter(tmp_path)
    writer.append([row(step=50, fid=3.0)])
    failure = {"kind": "oom", "message": "out of memory", "step": 50}
    assert writer.append([row(step=50, outcome="crashed", failure=failure)])
    table = trials_table(read_rows(tmp_path), {})
    assert table.outcome.tolist() == ["crashed"] and table.fid_best.tolist() == [3.0]


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_half_a_line_at_the_end_is_dropped(tmp_path, cut):
    writer = RowWriter(tmp_path)
    writer.append([row(0, fid=3.0), row(1, fid=4.0)])
    path = tmp_path / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert [r.trial_number for r in read_rows(tmp_path)] == [0]
    writer = RowWriter(tmp_path)
    writer.append([row(1, fid=4.0)])
    assert [r.trial_number for r in read_rows(tmp_path)] == [0, 1]


def test_a_damaged_line_inside_the_file_is_named(tmp_path):
    whole = f"{to_json(row())}\n"
    for damaged, why in (
        ("nonsense", "it is not JSON"),
        ('{"study": 3}', "row.study: expected str, got int"),
        (whole.replace('"step": 50', '"step": "50"').strip(), "row.step: expected int, got str"),
        (whole.replace('"step": 50, ', "").strip(), "row: object missing required field step"),
        (whole.replace("digits-ns-0000", "../../etc").strip(), "row.trial_id: expected str matching"),
        (whole.replace('"outcome": null', '"outcome": "won"').strip(), "row.outcome: invalid enum value"),
        (whole.replace('"outcome": null', '"outcome": "collapsed"').strip(), "row: a row cannot have"),
        (re.sub('"time": "[^"]*"', '"time": "noon"', whole).strip(), "row: invalid isoformat"),
    ):
        (tmp_path / "rows.jsonl").write_text(f"{whole}{damaged}\n{whole}")
        with pytest.raises(UserError, match=rf"rows.jsonl, line 2, is damaged: {re.escape(why)}"):
            list(read_rows(tmp_path))


def test_rows_are_read_and_written_byte_for_byte():
    for file in sorted(Path("results/examples").glob("*/rows.jsonl")):
        for line in file.read_bytes().splitlines():
            row, comma, _ = line.partition(b', "check": "')
            assert to_json(msgspec.json.decode(line, type=Row)).encode() == row + b"}" * bool(comma)


def test_a_row_that_is_not_finite_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        RowWriter(tmp_path).append([structs.replace(row(), metrics={"fid": math.inf})])
    assert (
        finite(math.nan) is None and finite(-math.inf) is None and finite(None) is None and finite(2) == 2.0
    )


def test_trials_table():
    failure = {"kind": "nan_loss", "message": "a loss is not finite", "step": 70}
    rows = [
        row(0, 50, 5.0, lr=1e-4),
        row(0, 100, 7.0, "ok", lr=1e-4),
        row(1, 50, 400.0, lr=1e-2),
        row(1, 100, 300.0, "ok", lr=1e-2),
        row(2, 50, 9.0, lr=1e-1),
        row(2, 70, None, "diverged", failure, lr=1e-1),
        row(3, 50, 6.0, lr=1e-3),
    ]
    table = trials_table(rows, {"digits": 200.0}).set_index("trial_number")
    assert table.outcome[:3].tolist() == ["ok", "collapsed", "diverged"] and pd.isna(table.outcome[3])
    assert table.status.tolist() == ["completed", "completed", "failed", "running"]
    assert table.fid_best.tolist() == [5.0, 300.0, 9.0, 6.0]
    assert table.fid_best_step.tolist() == [50, 100, 50, 50]
    assert table.fid[0] == 7.0 and pd.isna(table.fid[2])
    assert table.failure_kind[2] == "nan_loss" and table.failed_step[2] == 70
    assert table.hp_lr.tolist() == [1e-4, 1e-2, 1e-1, 1e-3]
    assert json.loads(table.hparams_json[0]) == {"lr": 1e-4}
    assert table.is_default.tolist() == [True, False, False, False]


def test_the_table_of_evaluations_holds_measurements_only():
    rows = [row(0, 50, 5.0), row(0, 60, None, "diverged", {"kind": "k", "message": "m", "step": 60})]
    table = evaluations_table(rows)
    assert table[["step", "fid", "isc", "is_final"]].values.tolist() == [[50, 5.0, 2.0, False]]


def test_parquet_and_csv_say_the_same(tmp_path):
    writer = RowWriter(tmp_path)
    writer.append(
        [row(0, 50, 0.1 + 0.2, lr=1 / 3, d_batchnorm=True), row(1, 50, 1e-300, lr=2 / 3, d_batchnorm=False)]
    )
    tables = write_tables(tmp_path, {})
    for name, table in tables.items():
        parquet = pd.read_parquet(tmp_path / f"{name}.parquet")
        assert_frame_equal(parquet, table, check_dtype=False)
        csv = pd.read_csv(tmp_path / f"{name}.csv")
        assert csv.fid.tolist() == parquet.fid.tolist() == [0.1 + 0.2, 1e-300]
    assert tables["trials"].hp_d_batchnorm.tolist() == [True, False]


def test_the_same_configuration_has_the_same_id_whatever_its_order():
    assert config_id({"a": 1, "b": 2.0}) == config_id({"b": 2.0, "a": 1})
    assert config_id({"a": 1}) != config_id({"a": 2})


def test_names_cannot_leave_their_folder():
    assert "/" not in slug("folder:../../etc/passwd")
