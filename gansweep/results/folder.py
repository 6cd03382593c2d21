"""Every path inside a study's folder. None is a link: a folder that somebody sent leads nowhere else."""

import os
from dataclasses import dataclass
from pathlib import Path

from gansweep.errors import UserError
from gansweep.results.row import slug


@dataclass(frozen=True)
class StudyFolder:
    """The files of a study; `path` is its folder, which may be a link itself.

    Raises:
        UserError, from every property and method: a part of the path below the folder is a link.
    """

    path: Path

    def inside(self, *parts: str) -> Path:
        """Returns a path below the folder; no part of it is absolute or `..`."""
        path = self.path
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise UserError(
                    f"{path} is a link, and nothing inside the folder of a study may be one: "
                    "put what it leads to in its place, or remove it"
                )
        return path

    def require_no_links(self, part: str) -> None:
        """Raise UserError if there is a link anywhere below a part of the folder."""
        for place, folders, files in os.walk(self.inside(part)):
            for name in (*folders, *files):
                self.inside(*Path(place, name).relative_to(self.path).parts)

    @property
    def study(self) -> Path:
        """The resolved study, written before anything trains."""
        return self.inside("study.json")

    @property
    def manifest(self) -> Path:
        """Versions, hashes, budget: what the rows mean."""
        return self.inside("manifest.json")

    @property
    def rows(self) -> Path:
        """All measurements: the only source of every table and figure."""
        return self.inside("rows.jsonl")

    @property
    def journal(self) -> Path:
        """Optuna's storage, unless a URL was given."""
        return self.inside("optuna.journal")

    @property
    def incidents(self) -> Path:
        """Packs that failed, and what was done about them."""
        return self.inside("incidents.jsonl")

    @property
    def finalists(self) -> Path:
        """The best trial of each cell, measured again."""
        return self.inside("finalists.json")

    @property
    def datapackage(self) -> Path:
        """The types of the columns of the CSV files."""
        return self.inside("datapackage.json")

    @property
    def lock(self) -> Path:
        """Held by the driver of the study; names it."""
        return self.inside(".lock")

    @property
    def stop(self) -> Path:
        """Its presence asks the driver to end."""
        return self.inside("stop")

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.inside("report")

    @property
    def page(self) -> Path:
        """The report as a page."""
        return self.inside("report", "index.html")

    @property
    def samples(self) -> Path:
        """The folder of generated and real samples."""
        return self.inside("samples")

    @property
    def logs(self) -> Path:
        """The folder of the logs of packs."""
        return self.inside("logs")

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints of trials, one for each."""
        return self.inside("checkpoints")

    @property
    def aside(self) -> Path:
        """The folder of what was damaged, or of something else, and was moved out of the way."""
        return self.inside("set-aside")

    def table(self, name: str, suffix: str) -> Path:
        """Returns the file of a table. name: trials, evaluations. suffix: csv, parquet."""
        return self.inside(f"{name}.{suffix}")

    def log(self, pack: str) -> Path:
        """Returns the log of a pack."""
        return self.inside("logs", f"{pack}.log")

    def reference(self, dataset: str) -> Path:
        """Returns the file of the statistics of the real samples of a data set."""
        return self.inside("references", f"{slug(dataset)}.pt")
