"""Whatever happens to a file of a study: a sentence, nothing lost or touched outside, no other number."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gansweep
from gansweep.cli import main
from gansweep.errors import Stopped, UserError
from gansweep.evaluation import Evaluation
from gansweep.report import figures
from gansweep.results.plan import Confirm
from gansweep.results.row_file import read_rows
from gansweep.run.driver import run_study
from gansweep.run.options import Options
from gansweep.study.study import Study

STUDY = Study(
    variants=("ns",),
    datasets=("digits",),
    trials=2,
    steps=6,
    evaluations=2,
    evaluation=Evaluation(n_images=200),
    confirm=Confirm(top=1, seeds=2),
)
WRITTEN = (  # by every report again
    "report/", "trials.", "evaluations.", "datapackage.json", "manifest.json", ".lock", "samples/neighbours-",
)  # fmt: skip
MADE_BY_TRAINING = ("logs/", "samples/", "checkpoints/", "references/", "finalists.json", "study.json")
DAMAGES = (
    *("bit", "bits", "zeros", "cut", "empty", "longer", "repeated", "removed", "other study's"),
    *("other version's", "link", "broken link", "link to itself", "folder", "pipe", "locked"),
)
NAMES = (
    *("rows.jsonl", "manifest.json", "study.json", "finalists.json", "optuna.journal", "datapackage.json"),
    *(".lock", "incidents.jsonl", "trials.parquet", "evaluations.csv", "report/data/summary.parquet"),
    *("report/index.html", "references/digits.pt", "checkpoints/*/generator.pt", "checkpoints/*/round-*.pt"),
    *("samples/*.png", "logs/*.log", "checkpoints", "samples", "logs", "references", "report"),
)
READERS = ("status", "verify", "compare", "load", "logs")
CASES = {
    "name": st.sampled_from(NAMES),
    "damage": st.sampled_from(DAMAGES),
    "place": st.floats(0, 1, exclude_max=True),
    "which": st.integers(0, 7),
}


@pytest.fixture(scope="module")
def originals(local_ray, tmp_path_factory):
    """A finished study, one that was killed half-way, and the same files of another study."""
    root = tmp_path_factory.mktemp("originals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "FIGURES", figures.FIGURES[:2])
        for name, study in (("finished", STUDY), ("other", replace(STUDY, seed=1))):
            assert run_study("small", "Which?", study, Options(results=root / name)) == 0
    for name in ("finished", "other"):
        incident = {
            "time": "2026-01-01T00:00:00+00:00",
            "pack": "digits-ns-0000-pack",
            "trials": [],
            "kind": "oom",
        }
        line = json.dumps(incident | {"message": "", "action": "again"})
        (root / name / "small" / "incidents.jsonl").write_text(f"{line}\n")
    shutil.copytree(root / "finished", root / "killed")
    killed = root / "killed" / "small"
    lines = (killed / "rows.jsonl").read_bytes().splitlines(keepends=True)
    (killed / "rows.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:40])
    (killed / "finalists.json").unlink()
    for state in ("digits-ns-0001",):
        (killed / "checkpoints" / state).mkdir(exist_ok=True)
        (killed / "checkpoints" / state / "round-0000003.pt").write_bytes(b"PK half")
    return root


@pytest.fixture
def few_figures(monkeypatch):
    monkeypatch.setattr(figures, "FIGURES", figures.FIGURES[:2])
    monkeypatch.setenv("GANSWEEP_PATIENCE", "0")


def chosen(folder: Path, pattern: str, which: int) -> Path | None:
    found = sorted(folder.glob(pattern))
    return found[which % len(found)] if found else None


def damage(path: Path, kind: str, place: float, other: Path, outside: Path) -> None:
    """Damage a file, or a folder as far as that can be."""
    if path.is_dir() and kind not in ("removed", "link", "broken link", "link to itself", "pipe", "locked"):
        return
    content = bytearray(path.read_bytes()) if path.is_file() else bytearray()
    at = int(place * len(content))
    changed = {
        "bit": lambda: content[:at] + bytes([content[at] ^ (1 << int(place * 1e6) % 8)]) + content[at + 1 :],
        "bits": lambda: bytes(b ^ 4 if i % 997 == at % 997 else b for i, b in enumerate(content)),
        "zeros": lambda: content[:at] + bytes(min(300, len(content) - at)) + content[at + 300 :],
        "cut": lambda: content[:at],
        "empty": lambda: b"",
        "longer": lambda: content + b"\x00{]more",
        "repeated": lambda: content + content[:at],
        "other version's": lambda: bytes(content).replace(b"gansweep.", b"gansweep9."),
        "other study's": lambda: other.read_bytes() if other.is_file() else b"",
    }
    if kind in changed:
        if content or kind in ("empty", "longer"):
            path.write_bytes(changed[kind]())
    elif kind == "locked":
        path.chmod(0)
    else:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        links = {"broken link": outside / "nothing", "link to itself": path}
        if kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "link":
            victim = outside / path.name
            victim.write_bytes(content) if content else victim.mkdir()
            path.symlink_to(victim)
        elif kind in links:
            path.symlink_to(links[kind])


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def numbers(folder: Path) -> dict[tuple[str, int], float | None]:
    return {(row.trial_id, row.step): row.fid for row in read_rows(folder) if row.metrics}


def read(command: str, folder: Path, original: Path) -> None:
    """Hold a command that only reads to: no traceback, and the numbers of the original or a sentence."""
    if command == "load":
        try:
            found = gansweep.load(folder).trials.set_index("trial_id")
        except UserError as error:
            assert "\n" not in str(error)
            return
        same_numbers(found, original)
    elif command == "logs":
        assert main(["log", f"{folder}/digits-ns-0000"]) in (0, 2)
    else:
        arguments = [command, str(original), str(folder)] if command == "compare" else [command, str(folder)]
        assert main(arguments) in (0, 1, 2)


def same_numbers(found: pd.DataFrame, original: Path) -> None:
    expected = gansweep.load(original).trials.set_index("trial_id")
    assert set(found.index) <= set(expected.index)
    ended = found[found.finished_at.notna()]
    if ended.empty:  # as of a study that has just begun
        return
    for column in ("fid", "fid_best", "seed", "config_id", "hp_lr", "outcome"):
        here, there = ended[column].astype(object), expected.loc[ended.index, column].astype(object)
        assert here.where(here.notna(), None).tolist() == there.where(there.notna(), None).tolist(), column


def resume(results: Path, original: Path, before: dict[str, bytes]) -> None:
    """Hold a resumed run to: the numbers of the original, or a sentence and every file as it was."""
    folder = results / "small"
    try:
        code = run_study("small", "Which?", STUDY, Options(results=results))
    except (UserError, Stopped, OSError) as error:
        code, said = None, str(error)
        assert "\n" not in said and said
    if code == 0:
        found, expected = numbers(folder), numbers(original)
        assert found.keys() == expected.keys()
        for key, fid in found.items():
            assert fid == pytest.approx(expected[key], rel=2e-2), key
    after = contents(folder)
    kept = set(after.values())
    trained = code == 0 or after.get("rows.jsonl") != before.get("rows.jsonl")
    made_again = (*WRITTEN, *MADE_BY_TRAINING) if trained else WRITTEN
    for name, content in before.items():
        if name.startswith(made_again) or content in kept:
            continue
        assert name in ("rows.jsonl", "optuna.journal", "incidents.jsonl"), name
        whole, _, torn = content.rpartition(b"\n")
        assert any(other.startswith(whole) for other in kept) and (not torn or torn in kept), name


def check(originals, tmp_path, name, damage_kind, place, which, command, state):
    case = tmp_path / "case"
    shutil.rmtree(case, ignore_errors=True)
    outside = case / "outside"
    outside.mkdir(parents=True)
    shutil.copytree(originals / state, case / "results")
    folder = case / "results" / "small"
    path = chosen(folder, name, which)
    if path is None:
        return
    other = originals / "other" / "small" / path.relative_to(folder)
    damage(path, damage_kind, place, other, outside)
    there, before = contents(outside), contents(folder)
    if command == "run":
        resume(case / "results", originals / "finished" / "small", before)
    elif command == "report":
        assert main(["report", str(folder)]) in (0, 2)
    else:
        read(command, folder, originals / "finished" / "small")
        assert contents(folder) == before
    assert contents(outside) == there
    for victim in outside.rglob("*"):
        assert victim.is_file() or not any(victim.iterdir())


@settings(
    max_examples=88, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(command=st.sampled_from(READERS), state=st.sampled_from(("finished", "killed")), **CASES)
def test_readers(originals, tmp_path, few_figures, capsys, name, damage, place, which, command, state):
    check(originals, tmp_path, name, damage, place, which, command, state)


@settings(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(  # but for those that train, which is what takes long
    how=st.sampled_from((("run", "finished"), ("report", "finished"), ("report", "killed"))), **CASES
)
def test_writers(originals, tmp_path, few_figures, capsys, name, damage, place, which, how):
    check(originals, tmp_path, name, damage, place, which, *how)


def test_a_writer_that_trains(originals, tmp_path, few_figures, capsys):
    check(originals, tmp_path, "references/digits.pt", "bits", 0.5, 0, "run", "killed")
    trained = numbers(tmp_path / "case" / "results" / "small")
    assert trained.keys() == numbers(originals / "finished" / "small").keys()


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    command=st.sampled_from((*READERS, "run", "report")),
    state=st.sampled_from(("finished", "killed")),
    **CASES,
)
def test_two_thousand_cases(
    originals, tmp_path, few_figures, capsys, name, damage, place, which, command, state
):
    check(originals, tmp_path, name, damage, place, which, command, state)
