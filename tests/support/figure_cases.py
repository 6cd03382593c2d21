"""What the tests of several groups of figures share."""

import math
from dataclasses import replace

import msgspec
from rows import manifest_values

from gansweep.report.comparison import Comparison
from gansweep.report.figures.cost.cost import cost_plot
from gansweep.report.figures.cost.pareto import pareto_plot
from gansweep.report.figures.fresh_seeds.effects import effects_plot
from gansweep.report.figures.fresh_seeds.pairwise import improvement_plot
from gansweep.report.figures.known_data.f1_budget import (
    f1_budget_plot,
)
from gansweep.report.figures.search.budget_each import budget_each_plot
from gansweep.report.figures.search.profile import profile_plot
from gansweep.report.figures.search.transfer import (
    transfer_plot,
)
from gansweep.report.figures.search.variance import variance_plot
from gansweep.report.style.style import Look
from gansweep.results.records import Manifest


def manifest(*looks: tuple[str, str]) -> Manifest:
    variants = {
        f"v{i:02}": {"label": f"V{i}", "source": "", "deviations": [], "hue": hue, "marker": marker}
        for i, (hue, marker) in enumerate(looks)
    }
    nothing = {variant: {} for variant in variants}
    values = manifest_values(variants=variants, spaces=nothing, defaults=nothing)
    return msgspec.convert(values, Manifest)


METRICS = ("test_fid", "kid", "isc", "modes", "second_fid")


def deadly(comparison: Comparison) -> Comparison:
    """The study with every trial of lr > 1e-3 diverged, and no other."""
    trials = comparison.trials
    kills = trials["hp_lr"] > 1e-3
    outcomes = kills.map({True: "diverged", False: "ok"})
    score = trials["score"].where(~kills, math.inf)
    return replace(comparison, trials=trials.assign(outcome=outcomes, score=score))


SMALL = {"variants": ("ns", "wgan_gp", "vae"), "trials": 12, "samples": False}


FGANS = ("fgan_kl", "fgan_reverse_kl", "fgan_pearson", "fgan_js", "ns")


POLYGON_METRICS = ("polygon_f1", "polygon_precision", "polygon_recall")


PHASES = {
    "confirm": {"top": 2, "reruns": 2, "seeds": 10},
    "replicate": {"configurations": 6, "seeds": 3},
    "same_configurations": True,
    "metrics": POLYGON_METRICS,
    "samples": False,
}


A = Look("A", "blue", "circle")


PER_DATASET = (budget_each_plot, effects_plot, improvement_plot, cost_plot, f1_budget_plot)


PER_STUDY = (profile_plot, variance_plot, pareto_plot, transfer_plot)
