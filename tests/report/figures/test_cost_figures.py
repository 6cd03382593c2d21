"""Figures of cost."""

import pytest
from figure_cases import A

from gansweep.report import statistics
from gansweep.report.figures.cost.cost import cost_data, plot_cost
from gansweep.report.figures.cost.pareto import pareto_data


def test_cost_is_the_mean_of_all_trials_times_their_number(whole):
    curves = cost_data(whole, "digits")
    assert "began" not in set(curves["variant"])  # never succeeded
    trials = whole.finished[(whole.finished["dataset"] == "digits") & (whole.finished["variant"] == "ns")]
    point = curves[(curves["variant"] == "ns") & (curves["k"] == 5)].iloc[0]
    seconds = (trials["train_seconds"] + trials["eval_seconds"]).sum()
    assert point["seconds"] == pytest.approx(5 * seconds / len(trials))
    assert point["steps"] == pytest.approx(5 * trials["steps"].mean())
    assert point["median"] == statistics.median_best(whole.scores["digits", "ns"], 5).value
    ax = plot_cost(curves, "images", {"ns": A}, "images")
    assert ax.get_xlabel() == "images, millions (log)"


def test_the_front_has_what_no_other_beats_for_its_price(whole):
    points = pareto_data(whole)
    for _, here in points.groupby("dataset"):
        for _, point in here.iterrows():
            beaten = (here["hours"] <= point["hours"]) & (here["median"] < point["median"])
            assert point["front"] == (not beaten.any())
