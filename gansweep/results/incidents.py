"""What went wrong while a study ran, and what was done about it: `incidents.jsonl` in its folder.

An incident is one JSON object:

    time      UTC, ISO 8601
    pack      name of the pack that failed
    trials    ids of its trials that had not ended
    kind      worker_died, node_lost, oom, hang, Stopped, or the name of the exception that was raised
    message   its first line
    action    again (the pack was queued once more), halved (as two packs), ended (its only trial crashed or
              ran out of time), stopped (the run ended; no trial did)
"""

import json
from pathlib import Path
from typing import Any, TypeAlias

from gansweep.files import patiently

Incident: TypeAlias = dict[str, Any]
FILE = "incidents.jsonl"


def note_incident(folder: Path, incident: Incident) -> None:
    """Append an incident."""
    line = json.dumps(incident) + "\n"
    patiently(lambda: _append(folder / FILE, line), f"{folder / FILE} cannot be written")


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line)


def read_incidents(folder: Path) -> list[Incident]:
    """The incidents of a study, oldest first; lines that a crash has torn are passed over."""
    path = folder / FILE
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            incident = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(incident, dict):
            found.append(incident)
    return found
