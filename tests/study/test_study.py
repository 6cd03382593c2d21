"""Studies: what they refuse, how they resolve to JSON, and that every file in studies/ is one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import convert, to_builtins

from gansweep import data
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.results.decoding import decode
from gansweep.results.study_file import ResolvedStudy, StoredSpace, space_of, stored_space
from gansweep.space import choice, loguniform, uniform
from gansweep.study import library
from gansweep.study.resolve import differences, resolve
from gansweep.study.study import Study
from gansweep.variants import VARIANTS

SMALL = Study(variants=("ns",), datasets=("digits",), trials=2, steps=10, evaluation=Evaluation(n_images=200))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": ("wgan_pg",)}, "unknown variant 'wgan_pg'; did you mean 'wgan_gp'"),
        ({"variants": "ns"}, "variants must be a tuple"),
        ({"datasets": ()}, "datasets must be a tuple of one or more different names, but got"),
        ({"variants": ("ns", "ns")}, "different names"),
        ({"trials": 0}, "trials must be a whole number from 1 to 100000, but got 0"),
        ({"steps": 1.5}, "steps must be a whole number from 1 to 1000000000, but got 1.5"),
        ({"sampler": "rand"}, "unknown sampler 'rand'; did you mean 'random'"),
        ({"space": "wid"}, "unknown space 'wid'; did you mean 'wide'"),
        ({"space": {"larning_rate": 0.1}}, "unknown hyperparameter 'larning_rate'"),
        ({"space": {"clip": 0.1}}, "unknown hyperparameter 'clip'"),
        ({"optimizer": "sgd"}, "unknown optimizer 'sgd'"),
        ({"time_limit_seconds": 0.0}, "time_limit_seconds must be above 0"),
        ({"time_limit_seconds": "1h"}, "time_limit_seconds must be above 0 and finite, but got '1h'"),
        ({"time_limit_seconds": float("inf")}, "time_limit_seconds must be above 0 and finite, but got inf"),
        ({"trials": True}, "trials must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number from 0 to 2147483647, but got 1.5"),
        ({"seed": 10**15}, "seed must be a whole number from 0 to 2147483647, but got 10+$"),
        ({"batch_size": 1}, "batch_size must be a whole number from 2 to 100000, but got 1"),
        ({"batch_size": 10**9}, "batch_size must be a whole number from 2 to 100000, but got 1000000000"),
        (
            {"space": {"n_critic": uniform(1, 5)}},
            r"n_critic is of type int, but the space has uniform\(1.0, 5.0\)",
        ),
        ({"space": {"n_critic": 0}}, r"n_critic must lie in \[1, inf\), but the space has 0"),
        ({"space": {"lr": "fast"}}, "lr is of type float, but the space has 'fast'"),
        ({"space": {"beta1": choice(0.5, 2.0)}}, r"beta1 must lie in \[0, 1\)"),
        ({"space": {"beta1": 1.0}}, r"beta1 must lie in \[0, 1\), but the space has 1.0"),
        ({"space": {"g_ema": choice(0.5, 1.0)}}, r"g_ema must lie in \[0, 1\)"),
        ({"space": {"lr": float("inf")}}, r"lr must lie in \[0, 1\], but the space has inf"),
        ({"space": {"d_norm": uniform(0, 1)}}, "d_norm is of type str"),
        ({"space": {"d_norm": "spectal"}}, "unknown d_norm 'spectal'; did you mean 'spectral'"),
        ({"space": {"output": choice("tanh", "relu")}}, "unknown output 'relu'"),
        ({"space": {"d_dropout": 1.0}}, r"d_dropout must lie in \[0, 0.95\], but the space has 1.0"),
        (
            {"variants": ("fgan_kl",), "space": {"objective": "trik"}},
            "unknown .*'trik'; did you mean 'trick'",
        ),
        ({"variants": ("fgan_kl",), "space": {"alpha": 0.5}}, "unknown hyperparameter 'alpha'"),
        (
            {"conditional": "concatenate"},
            "unknown way to be conditional 'concatenate'; did you mean 'concat'",
        ),
        (
            {"conditional": "projection", "variants": ("began",)},
            "needs a D that gives scores, and began has none",
        ),
        ({"space": {"lr": 1e-3, "g_lr": 1e-3}}, "either lr or g_lr and d_lr, but got both"),
        ({"datasets": ("folder:a/b", "folder:a_b")}, "different names"),
        ({"evaluation": Evaluation(metrics=("isc",))}, "metrics must have 'fid'"),
        ({"evaluation": None}, "evaluation must be of type Evaluation, but got None"),
        ({"space": None}, "space must be of type str or of type dict, but got None"),
        (
            {"architecture": ["mlp"]},
            r"architecture must be of type str or of type Mapping, but got \['mlp'\]",
        ),
        ({"smoke": 5}, "smoke must be of type Mapping, but got 5"),
        ({"confirm": 3}, "confirm must be of type Confirm or None, but got 3"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_one_sentence(change, message):
    with pytest.raises(UserError, match=message):
        replace(SMALL, **change)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_a_range_needs_two_ends(bounds):
    with pytest.raises(UserError, match="low < high must hold"):
        uniform(*bounds)


def test_spaces_survive_json():
    space = {"lr": loguniform(1e-5, 1e-2), "beta1": uniform(0, 1), "n_critic": choice(1, 5), "clip": 0.01}
    assert space_of(convert(json.loads(json.dumps(to_builtins(stored_space(space)))), StoredSpace)) == space
    with pytest.raises(UserError, match="low > 0"):
        loguniform(0, 1)
    with pytest.raises(UserError, match="two or more different values"):
        choice(1)


def test_a_space_of_your_own_gives_each_variant_what_it_has():
    own = Study(
        variants=("ns", "wgan", "vae"),
        datasets=("digits",),
        space={"lr": loguniform(1e-4, 1e-2), "clip": loguniform(1e-3, 1), "n_critic": 1},
        trials=1,
        steps=1,
    )
    assert {name: set(own.space_of(name)) for name in own.variants} == {
        "ns": {"lr", "n_critic"},
        "wgan": {"lr", "clip", "n_critic"},
        "vae": {"lr"},
    }


def test_resolved_studies_name_everything():
    datasets = {"digits": data.load("digits")}
    resolved = resolve("small", "Why?", replace(SMALL, space={"lr": loguniform(1e-4, 1e-2)}), datasets)
    text = json.dumps(resolved.to_json())
    assert decode(text.encode(), ResolvedStudy, "study") == resolved
    assert resolved.architectures == {"digits": "conv8"}
    assert resolved.evaluation["digits"]["extractor"] == "digits"
    assert json.loads(text)["spaces"] == {"ns": {"lr": {"loguniform": [1e-4, 1e-2]}}}
    assert resolved.space("ns") == {"lr": loguniform(1e-4, 1e-2)}
    assert resolved.defaults == {"ns": VARIANTS["ns"].default}
    assert resolved.data_sha256["digits"] == datasets["digits"].sha256


def test_constants_and_separate_rates_enter_the_default_configuration():
    space = {"g_lr": loguniform(1e-4, 1e-2), "d_lr": loguniform(1e-4, 1e-2), "n_critic": 3}
    resolved = resolve("s", "", replace(SMALL, space=space), {"digits": data.load("digits")})
    assert resolved.defaults["ns"] == {
        "g_lr": 5e-5, "d_lr": 5e-5, "beta1": 0.0, "d_norm": "batch", "n_critic": 3,
    }  # fmt: skip


def test_a_default_with_two_rates_gives_way_to_a_space_with_one_and_the_other_way_round(monkeypatch):
    two = replace(VARIANTS["ns"], default={"g_lr": 1e-4, "d_lr": 4e-4, "beta1": 0.0})
    monkeypatch.setitem(VARIANTS, "ns", two)
    digits = {"digits": data.load("digits")}

    def default(space):
        return resolve("s", "", replace(SMALL, space=space), digits).defaults["ns"]

    assert default({"lr": loguniform(1e-4, 1e-2)}) == {"beta1": 0.0}
    assert default({"lr": 1e-3}) == {"beta1": 0.0, "lr": 1e-3}
    assert default({"g_lr": loguniform(1e-4, 1e-2)}) == two.default
    assert default({"d_lr": 1e-3}) == two.default | {"d_lr": 1e-3}


def test_what_does_not_fit_the_data_is_refused():
    digits, ring = {"digits": data.load("digits")}, {"ring": data.load("ring")}
    with pytest.raises(UserError, match="use 'conv8'"):
        resolve("s", "", replace(SMALL, architecture="infogan"), digits)
    line = {"mixture_1d": data.load("mixture_1d")}
    for change in ({"conditional": "concat"}, {"variants": ("acgan",)}):
        with pytest.raises(UserError, match=r"architecture 'gaussian' takes no labels, .* use 'mlp'"):
            given = replace(SMALL, **change, datasets=("mixture_1d",), architecture="gaussian")
            resolve("s", "", given, line)
    triangles = {"triangles": data.load("triangles")}
    for change in ({"conditional": "concat"}, {"variants": ("acgan",)}):
        with pytest.raises(UserError, match="has no labels, which conditional models need"):
            resolve("s", "", replace(SMALL, **change, datasets=("triangles",)), triangles)
    with pytest.raises(UserError, match="accuracy"):
        asked = replace(SMALL, evaluation=Evaluation(metrics=("fid", "accuracy")))
        resolve("s", "", asked, digits)
    with pytest.raises(UserError, match="set likelihood='gaussian'"):
        resolve("s", "", replace(SMALL, variants=("vae",), datasets=("ring",)), ring)
    with pytest.raises(UserError, match=r"likelihood of vae needs data in \[0, 1\], which ring has not"):
        either = {"likelihood": choice("gaussian", "bernoulli")}
        resolve("s", "", replace(SMALL, variants=("vae",), datasets=("ring",), space=either), ring)
    vae = replace(SMALL, variants=("vae",), datasets=("ring",), space={"likelihood": "gaussian"})
    assert resolve("s", "", vae, ring).defaults["vae"]["likelihood"] == "gaussian"


def test_differences_are_listed_by_name():
    digits = {"digits": data.load("digits")}
    old = resolve("s", "", replace(SMALL, steps=100, evaluation=Evaluation(n_images=200)), digits)
    new = resolve("s", "", replace(SMALL, steps=200, evaluation=Evaluation(n_images=500)), digits)
    assert differences(old, new) == ["evaluation.digits.n_images: 200 -> 500", "steps: 100 -> 200"]
    assert differences(old, old) == []


def test_smoke_scale_changes_what_the_study_says_and_the_rest_by_default():
    large = replace(SMALL, trials=100, steps=10_000, smoke={"steps": 7, "n_images": 300})
    small = large.at_smoke_scale()
    assert (small.trials, small.steps, small.evaluations, small.evaluation.n_images) == (2, 7, 2, 300)
    with pytest.raises(UserError, match="unknown field of Study 'evaluation'"):
        replace(SMALL, smoke={"evaluation": 7}).at_smoke_scale()
    with pytest.raises(UserError, match="unknown field of Study 'stesp'; did you mean 'steps'"):
        replace(SMALL, smoke={"stesp": 7}).at_smoke_scale()


def test_a_study_has_a_small_scale_if_it_says_so():
    value = replace(SMALL, trials=100, steps=10_000, small={"trials": 3, "n_images": 300})
    small = value.at_small_scale()
    assert (small.trials, small.steps, small.evaluation.n_images) == (3, 10_000, 300)
    with pytest.raises(UserError, match="no small scale"):
        SMALL.at_small_scale()


@pytest.mark.parametrize("name", [path.stem for path in sorted(Path("studies").glob("*.py"))])
def test_every_study_of_the_project_loads_and_says_its_question(name):
    loaded, question, value = library.load(name)
    assert loaded == name and question.splitlines()[0].endswith("?")
    assert value.at_smoke_scale().trials <= value.trials
    assert name in library.available()


def test_a_study_can_be_a_file_anywhere(tmp_path):
    file = tmp_path / "mine.py"
    body = "STUDY = Study(variants=('ns',), datasets=('digits',), trials=1, steps=1)"
    file.write_text(f'"""Why?"""\nfrom gansweep.study import Study\n{body}\n')
    assert library.load(str(file))[:2] == ("mine", "Why?")


IMPORT = "from gansweep.study import Study\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("STUDY = 3", r"must hold one value STUDY = Study\(...\), but it has one of type int"),
        ("study = 3", r"must hold one value STUDY = Study\(...\), but it has no STUDY"),
        ("from gansweep import Study as STUDY", "but it has the class Study itself"),
        (f"{IMPORT}STUDY = Study(", "not a study: SyntaxError"),
        ("import sys; sys.exit(3)", "bad.py is not a study: SystemExit: 3"),
        (
            f"{IMPORT}STUDY = Study(variants=('ns',), datasets=('digits',), trails=1, steps=1)",
            "unknown field of Study 'trails'; did you mean 'trials'",
        ),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import math\nmath.nothing", "not a study: AttributeError"),
        (
            f"{IMPORT}STUDY = Study(variants=('nss',), datasets=('digits',), trials=1, steps=1)",
            "bad.py: unknown variant 'nss'; did you mean 'ns'",
        ),
    ],
)
def test_a_file_that_is_no_study_gets_one_sentence(tmp_path, content, message):
    file = tmp_path / "bad.py"
    file.write_text(content)
    with pytest.raises(UserError, match=message):
        library.load(str(file))


def test_an_unknown_study_is_answered_with_the_nearest_name():
    with pytest.raises(UserError, match="unknown study 'quikstart'; did you mean 'quickstart'"):
        library.load("quikstart")
    with pytest.raises(UserError, match=r"there is no study file 'nowhere\.py'"):
        library.load("nowhere.py")
