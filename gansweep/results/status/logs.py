"""The logs of packs: in which a trial occurs, and when a pack last made progress."""

import re
from datetime import datetime
from pathlib import Path

from gansweep.files import read_bytes
from gansweep.results.folder import StudyFolder

STARTED = " trials on "  # in the first line of every attempt, which ends with the ids of the trials
STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00) (.*)$", re.MULTILINE)
IDS = re.compile(rf"^\S+ \d+{STARTED}.*?: (.+)$", re.MULTILINE)


def read_log(path: Path) -> str:
    """The text of a log, which may be growing.

    Raises:
        Damaged: it is a link, or no file.
    """
    return read_bytes(path).decode(errors="replace")


def logs_of(folder: Path, trial: str) -> list[Path]:
    """The logs in which a trial occurs, in the order in which they began."""
    word = re.compile(rf"(?<![\w.@-]){re.escape(trial)}(?![\w.@-])")
    found = []
    for path in StudyFolder(folder).logs.glob("*.log"):
        text = read_log(path)
        if word.search(text):
            found.append((text.partition(" ")[0], path.name, path))
    return [path for *_, path in sorted(found)]


def trials_in(folder: Path) -> set[str]:
    """The trials that logs say have begun."""
    texts = map(read_log, StudyFolder(folder).logs.glob("*.log"))
    return {trial for text in texts for ids in IDS.findall(text) for trial in ids.split()}


def last_progress(text: str, before: str) -> datetime | None:
    """When a pack last began, or reported, before a time (ISO 8601), by the text of its log."""
    stamps = [
        stamp for stamp, rest in STAMP.findall(text) if stamp <= before and (not rest or STARTED in rest)
    ]
    return datetime.fromisoformat(stamps[-1]) if stamps else None
