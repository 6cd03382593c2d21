"""All mistakes of a study at once, without torch; what is said of each; what is no mistake."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from msgspec import convert, to_builtins

from gansweep import Confirm, Evaluation, Halving, Study, UserError, choice, data, loguniform, uniform
from gansweep.errors import refuse, together
from gansweep.evaluation import check_metrics
from gansweep.fields import Field, OneOf, Rule, Within
from gansweep.study import known, library
from gansweep.study.resolve import resolve
from gansweep.study.tabulate import _stored as stored
from gansweep.study.tabulate import facts, tabulate
from gansweep.variants import VARIANTS
from gansweep.variants.table import TABLE

SMALL = Study(variants=("ns",), datasets=("digits",), trials=2, steps=10)
FIVE = """
from gansweep import Evaluation, Halving, Study, choice, loguniform
STUDY = Study(
    variants=("R3GAN", "ns"), datasets=("MNIST",), trials=0, steps=10, sampler="TPE", architecture="infogann",
    space={"lr": loguniform(1e-2, 1e-4), "d_norm": "batchx", "n_critic": [1, 5]},
    evaluation=Evaluation(metrics=("fdi",), n_images=100), smoke={"stesp": 3}, halving=Halving(eta=1),
)
"""
SENTENCES = [
    "low < high must hold, finite, but got loguniform(0.01, 0.0001)",
    "unknown metric 'fdi'; did you mean 'fid'?",
    "eta must be a whole number from 2 to 1000, but got 1",
    "trials must be a whole number from 1 to 100000, but got 0",
    "unknown variant 'R3GAN'; did you mean 'r3gan'?",
    "unknown data set 'MNIST'; did you mean 'mnist'?",
    "unknown sampler 'TPE'; did you mean 'tpe'?",
    "unknown architecture 'infogann'; did you mean 'infogan'?",
    "metrics must have 'fid', which scores the trials, but got ('fdi',)",
    "unknown d_norm 'batchx'; did you mean 'batch'?",
    "n_critic must be one value or choice(...), but the space has [1, 5]: write choice(1, 5) for these alone",
    "unknown field of Study 'stesp'; did you mean 'steps'?",
]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_all_mistakes_of_a_study_are_said_at_once_without_torch(tmp_path, command):
    file = tmp_path / "mine.py"
    file.write_text(FIVE)
    code = (
        f"import sys; from gansweep.cli import main; code = main([{command!r}, {str(file)!r}]); "
        "print(code, [name for name in ('torch', 'ray') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "RAY_ADDRESS": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "2 []"
    lines = done.stderr.splitlines()
    wrong = [
        line
        for line, text in zip(lines, SENTENCES, strict=True)
        if not line.startswith(f"gansweep: {file}: {text}")
    ]
    assert wrong == []


def test_what_is_known_without_torch_is_what_there_is():
    """If this fails: `python -m gansweep.study.tabulate`."""
    assert known.FILE.read_bytes() == tabulate().to_json()
    assert known.known() == tabulate()
    for name in ("ns", "vae", "fgan_alpha", "began", "acgan"):
        assert known.facts_of(name) == facts(VARIANTS[name])


def test_a_variant_that_is_not_in_the_table_is_asked_itself(monkeypatch):
    monkeypatch.setitem(VARIANTS, "other", VARIANTS["began"])
    study = replace(SMALL, variants=("other",), space={"gamma": uniform(0.1, 0.9)})
    assert study.variants == ("other",)
    with pytest.raises(
        UserError, match=r"^gamma must lie in \[0, 1\], but the space has uniform\(0.1, 2.0\)$"
    ):
        replace(study, space={"gamma": uniform(0.1, 2)})


def test_a_variant_with_a_rule_of_its_own_is_asked_itself(monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Odd(type(VARIANTS["began"].variant)):
        flag: bool = False
        word: str = "any"
        odd: Annotated[int, Rule("an odd number", lambda n: n % 2 == 1)] = 1

    plain = replace(VARIANTS["began"], variant=Odd())
    monkeypatch.setitem(TABLE, "odd", plain)
    monkeypatch.setitem(VARIANTS, "odd", plain)
    table = tabulate()
    assert table.variants["odd"] is None and table.variants["ns"] == known.known().variants["ns"]
    monkeypatch.setattr(known, "known", lambda: table)
    replace(SMALL, variants=("odd",), space={"odd": 3, "word": "some", "flag": choice(True, False)})
    with pytest.raises(UserError, match=r"^odd must be an odd number, but the space has 2$"):
        replace(SMALL, variants=("odd",), space={"odd": 2})
    with pytest.raises(UserError, match=r"^flag is of type bool, but the space has 1$"):
        replace(SMALL, variants=("odd",), space={"flag": 1})


def test_fields_of_every_kind_survive_json():
    fields = [
        Field(float, Within(0, 1, open=True)),
        Field(int, Within(1)),
        Field(str, OneOf(("a", "b"))),
        Field(str, None),
        Field(bool, None),
    ]
    assert [convert(to_builtins(stored(field)), known.StoredField).field() for field in fields] == fields


def test_a_table_of_other_sources_is_not_used(monkeypatch, tmp_path):
    stale = tmp_path / "known.json"
    stale.write_bytes(
        known.FILE.read_bytes().replace(b'"adam"', b'"eve"', 1).replace(b'"sources": "', b'"sources": "0')
    )
    monkeypatch.setattr(known, "FILE", stale)
    known.known.cache_clear()
    try:
        assert known.known().optimizers == ("adam", "rmsprop")
    finally:
        known.known.cache_clear()


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"lr": 5}, "lr must lie in [0, 1], but the space has 5"),
        ({"lr": loguniform(1e-3, 10)}, "lr must lie in [0, 1], but the space has loguniform(0.001, 10.0)"),
        (
            {"lr": [1e-4, 1e-2]},
            "lr must be one value, loguniform(low, high), uniform(low, high) or choice(...), but the space "
            "has [0.0001, 0.01]: write loguniform(0.0001, 0.01) for all between, choice(0.0001, 0.01) for "
            "these alone",
        ),
        (
            {"d_norm": ("none", "batch")},
            "d_norm must be one value or choice(...), but the space has ('none', 'batch'): write "
            "choice('none', 'batch') for these alone",
        ),
        (
            {"beta1": None},
            "beta1 must be one value, loguniform(low, high), uniform(low, high) or choice(...), but the "
            "space has None",
        ),
        (
            {"output": choice("tanh", "Sigmoid")},
            "unknown output 'Sigmoid'; did you mean 'sigmoid'? There are: ",
        ),
    ],
)
def test_a_value_of_a_space_is_refused_with_what_it_may_be(space, sentence):
    with pytest.raises(UserError) as refused:
        replace(SMALL, space=space)
    (said,) = refused.value.sentences
    assert said == sentence or (said.startswith(sentence) and sentence.endswith(": "))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: loguniform(1e-2, 1e-4), "low < high must hold, finite, but got loguniform(0.01, 0.0001)"),
        (lambda: uniform(2, 1), "low < high must hold, finite, but got uniform(2.0, 1.0)"),
        (lambda: loguniform(0, 1), "low > 0 must hold on a logarithmic scale, but got loguniform(0.0, 1.0)"),
        (lambda: uniform("a", 1), "a range is from one number to another, but got uniform('a', 1.0)"),
        (
            lambda: uniform(10**400, 1),
            f"a range is from one number to another, but got uniform({10**400}, 1.0)",
        ),
        (
            lambda: choice([1, 5]),
            "a choice is of numbers, texts, True and False, as choice(1, 5), but got [1, 5]",
        ),
        (lambda: choice(1, 1), "a choice needs two or more different values, but got choice(1, 1)"),
    ],
)
def test_a_distribution_is_said_as_it_was_written(make, sentence):
    with pytest.raises(UserError) as refused:
        make()
    assert refused.value.sentences == (sentence,)


def test_unknown_and_missing_fields_are_said_with_the_others():
    with pytest.raises(UserError) as refused:
        Study(variants=("nss",), dataset=("digits",), trials=0, Steps=3)
    said = [sentence.split(" There are")[0] for sentence in refused.value.sentences]
    assert said == [
        "unknown field of Study 'dataset'; did you mean 'datasets'?",
        "unknown field of Study 'Steps'; did you mean 'steps'?",
        "datasets is missing",
        "steps is missing",
        "trials must be a whole number from 1 to 100000, but got 0",
        "unknown variant 'nss'; did you mean 'ns'?",
    ]


def test_all_that_does_not_fit_the_data_is_said_at_once():
    study = Study(
        variants=("vae", "ns"),
        datasets=("ring", "triangles"),
        trials=1,
        steps=5,
        architecture={"ring": "infogan", "triangles": "dcgan"},
        conditional="concat",
        evaluation=Evaluation(metrics=("fid", "isc", "modes"), extractor="digits", n_images=100),
    )
    datasets = {name: data.load(name) for name in study.datasets}
    with pytest.raises(UserError) as refused:
        resolve("s", "", study, datasets)
    said = "\n".join(refused.value.sentences)
    assert "architecture 'infogan' is not made for data of shape (2,); use 'mlp'\n" in said
    assert (
        "architecture 'dcgan' is not made for data of shape (1, 28, 28); use 'infogan' or 'conv28'\n" in said
    )
    assert "likelihood of vae needs data in [0, 1], which ring has not" in said
    assert said.count("extractor 'digits'") == 2
    fitting = replace(study, architecture="auto", evaluation=replace(study.evaluation, extractor="auto"))
    with pytest.raises(UserError) as refused:
        resolve("s", "", replace(fitting, variants=("ns",)), {"triangles": datasets["triangles"]})
    assert refused.value.sentences[0].startswith("triangles has no labels")
    with pytest.raises(UserError) as refused:
        check_metrics(
            replace(study.evaluation, metrics=("fid", "modes", "accuracy")), data.load("digits"), False
        )
    assert [sentence.split()[1] for sentence in refused.value.sentences] == ["'modes'", "'accuracy'"]


def test_a_part_that_is_wrong_in_itself_is_said_once(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from gansweep import *\nSTUDY = Study(variants=('ns',), datasets=('digits',), trials=2, steps=10, "
        "halving=Halving(size='a'), replicate=Replicate(configurations='b'), confirm=Confirm(top=None), "
        "evaluation=Evaluation(metrics=3))\n"
    )
    with pytest.raises(UserError) as refused:
        library.load(str(file))
    assert [text.split(": ")[1].split()[0] for text in refused.value.sentences] == [
        "size", "configurations", "top", "metrics",
    ]  # fmt: skip


def test_what_ends_a_file_comes_after_the_mistakes_before_it(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from gansweep import *\nuniform(2, 1)\nEvaluation(n_imags=3)\nEvaluation(n_images=1)\n")
    with pytest.raises(UserError) as refused:
        library.load(str(file))
    first, last = refused.value.sentences
    assert first == f"{file}: low < high must hold, finite, but got uniform(2.0, 1.0)"
    assert last.startswith(f"{file} is not a study: TypeError") and "did you mean 'n_images'" in last


def test_refusals_are_noted_together_once_and_only_inside():
    with pytest.raises(UserError) as refused, together():
        refuse("one")
        refuse()
        refuse("two", "one")
    assert refused.value.sentences == ("one", "two") and str(refused.value) == "one\ntwo"
    with pytest.raises(UserError, match=r"^three$"):
        refuse("three")


def test_scalars_of_numpy_are_values_of_python():
    space = {
        "lr": loguniform(np.float32(2**-10), np.float64(0.5)),
        "n_critic": choice(np.int64(1), np.int32(5)),
        "d_norm": np.str_("batch"),
        "beta1": np.float64(0.5),
        "g_ema": choice(*np.array([0.0, 0.5])),
    }
    study = replace(SMALL, space=space, trials=np.int64(3), batch_size=np.int32(32))
    assert study.space == {
        "lr": loguniform(2**-10, 0.5),
        "n_critic": choice(1, 5),
        "d_norm": "batch",
        "beta1": 0.5,
        "g_ema": choice(0.0, 0.5),
    }
    kinds = [type(x) for x in (*study.space["n_critic"].options, study.space["d_norm"], study.space["beta1"])]
    made = (Evaluation(n_images=np.int64(500)).n_images, Confirm(top=np.int16(3)).top)
    assert made == (500, 3) and list(map(type, made)) == [int, int]
    assert kinds == [int, int, str, float] and type(study.trials) is int and type(study.batch_size) is int


def test_a_study_imports_what_lies_beside_it_as_a_program_does(tmp_path):
    for name, steps in (("a", 3), ("b", 4)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mine_shared.py").write_text(f"STEPS = {steps}")
        (folder / "mine.py").write_text(
            "import mine_shared\nfrom gansweep import Study\n"
            "STUDY = Study(variants=('ns',), datasets=('digits',), trials=1, steps=mine_shared.STEPS)\n"
        )
        path = sys.path[:]
        assert library.load(str(folder / "mine.py"))[2].steps == steps
        assert sys.path == path and "mine_shared" not in sys.modules


def test_the_other_classes_of_a_study_are_refused_whole():
    with pytest.raises(UserError) as refused:
        Confirm(top=0, seeds=1)
    assert len(refused.value.sentences) == 2
    with pytest.raises(UserError) as refused:
        Evaluation(metrics=("FID", "iscc"), selection="Validation", extractor="Inception")
    hints = [sentence.split("did you mean ")[1].split("?")[0] for sentence in refused.value.sentences]
    assert hints == ["'validation'", "'inception'", "'fid'", "'isc'"]
    assert Halving(eta=2).eta == 2


def test_a_study_file_is_found_beside_its_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("")
    with pytest.raises(
        UserError, match=r"^mine\.py must hold one value STUDY = Study\(\.\.\.\), but it has no STUDY$"
    ):
        library.load("mine.py")
