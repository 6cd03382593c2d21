"""`incidents.jsonl`: packs that failed while a study ran, and what was done about them."""

from pathlib import Path

import msgspec

from gansweep.errors import UserError
from gansweep.files import append_line, read_bytes, retry_io
from gansweep.results.decoding import decode
from gansweep.results.folder import StudyFolder
from gansweep.results.records import Incident
from gansweep.results.row import to_json


def append_incident(folder: Path, incident: Incident) -> None:
    """Append an incident."""
    path, line = StudyFolder(folder).incidents, to_json(incident)
    retry_io(lambda: append_line(path, line), f"{path} cannot be written")


def read_incidents(folder: Path) -> list[Incident]:
    """Returns the incidents of a study, oldest first; lines that a crash has torn are ignored.

    Raises:
        UserError: a line is a JSON object, but not an incident.
    """
    path = StudyFolder(folder).incidents
    if not path.exists():
        return []
    found = []
    for line in read_bytes(path).splitlines():
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
