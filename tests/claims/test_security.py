"""A results folder, a checkpoint or a study of somebody else: nothing is executed or leads elsewhere."""

import ast
import json
import pickle
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from rows import a_row, a_study
from synthetic import make_study

import gansweep
from gansweep.cli import main
from gansweep.data.decode import decode
from gansweep.errors import Damaged, UserError
from gansweep.evaluation.reference import Reference
from gansweep.report.samples import is_readable
from gansweep.results.row_file import RowWriter, read_rows
from gansweep.study.library import load
from gansweep.training.checkpoints import Checkpoints

SOURCES = sorted(Path("gansweep").rglob("*.py"))
NEVER = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
LOADERS = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}


class Exploit:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("security") / "study", 2, 1, trials=3, finalists=True)


@pytest.fixture
def study(original, tmp_path):
    return shutil.copytree(original, tmp_path / "results" / "study")


@pytest.fixture
def mark(tmp_path):
    yield tmp_path / "mark"
    assert not (tmp_path / "mark").exists()


# Traces are code, in a folder that only this user can write: see tests/training/test_stored_traces.py.
MAY_EXECUTE = {Path("gansweep/training/speed/stored.py"): {"exec"}}


def calls(tree: ast.AST) -> dict[str, list[ast.Call]]:
    found: dict[str, list[ast.Call]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found.setdefault(ast.unparse(node.func), []).append(node)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_source_loads_what_could_be_a_program(path):
    tree = ast.parse(path.read_text())
    for name, (option, value) in LOADERS.items():
        for call in calls(tree).get(name, []):
            assert {word.arg: ast.unparse(word.value) for word in call.keywords}.get(option) == str(value)
    forbidden = {"eval", "exec", "pd.read_pickle", "torch.hub.load", "yaml.load"}
    forbidden -= MAY_EXECUTE.get(path, set())
    assert not calls(tree).keys() & forbidden
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & NEVER
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in NEVER:
            assert [alias.name for alias in node.names] == ["UnpicklingError"]


def test_a_mark_is_left_by_what_would_be_unpickled(tmp_path):
    file = tmp_path / "file.pt"
    torch.save(Exploit(tmp_path / "mark"), file)
    torch.load(file, weights_only=False)
    assert (tmp_path / "mark").exists()


def test_checkpoints_are_read_without_executing_them(tmp_path, mark):
    checkpoints = Checkpoints(tmp_path)
    folder = tmp_path / "checkpoints" / "digits-ns-0000"
    folder.mkdir(parents=True)
    torch.save(Exploit(mark), folder / "generator.pt")
    (folder / "round-0000001.pt").write_bytes(pickle.dumps(Exploit(mark), protocol=2))
    trial = a_row(0).trial
    assert trial.trial_id == folder.name
    assert checkpoints.load_generator(a_study(), trial) is None
    assert checkpoints.load_common(a_study(), [trial], lambda i, state: True) is None
    assert len(list((tmp_path / "set-aside").iterdir())) == 2


def test_references_and_decoded_images_are_read_without_executing_them(tmp_path, mark):
    file = tmp_path / "reference.pt"
    torch.save({"json": "{}", "features": Exploit(mark)}, file)
    with pytest.raises(Damaged):
        Reference.load(file, "0" * 12)
    image = tmp_path / "0.png"
    Image.new("L", (8, 8)).save(image)
    decode([image], 32, tmp_path)
    (cache,) = (tmp_path / "decoded").iterdir()
    torch.save({"images": Exploit(mark)}, cache)
    assert decode([image], 32, tmp_path).shape == (1, 1, 32, 32)


@pytest.mark.parametrize("command", ["verify", "status", pytest.param("report", marks=pytest.mark.slow)])
def test_commands_read_a_hostile_folder_without_executing_it(study, mark, command, capsys):
    for file in [*study.rglob("*.pt"), *study.rglob("*.npy"), *study.rglob("*.parquet")]:
        file.unlink()
    for name in ("references/ring.pt", "checkpoints/x/generator.pt"):
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save(Exploit(mark), study / name)
    for name in ("trials", "evaluations", "report/data/summary"):
        hostile_table(study / f"{name}.parquet", mark)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main([command, str(study)]) in (0, 1, 2)
    assert "Traceback" not in capsys.readouterr().err


def test_samples_are_read_without_executing_them(tmp_path, mark):
    file = tmp_path / "real-ring.npy"
    np.save(file, np.array([[Exploit(mark)]]), allow_pickle=True)
    assert not is_readable(file)


def hostile_table(file: Path, mark: Path) -> None:
    """A parquet file with a column of a type that old versions of pyarrow unpickled."""
    extension = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(Exploit(mark)),
    }
    schema = pa.schema([pa.field("trial_id", pa.string(), metadata=extension)])
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"trial_id": ["x"]}, schema=schema), file)


def test_pandas_reads_a_hostile_table_without_executing_it(study, mark):
    hostile_table(study / "report" / "data" / "summary.parquet", mark)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert isinstance(gansweep.load(study).summary, pd.DataFrame)


@pytest.mark.parametrize("field", ["trial_id", "pack"])
@pytest.mark.parametrize("name", ["../../victim", "/tmp/victim", "..", "a/b", ""])
def test_rows_that_would_lead_out_of_the_folder_are_refused(study, field, name, capsys):
    victim = study.parent.parent / "victim"
    victim.mkdir()
    (victim / "round-0000001.pt").write_bytes(b"mine")
    rows = study / "rows.jsonl"
    first, rest = rows.read_text().split("\n", 1)
    rows.write_text(json.dumps(json.loads(first) | {field: name}) + "\n" + rest)
    with pytest.raises(UserError, match=r"rows.jsonl, line 1, is damaged"):
        list(read_rows(study))
    with pytest.raises(UserError):
        RowWriter(study)
    trial = name or "x"
    for command in (["report", "study"], ["reproduce", f"study/{trial}"], ["sample", f"study/{trial}"]):
        assert main([*command, "--results", str(study.parent)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert [file.name for file in victim.iterdir()] == ["round-0000001.pt"]


@pytest.mark.parametrize("trial", ["study/../../etc", "study/..", "../study", "/", "study/"])
def test_trials_that_are_paths_are_unknown(study, trial, capsys):
    for command in (["reproduce", trial], ["sample", trial]):
        assert main([*command, "--results", str(study.parent)]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../quickstart", "..", ".", "/etc/passwd", "studies/quickstart", "a/../b"])
def test_studies_are_named_and_not_pointed_at(name):
    with pytest.raises(UserError, match="unknown study"):
        load(name)


@pytest.mark.parametrize("name", ["..py", "....py", ".hidden.py", "a b.py", "a\nb.py"])
def test_a_study_file_whose_results_would_lie_elsewhere_is_refused_and_not_run(tmp_path, name, mark):
    (tmp_path / name).write_text(f"open({str(mark)!r}, 'w')")
    with pytest.raises(UserError, match="called after its file"):
        load(str(tmp_path / name))


def test_a_study_file_may_have_letters_of_any_language(tmp_path):
    shutil.copy("studies/quickstart.py", tmp_path / "prüfung-1.2.py")
    assert load(str(tmp_path / "prüfung-1.2.py"))[0] == "prüfung-1.2"
