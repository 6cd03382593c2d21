"""A results folder that somebody else wrote, or damaged: one sentence and no traceback."""

import json
import shutil

import pytest
from synthetic import make_study

import gansweep
from gansweep.cli import main
from gansweep.errors import UserError
from gansweep.report.comparison import read_comparison
from gansweep.report.page.galleries import galleries

COMMANDS = (["report"], ["status"], ["verify"], ["compare", "."])


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged") / "study"
    return make_study(folder, 2, 1, trials=4, finalists=True, confirm={"top": 1, "reruns": 1, "seeds": 2})


@pytest.fixture
def study(original, tmp_path):
    return shutil.copytree(original, tmp_path / "study")


def changed_manifest(**entries):
    return lambda text: json.dumps(json.loads(text) | entries)


def changed_row(**entries):
    def change(text):
        first, rest = text.split("\n", 1)
        return f"{json.dumps(json.loads(first) | entries)}\n{rest}"

    return change


def changed_finalist(**entries):
    def change(text):
        first, *others = json.loads(text)["finalists"]
        return json.dumps({"finalists": [first | entries, *others]})

    return change


DAMAGES = {
    "an empty manifest": ("manifest.json", lambda text: ""),
    "half a manifest": ("manifest.json", lambda text: text[: len(text) // 2]),
    "a manifest that is a list": ("manifest.json", lambda text: "[]"),
    "a manifest without entries": ("manifest.json", lambda text: "{}"),
    "a manifest without a budget": ("manifest.json", changed_manifest(budget=None)),
    "a manifest without thresholds": ("manifest.json", changed_manifest(collapse_above={})),
    "variants that are a list": ("manifest.json", changed_manifest(variants=["mm", "ns"])),
    "a question that is a number": ("manifest.json", changed_manifest(question=3)),
    "a manifest of deep brackets": ("manifest.json", lambda text: "[" * 100_000),
    "a row that is a number": ("rows.jsonl", lambda text: f"3\n{text}"),
    "a row without entries": ("rows.jsonl", lambda text: "{}\n" + text),
    "a row that is no text": ("rows.jsonl", lambda text: "\udcff\n" + text),
    "metrics that are text": ("rows.jsonl", changed_row(metrics="many")),
    "a FID that is text": ("rows.jsonl", changed_row(metrics={"fid": "low"})),
    "a number too large for a table": ("rows.jsonl", changed_row(seed=10**30)),
    "a time that is none": ("rows.jsonl", changed_row(started_at="yesterday")),
    "a variant that nobody knows": ("rows.jsonl", lambda text: text.replace('"ns"', '"zz"')),
    "empty finalists": ("finalists.json", lambda text: ""),
    "finalists that are numbers": ("finalists.json", lambda text: '{"finalists": [1]}'),
    "draws that are text": ("finalists.json", changed_finalist(draws="3")),
    "a finalist that nobody knows": ("finalists.json", changed_finalist(dataset="zz")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_sentence(study, original, damage, capsys):
    name, change = DAMAGES[damage]
    text = change((study / name).read_text())
    (study / name).write_bytes(text.encode(errors="surrogateescape"))
    reads_it = COMMANDS if name != "finalists.json" else (["report"], ["compare", "."])
    for command, *_ in reads_it:
        arguments = [command, str(original), str(study)] if command == "compare" else [command, str(study)]
        code = main(arguments)
        said = "".join(capsys.readouterr())
        assert code == (1 if command == "verify" and name == "rows.jsonl" else 2), command
        assert command == "verify" or (str(study) in said and said.count("\n") == 1), said
    if name == "manifest.json":
        with pytest.raises(UserError, match="damaged"):
            gansweep.load(study)


def grids(study):
    (gallery,) = galleries(read_comparison(study), {"digits": []})
    return [grid for _, found in gallery.groups for grid in found]


def test_pictures_of_the_folder_are_shown(study):
    assert {"test set", "nearest training images"} <= {grid.title for grid in grids(study)}


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "/etc/passwd", "rows.jsonl", "samples"])
def test_only_pictures_of_the_folder_are_shown(study, path):
    file = study / "finalists.json"
    entries = json.loads(file.read_text())["finalists"]
    file.write_text(json.dumps({"finalists": [entry | {"neighbours": path} for entry in entries]}))
    assert "nearest training images" not in {grid.title for grid in grids(study)}


def test_a_damaged_picture_is_left_out(study):
    for file in [*(study / "samples").glob("*ns*"), *(study / "samples").glob("neighbours*")]:
        file.write_bytes(file.read_bytes()[:100])
    (study / "samples" / "real-digits.png").write_text("no picture")
    assert not {"test set", "nearest training images"} & {grid.title for grid in grids(study)}
    (gallery,) = galleries(read_comparison(study), {"digits": []})
    assert gallery.note == "No samples were saved for NS GAN."


def test_half_characters_in_names_and_texts_are_read_as_signs_of_replacement(study, original, capsys):
    """Texts of the system may hold them; no table, figure or terminal takes them."""
    manifest = json.loads((study / "manifest.json").read_text())
    manifest["datasets"]["digits"]["label"] = "Digits\ud800"
    (study / "manifest.json").write_text(json.dumps(manifest))
    rows = [json.loads(line) for line in (study / "rows.jsonl").read_text().splitlines()]
    for row in rows:
        row["terms"] = {"generator_\udcff": 1.0}
        if row["failure"]:
            row["failure"]["message"] = "no file \udc80.txt"
    (study / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for arguments in (["status", str(study)], ["verify", str(study)], ["compare", str(original), str(study)]):
        assert main(arguments) in (0, 1)
    assert "loss_generator_\ufffd" in gansweep.load(study).evaluations
    assert gansweep.load(study).manifest.datasets["digits"].label == "Digits\ufffd"
    assert not {c for c in capsys.readouterr().out if 0xD800 <= ord(c) <= 0xDFFF}


@pytest.mark.parametrize(
    "budget",
    [
        {"trials": 10**12},
        {"trials": 0},
        {"steps": 10**12},
        {"evaluations": 10**9},
        {"confirm": {"top": 1, "reruns": 10**9, "seeds": 2}},
        {"confirm": {"top": 1, "reruns": 1, "seeds": 10**9}},
        {"replicate": {"configurations": 10**9, "seeds": 2}},
    ],
    ids=str,
)
def test_sizes_that_cannot_be_are_damage(study, budget, capsys):
    manifest = json.loads((study / "manifest.json").read_text())
    manifest["budget"] |= budget
    (study / "manifest.json").write_text(json.dumps(manifest))
    for command in ("status", "verify", "report"):
        assert main([command, str(study)]) == 2
        assert "manifest.json is damaged: " in capsys.readouterr().err
