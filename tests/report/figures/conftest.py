"""Studies that the tests of several groups of figures draw."""

from dataclasses import replace

import pytest
from figure_cases import FGANS, METRICS, PER_DATASET, PER_STUDY, PHASES, SMALL, deadly
from msgspec import structs
from synthetic import make_study

from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures.base import Plot
from gansweep.report.figures.hyperparameters.importance import importance_plot


@pytest.fixture(scope="module")
def comparison(tmp_path_factory) -> Comparison:
    return read_comparison(
        make_study(tmp_path_factory.mktemp("study"), variants=3, datasets=1, samples=False)
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("study")
    confirm = {"top": 1, "reruns": 1, "seeds": 6}
    made = {"variants": ("ns", "wgan_gp", "began", "vae"), "datasets": ("mnist",), "trials": 30}
    return read_comparison(make_study(folder, metrics=METRICS, confirm=confirm, finalists=True, **made))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("plain")
    return read_comparison(make_study(folder, variants=2, datasets=1, trials=5, samples=False))


@pytest.fixture(scope="module")
def importances(study) -> Plot:
    """The importance of hyperparameters for one variant, where a high lr is deadly."""
    killed = deadly(study)
    kept = {name: {"ns": getattr(study.manifest, name)["ns"]} for name in ("variants", "spaces", "defaults")}
    return importance_plot(replace(killed, manifest=structs.replace(study.manifest, **kept)), "mnist")


@pytest.fixture(scope="module")
def ring(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("ring")
    options = SMALL | {"samples": True}
    return read_comparison(
        make_study(folder, datasets=("ring",), metrics=("modes", "high_quality"), **options)
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Comparison:
    metrics = ("intra_fid", "accuracy", "polygon_f1", "polygon_precision", "polygon_recall")
    return read_comparison(
        make_study(tmp_path_factory.mktemp("digits"), datasets=1, metrics=metrics, **SMALL)
    )


@pytest.fixture(scope="module")
def fgan(tmp_path_factory) -> Comparison:
    folder = tmp_path_factory.mktemp("fgan")
    options = {"variants": FGANS, "datasets": ("mixture_1d",), "trials": 6, "samples": False}
    return read_comparison(make_study(folder, metrics=("mean", "sd"), **options))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Comparison:
    """A study with all phases; one of its variants always fails."""
    folder = tmp_path_factory.mktemp("whole")
    study = make_study(folder, ("ns", "wgan_gp", "vae", "began"), trials=30, fail=("began",), **PHASES)
    return read_comparison(study)


@pytest.fixture(scope="module")
def whole_plots(whole) -> dict[str, Plot]:
    made = [make(whole) for make in PER_STUDY] + [make(whole, "digits") for make in PER_DATASET]
    return {plot.name: plot for plot in made}
