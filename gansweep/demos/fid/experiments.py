"""The experiments by name, and the command that runs one: a table, a picture, some sentences."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from gansweep import data
from gansweep.data import Dataset
from gansweep.demos import require_experiment
from gansweep.demos.fid import agreement, bias, disturbance, modes
from gansweep.errors import UserError, say
from gansweep.evaluation import Evaluation
from gansweep.files import require_writable
from gansweep.report.style import style
from gansweep.results.row import slug


@dataclass(frozen=True)
class Experiment:
    """A measurement (n_repeats times, from a seed), its drawing, and its findings in sentences."""

    measure: Callable[[Dataset, Evaluation, int, int], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    findings: Callable[[pd.DataFrame], list[str]]


BY_NAME = {
    "bias": Experiment(bias.bias, bias.draw, bias.findings),
    "modes": Experiment(modes.modes, modes.draw, modes.findings),
    "disturbance": Experiment(disturbance.disturbance, disturbance.draw, disturbance.findings),
    "agreement": Experiment(agreement.agreement, agreement.draw, agreement.findings),
}


def run(experiment: str, dataset: str, evaluation: Evaluation, n_repeats: int, out: Path) -> list[Path]:
    """Run an experiment, print its findings, and write its figure and numbers under `out`.

    Returns:
        figures/<name>.png, .pdf and .svg, and data/<name>.csv with all numbers.

    Raises:
        UserError: the experiment or data set is unknown, the data set does not suit the experiment, or the
            repeats are too few for a spread.
    """
    require_experiment(experiment, dataset)
    if n_repeats < 2:
        raise UserError(f"n_repeats must be at least 2, to estimate a spread, but got {n_repeats}")
    require_writable(out)
    chosen = BY_NAME[experiment]
    table = chosen.measure(data.load(dataset), evaluation, n_repeats, evaluation.seed)
    name = f"{experiment}-{slug(dataset)}-{table['extractor'].iloc[0]}"
    with style.house_style():
        figure = chosen.draw(table)
    style.save(figure, out, name, table)
    say(*chosen.findings(table))
    files = [out / "figures" / f"{name}.{kind}" for kind in ("png", "pdf", "svg")]
    return [*files, out / "data" / f"{name}.csv"]
