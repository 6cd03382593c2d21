"""Commands that watch a study from any machine with access to its folder: status, stop, log."""

import argparse
import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gansweep.cli.options import add_results, command, find_study
from gansweep.errors import one_line, say

if TYPE_CHECKING:
    from gansweep.results.status.status import Status

_REFRESH_SECONDS = 5.0  # between two readings of `status --watch`
_STOP_TIMEOUT_SECONDS = 60.0  # until `stop` no longer waits for the driver
_MAX_FAILURE_KINDS = 4  # that `status` prints


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    parser = command(commands, "status", status)
    parser.add_argument("study", help="name of a study that is running or has run, or its folder")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--watch", action="store_true", help="refresh every few seconds until the study is done"
    )
    add_results(parser)
    parser = command(commands, "stop", stop)
    parser.add_argument("study", help="name of a study that is running, or its folder")
    add_results(parser)
    parser = command(commands, "log", log)
    parser.add_argument("trial", help="STUDY/TRIAL, as quickstart/digits-ns-0003")
    parser.add_argument("--path", action="store_true", help="print the paths of the logs only")
    add_results(parser)


def status(options: argparse.Namespace) -> int:
    """Print the status of a study, read from its folder alone; the study may run on another machine."""
    from gansweep.results.status.status import StatusReader, study_folder

    reader = StatusReader(find_study(study_folder, options.study, options.results))
    if options.watch:
        return _keep_watching(reader, options.json)
    say(*_shown(reader.read(), options.json))
    return 0


def _shown(found: "Status", as_json: bool) -> list[str]:
    if as_json:
        return [json.dumps(found.as_json(), allow_nan=False)]
    return list(_lines(found, shutil.get_terminal_size().columns))


def _keep_watching(reader: Any, as_json: bool) -> int:
    """Print the status repeatedly while the study runs; ctrl-C ends the watching, not the study."""
    from gansweep.results.status.display import LiveLines

    screen = LiveLines(sys.stdout)
    try:
        while True:
            found = reader.read()
            if sys.stdout.isatty() and not as_json:
                screen.draw(_shown(found, as_json))
            else:
                say(*_shown(found, as_json))
            if found.state in ("done", "stopped"):
                return 0
            time.sleep(_REFRESH_SECONDS)
    except KeyboardInterrupt:
        return 0


def _lines(found: "Status", width: int) -> Iterator[str]:
    """Yields the status of a study as lines of text."""
    from gansweep.results.row import Outcome
    from gansweep.results.status.display import cell_lines
    from gansweep.results.status.words import time_left

    yield from _wrapped(_headline(found), width)
    if found.progress is None:
        return
    yield from cell_lines(found.progress, found.labels, width)
    n_ended, n_planned = found.progress.count()
    left = f", {time_left(found.seconds_left)}" if found.state == "running" and n_ended < n_planned else ""
    n_pruned = found.progress.outcomes[Outcome.PRUNED]
    yield f"{n_ended}/{n_planned} trials{f', {n_pruned} of them pruned' if n_pruned else ''}{left}"
    for text in (*_failures(found), *_incidents(found), *_costs(found)):
        yield from _wrapped(text, width)


def _headline(found: "Status") -> str:
    from gansweep.results.status.words import duration

    driver, name = found.driver, found.folder.resolve().name
    ago = found.silent_seconds
    silent = "" if ago is None else f", last measurement {duration(ago)} ago"
    again = f"run {_to_resume(found)} to resume"
    if found.state == "done":
        return f"{name}: done{silent}"
    if driver and driver.is_running:
        since = f" since {_moment(driver.started)} UTC" if driver.started else ""
        doing = "being prepared" if found.state == "preparing" else "running"
        return f"{name}: {doing} on {driver}{since}{silent}"
    gone = f", its driver on {driver} no longer runs" if driver else ""
    return f"{name}: stopped{gone}{silent}: {again}"


def _to_resume(found: "Status") -> str:
    return f"`{found.command}`" if found.command else "the same command"


def _moment(time_of_day: str) -> str:
    """Returns the hour and minute of an ISO time, with the date if it is older than 12 hours."""
    age = datetime.now(UTC) - datetime.fromisoformat(time_of_day)
    return time_of_day[11:16] if age < timedelta(hours=12) else time_of_day[:16].replace("T", " ")


def _failures(found: "Status") -> Iterator[str]:
    from gansweep.results.status.display import NOT_FAILED
    from gansweep.results.status.status import failures
    from gansweep.results.status.words import counted

    if not found.progress or not found.progress.failures:
        return
    yield f"failed: {counted(found.progress.outcomes, skip=NOT_FAILED)}"
    groups = failures(found.progress)
    for group in groups[:_MAX_FAILURE_KINDS]:
        first = "" if group.n_trials == 1 else f" and {group.n_trials - 1} more"
        where = f" (see {group.log})" if group.log else ""
        yield f"  {group.outcome}: {group.message[:200]}: {group.trial}{first}{where}"
    if len(groups) > _MAX_FAILURE_KINDS:
        yield f"  and {len(groups) - _MAX_FAILURE_KINDS} more kinds"


def _incidents(found: "Status") -> Iterator[str]:
    from gansweep.results.status.display import incident_line
    from gansweep.results.status.status import N_LATEST_INCIDENTS, kinds
    from gansweep.results.status.words import counted, duration

    if not found.incidents:
        return
    lost = f"; {duration(found.lost_seconds)} of work lost" if found.lost_seconds else ""
    yield f"incidents: {counted(kinds(found.incidents))}{lost}"
    for incident in found.incidents[-N_LATEST_INCIDENTS:]:
        yield f"  {_moment(incident.time)} {incident_line(incident)}"


def _costs(found: "Status") -> Iterator[str]:
    from gansweep.results.status.words import duration

    spent = []
    for cost in found.progress.costs() if found.progress else ():
        shared = f" on {duration(3600 * cost.gpu_hours)} of GPUs" if cost.gpu_hours else ""
        spent.append(f"{duration(3600 * (cost.worker_hours or 0.0))} of workers{shared} ({cost.device})")
    if found.set_aside:
        yield f"set aside, as damaged or of something else: {len(found.set_aside)} files in set-aside/"
    used, is_all = found.disk
    yield f"spent: {', '.join(spent) or 'nothing yet'}; disk: {'' if is_all else 'over '}{_size(used)}"


def _size(n_bytes: float) -> str:
    """Returns a size in the unit that suits it.

    >>> _size(2_500_000), _size(300)
    ('2.5 MB', '0.3 kB')
    """
    unit = next((u for u, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)) if n_bytes >= size), "kB")
    return f"{n_bytes / {'TB': 1e12, 'GB': 1e9, 'MB': 1e6, 'kB': 1e3}[unit]:.1f} {unit}"


def _wrapped(text: str, width: int) -> list[str]:
    """Returns wrapped text without control characters."""
    shown = one_line(text)
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    return textwrap.wrap(shown, width - 1, subsequent_indent=indent, break_on_hyphens=False)


def stop(options: argparse.Namespace) -> int:
    """Request the driver of a study to stop, on any machine; the study can be resumed later."""
    from gansweep.results.lock import is_stop_requested, read_driver, request_stop
    from gansweep.results.status.status import StatusReader, study_folder

    folder = find_study(study_folder, options.study, options.results)
    driver = read_driver(folder)
    if not driver or not driver.is_running:
        found = StatusReader(folder).read()
        say(f"no driver is running: {found.state}, {_ended(found)}")
        return 0
    request_stop(folder)
    say(f"requested the driver on {driver} to stop")
    deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = read_driver(folder)
        if not now or not now.is_running:
            found = StatusReader(folder).read()
            again = "" if found.state == "done" else f"; run {_to_resume(found)} to resume"
            say(f"{found.state}: {_ended(found)}{again}")
            return 0
    doing = "has not read the request yet" if is_stop_requested(folder) else "is still finishing its work"
    waited = f"after {_STOP_TIMEOUT_SECONDS:.0f} s the driver {doing}"
    say(f"{waited}; check with `gansweep status {options.study}`")
    return 1


def _ended(found: "Status") -> str:
    n_ended, n_planned = found.progress.count() if found.progress else (0, None)
    return f"{n_ended} of {n_planned} trials done" if n_planned else "nothing measured"


def log(options: argparse.Namespace) -> int:
    """Print the logs of the packs in which a trial has trained."""
    from gansweep.cli.options import split_trial
    from gansweep.results.status.logs import read_log
    from gansweep.results.status.status import logs, study_folder

    study, trial = split_trial(options.trial)
    paths = logs(find_study(study_folder, study, options.results), trial)
    for path in paths:
        if options.path:
            say(str(path))
            continue
        if len(paths) > 1:
            say(f"==> {path} <==")
        say(*read_log(path).splitlines())
    return 0
