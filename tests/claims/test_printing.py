"""Whatever others wrote into names, labels and messages, a terminal only shows it."""

import ast
import io
import json
import shutil
from pathlib import Path

import pytest
from synthetic import make_study

from gansweep.cli import main
from gansweep.errors import complain, one_line, readable, say
from gansweep.results.status.display import LiveLines

SOURCES = sorted(path for path in Path("gansweep").rglob("*.py") if path.name != "errors.py")
ACTS = {  # on a terminal, or is no character at all
    "a colour": "\x1b[31m",
    "a title": "\x1b]0;mine\x07",
    "a control of eight bits": "\x9b2J",
    "a return": "\r",
    "a step back": "\b",
    "another direction": "\u202e",
    "an isolate": "\u2067",
    "half a character": "\ud83d",
}
HOSTILE = "".join(ACTS.values())


def acting(text: str) -> set[str]:
    return {name for name, word in ACTS.items() if word[0] in text}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("printing") / "results" / "study", 2, 1, trials=3)


@pytest.fixture
def study(original, tmp_path):
    """A study whose labels, messages, metrics and logs hold what acts on a terminal."""
    folder = shutil.copytree(original, tmp_path / "results" / "study")
    manifest = json.loads((folder / "manifest.json").read_text())
    for variant in manifest["variants"].values():
        variant["label"] += HOSTILE
    (folder / "manifest.json").write_text(json.dumps(manifest))
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    for row in rows:
        if row["outcome"] not in (None, "ok"):
            row["failure"] = (row["failure"] or {}) | {"message": f"x{HOSTILE}y\nz"}
        row["metrics"] |= {"mine\x1b[2J\u202e": 1.0} if row["metrics"] else {}
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "logs").mkdir()
    began = f"2026-12-01T00:00:00+00:00 1 trials on cpu of x: {rows[0]['trial_id']}"
    (folder / "logs" / "pack.log").write_bytes(f"{began}\nx{HOSTILE}y\n".encode(errors="replace"))
    return folder


@pytest.mark.parametrize("command", ["status", "verify", "log", "compare"])
def test_commands_print_nothing_that_acts(study, original, command, capsys):
    trial = json.loads((study / "rows.jsonl").read_text().splitlines()[0])["trial_id"]
    given = {"log": [f"{study}/{trial}"], "compare": [str(study), str(original)]}.get(command, [str(study)])
    assert main([command, *given]) in (0, 1, 2)
    said = capsys.readouterr()
    assert said.out + said.err and not acting(said.out + said.err)


def test_a_message_of_a_study_file_does_not_act(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(f"raise ValueError({HOSTILE!r} + 'first\\nsecond')")
    assert main(["plan", str(file)]) == 2
    error = capsys.readouterr().err
    assert "first second" in error and error.count("\n") == 1 and not acting(error)


def test_a_list_shows_the_question_of_a_hostile_study(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    fields = "variants=('ns',), datasets=('digits',), trials=1, steps=1"
    (tmp_path / "studies" / "theirs.py").write_text(
        f"__doc__ = {'Why?' + HOSTILE!r}\nfrom gansweep import Study\nSTUDY = Study({fields})"
    )
    assert main(["list", "studies"]) == 0
    output = capsys.readouterr().out
    assert "Why?" in output and not acting(output)


def test_what_was_typed_does_not_act(capsys):
    with pytest.raises(SystemExit):
        main(["list", "--\x1b[31m"])
    assert not acting(capsys.readouterr().err)
    assert main(["plan", "\x1b[31m"]) == 2
    assert not acting(capsys.readouterr().err)


def test_a_live_table_moves_the_cursor_by_its_own_words_only(capsys):
    stream = io.StringIO()
    lines = LiveLines(stream)
    lines.draw([f"one{HOSTILE}"])
    assert not acting(stream.getvalue())
    lines.draw(["two"])
    assert stream.getvalue().count("\x1b") == 2  # up, and clear what was below


def test_what_is_readable():
    assert readable("a\tb\nc\r\nd") == "a\tb\nc\nd"
    assert readable("é × 日本 👩‍🔬 \u200f") == "é × 日本 👩‍🔬 \u200f"
    assert not acting(readable(HOSTILE)) and not acting(one_line(HOSTILE))
    assert one_line("a\n  b\n\n") == "a b"


def test_what_an_encoding_lacks_is_a_question_mark():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    say("ns █ × \ud800", "next", stream=stream)
    assert stream.buffer.getvalue() == b"ns ? ? ?\nnext\n"


def test_a_complaint_is_one_line(capsys):
    complain("first\nsecond")
    assert capsys.readouterr().err == "gansweep: first second\n"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_only_say_prints(path):
    calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not {"print", "sys.stdout.write", "sys.stderr.write", "pprint"} & set(calls)
