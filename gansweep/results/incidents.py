"""`incidents.jsonl`: packs that failed while a study ran, and what was done about them."""

from pathlib import Path

import msgspec

from gansweep.errors import UserError
from gansweep.files import retry_io
from gansweep.results.decoding import decode
from gansweep.results.folder import StudyFolder
from gansweep.results.records import Incident
from gansweep.results.row import to_json


def append_incident(folder: Path, incident: Incident) -> None:
    """Append an incident."""
    path, line = StudyFolder(folder).incidents, f"{to_json(incident)}\n"
    retry_io(lambda: _append(path, line), f"{path} cannot be written")


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line)


def read_incidents(folder: Path) -> list[Incident]:
    """Returns the incidents of a study, oldest first; lines that a crash has torn are ignored.

    Raises:
        UserError: a line is a JSON object, but not an incident.
    """
    path = StudyFolder(folder).incidents
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        try:
            whole = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(whole, dict):
            found.append(_incident(path, line))
    return found


def _incident(path: Path, line: bytes) -> Incident:
    try:
        return decode(line, Incident, "incident")
    except UserError as error:
        raise UserError(f"{path} is {error}; restore it from a copy") from None
