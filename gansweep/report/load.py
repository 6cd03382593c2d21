"""The results of a study as pandas tables."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from gansweep.errors import unknown
from gansweep.results import tables
from gansweep.results.csv import Table
from gansweep.results.folder import StudyFolder
from gansweep.results.records import Manifest, read_manifest


@dataclass(frozen=True)
class Results:
    """What `load` has read from a study's folder. Its tables can be saved by `to_excel`, too.

    trials: one line per trial, of all phases. evaluations: one line per measurement. What their columns mean
    stands in the study's datapackage.json. manifest: the study as it ran.
    """

    folder: Path
    manifest: Manifest
    trials: pd.DataFrame
    evaluations: pd.DataFrame

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One line per data set and variant, the best first, computed from the rows.

        Raises:
            UserError: no trial has reported yet.
        """
        from gansweep.report.comparison import read_comparison
        from gansweep.report.summary import summary_table

        return Table(summary_table(read_comparison(self.folder)))


def load(folder: str | Path) -> Results:
    """The results of a study, running or finished, as pandas tables; imports neither torch nor Ray.

    >>> results = gansweep.load("results/lsgan_vs_ns")  # doctest: +SKIP
    >>> results.trials.groupby("variant")["fid_best"].min()  # doctest: +SKIP
    >>> results.summary[["dataset", "variant", "median_best_k"]]  # doctest: +SKIP

    Raises:
        UserError: the folder holds no results; the message names the nearest folder with results.
    """

    folder = Path(folder)
    if not StudyFolder(folder).manifest.exists():
        near = [*folder.parent.glob("*/manifest.json"), *Path("results").glob("*/manifest.json")]
        raise unknown("folder of results", str(folder), {str(file.parent) for file in near})
    read = {name: Table(table) for name, table in tables.read_tables(folder).items()}
    return Results(folder, read_manifest(folder), **read)
