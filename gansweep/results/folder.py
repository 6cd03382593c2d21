"""Every path inside a study's folder."""

from dataclasses import dataclass
from pathlib import Path

from gansweep.results.row import slug


@dataclass(frozen=True)
class StudyFolder:
    """The files of a study; `path` is its folder."""

    path: Path

    @property
    def study(self) -> Path:
        """The resolved study, written before anything trains."""
        return self.path / "study.json"

    @property
    def manifest(self) -> Path:
        """Versions, hashes, budget: what the rows mean."""
        return self.path / "manifest.json"

    @property
    def rows(self) -> Path:
        """All measurements: the only source of every table and figure."""
        return self.path / "rows.jsonl"

    @property
    def journal(self) -> Path:
        """Optuna's storage, unless a URL was given."""
        return self.path / "optuna.journal"

    @property
    def incidents(self) -> Path:
        """Packs that failed, and what was done about them."""
        return self.path / "incidents.jsonl"

    @property
    def finalists(self) -> Path:
        """The best trial of each cell, measured again."""
        return self.path / "finalists.json"

    @property
    def datapackage(self) -> Path:
        """The types of the columns of the CSV files."""
        return self.path / "datapackage.json"

    @property
    def lock(self) -> Path:
        """Held by the driver of the study; names it."""
        return self.path / ".lock"

    @property
    def stop(self) -> Path:
        """Its presence asks the driver to end."""
        return self.path / "stop"

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.path / "report"

    @property
    def page(self) -> Path:
        """The report as a page."""
        return self.report / "index.html"

    @property
    def samples(self) -> Path:
        """The folder of generated and real samples."""
        return self.path / "samples"

    @property
    def logs(self) -> Path:
        """The folder of the logs of packs."""
        return self.path / "logs"

    @property
    def training_states(self) -> Path:
        """The folder of checkpoints of trials that are training."""
        return self.path / "checkpoints"

    @property
    def generators(self) -> Path:
        """The folder of trained generators."""
        return self.path / "generators"

    def table(self, name: str, suffix: str) -> Path:
        """Returns the file of a table. name: trials, evaluations. suffix: csv, parquet."""
        return self.path / f"{name}.{suffix}"

    def summary(self, suffix: str) -> Path:
        """Returns the file of the summary table of the report. suffix: csv, parquet."""
        return self.report / "data" / f"summary.{suffix}"

    def log(self, pack: str) -> Path:
        """Returns the log of a pack."""
        return self.logs / f"{pack}.log"

    def reference(self, dataset: str) -> Path:
        """Returns the file of the statistics of the real samples of a data set."""
        return self.path / "references" / f"{slug(dataset)}.pt"
