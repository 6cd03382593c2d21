"""Commands that watch a study from any machine that can read its folder: status, stop, log."""

import argparse
import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gansweep.cli.options import add_results, command

if TYPE_CHECKING:
    from gansweep.results.status.status import Status

EVERY_SECONDS = 5.0  # between two looks of `status --watch`
PATIENCE_SECONDS = 60.0  # for a driver that was asked to stop
SHOWN = 4  # kinds of failures, and incidents


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    parser = command(commands, "status", status)
    parser.add_argument("study", help="name of a study that is running or has run, or its folder")
    parser.add_argument("--json", action="store_true", help="all of it for programs")
    parser.add_argument("--watch", action="store_true", help="draw again every few seconds until it is done")
    add_results(parser)
    parser = command(commands, "stop", stop)
    parser.add_argument("study", help="name of a study that is running, or its folder")
    add_results(parser)
    parser = command(commands, "log", log)
    parser.add_argument("trial", help="STUDY/TRIAL, as quickstart/digits-ns-0003")
    parser.add_argument("--path", action="store_true", help="only say where the logs are")
    add_results(parser)


def status(options: argparse.Namespace) -> int:
    """Say how a study stands, from its folder alone; it may be running elsewhere."""
    from gansweep.results.status.status import StatusReader, study_folder

    watch = StatusReader(study_folder(options.study, options.results))
    if options.watch:
        return _keep_watching(watch, options.json)
    print(_shown(watch.read(), options.json))
    return 0


def _shown(found: "Status", as_json: bool) -> str:
    if as_json:
        return json.dumps(found.as_json(), allow_nan=False)
    return "\n".join(lines(found, shutil.get_terminal_size().columns))


def _keep_watching(watch: Any, as_json: bool) -> int:
    """Look again and again while the study runs; ctrl-C ends only the watching."""
    from gansweep.results.status.display import LiveLines

    screen = LiveLines(sys.stdout)
    try:
        while True:
            found = watch.read()
            if sys.stdout.isatty() and not as_json:
                screen.draw(list(lines(found, shutil.get_terminal_size().columns)))
            else:
                print(_shown(found, as_json), flush=True)
            if found.state in ("done", "stopped"):
                return 0
            time.sleep(EVERY_SECONDS)
    except KeyboardInterrupt:
        return 0


def lines(found: "Status", width: int) -> Iterator[str]:
    """How a study stands, as text."""
    from gansweep.results.status.display import cell_lines, time_left

    yield from _wrapped(_headline(found), width)
    if found.tally is None:
        return
    yield from cell_lines(found.tally, found.labels, width)
    n_ended, n_planned = found.tally.count()
    left = f", {time_left(found.seconds_left)}" if found.state == "running" and n_ended < n_planned else ""
    n_pruned = found.tally.outcomes["pruned"]
    yield f"{n_ended}/{n_planned} trials{f', {n_pruned} of them pruned' if n_pruned else ''}{left}"
    for text in (*_failures(found), *_incidents(found), *_costs(found)):
        yield from _wrapped(text, width)


def _headline(found: "Status") -> str:
    from gansweep.results.status.display import duration

    driver, name = found.driver, found.folder.resolve().name
    ago = found.silent_seconds
    silent = "" if ago is None else f", last measurement {duration(ago)} ago"
    again = f"`{found.command}` goes on" if found.command else "the same command goes on"
    if found.state == "done":
        return f"{name}: done{silent}"
    if driver and driver.is_running:
        since = f" since {_moment(driver.started)} UTC" if driver.started else ""
        doing = "being prepared" if found.state == "preparing" else "running"
        return f"{name}: {doing} on {driver}{since}{silent}"
    gone = f", its driver on {driver} is gone" if driver else ""
    return f"{name}: stopped{gone}{silent}: {again}"


def _moment(time_of_day: str) -> str:
    """The hour and minute of an ISO time, with the date unless it is of the last hours."""
    age = datetime.now(UTC) - datetime.fromisoformat(time_of_day)
    return time_of_day[11:16] if age < timedelta(hours=12) else time_of_day[:16].replace("T", " ")


def _failures(found: "Status") -> Iterator[str]:
    from gansweep.results.status.display import NOT_FAILED, counted
    from gansweep.results.status.status import failures

    if not found.tally or not found.tally.failures:
        return
    yield f"failed: {counted(found.tally.outcomes, skip=NOT_FAILED)}"
    groups = failures(found.tally)
    for group in groups[:SHOWN]:
        first = "" if group.n_trials == 1 else f" and {group.n_trials - 1} more"
        where = f" (see {group.log})" if group.log else ""
        yield f"  {group.outcome}: {group.message[:200]}: {group.trial}{first}{where}"
    if len(groups) > SHOWN:
        yield f"  and {len(groups) - SHOWN} more kinds"


def _incidents(found: "Status") -> Iterator[str]:
    from gansweep.results.status.display import counted, duration, incident_line
    from gansweep.results.status.status import LATEST, kinds

    if not found.incidents:
        return
    lost = f"; {duration(found.lost_seconds)} of work lost" if found.lost_seconds else ""
    yield f"incidents: {counted(kinds(found.incidents))}{lost}"
    for incident in found.incidents[-LATEST:]:
        yield f"  {_moment(incident.time)} {incident_line(incident)}"


def _costs(found: "Status") -> Iterator[str]:
    from gansweep.results.status.display import duration

    spent = []
    for cost in found.tally.costs() if found.tally else ():
        shared = f" on {duration(3600 * cost.gpu_hours)} of GPUs" if cost.gpu_hours else ""
        spent.append(f"{duration(3600 * (cost.worker_hours or 0.0))} of workers{shared} ({cost.device})")
    used, is_all = found.disk
    yield f"spent: {', '.join(spent) or 'nothing yet'}; disk: {'' if is_all else 'over '}{_size(used)}"


def _size(n_bytes: float) -> str:
    """A size for people.

    >>> _size(2_500_000), _size(300)
    ('2.5 MB', '0.3 kB')
    """
    unit = next((u for u, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)) if n_bytes >= size), "kB")
    return f"{n_bytes / {'TB': 1e12, 'GB': 1e9, 'MB': 1e6, 'kB': 1e3}[unit]:.1f} {unit}"


def _wrapped(text: str, width: int) -> list[str]:
    """Text in lines, without what a terminal would obey."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    return textwrap.wrap(shown, width - 1, subsequent_indent=indent, break_on_hyphens=False)


def stop(options: argparse.Namespace) -> int:
    """Ask the driver of a study to stop, wherever it runs; the study goes on later where it stopped."""
    from gansweep.results.lock import is_stop_requested, read_driver, request_stop
    from gansweep.results.status.status import StatusReader, study_folder

    folder = study_folder(options.study, options.results)
    driver = read_driver(folder)
    if not driver or not driver.is_running:
        found = StatusReader(folder).read()
        print(f"no driver is at work: {found.state}, {_ended(found)}")
        return 0
    request_stop(folder)
    print(f"asked the driver on {driver} to stop", flush=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = read_driver(folder)
        if not now or not now.is_running:
            found = StatusReader(folder).read()
            again = "" if found.state == "done" else f"; `{found.command}` goes on"
            print(f"{found.state}: {_ended(found)}{again}")
            return 0
    doing = "has not looked yet, and will" if is_stop_requested(folder) else "is ending its work"
    print(f"after {PATIENCE_SECONDS:.0f} s it {doing}; `gansweep status {options.study}` tells when it has")
    return 1


def _ended(found: "Status") -> str:
    n_ended, n_planned = found.tally.count() if found.tally else (0, None)
    return f"{n_ended} of {n_planned} trials done" if n_planned else "nothing measured"


def log(options: argparse.Namespace) -> int:
    """Print the logs of the packs in which a trial has trained."""
    from gansweep.cli.options import split_trial
    from gansweep.results.logs import read_log
    from gansweep.results.status.status import logs, study_folder

    study, trial = split_trial(options.trial)
    paths = logs(study_folder(study, options.results), trial)
    for path in paths:
        if options.path:
            print(path)
            continue
        if len(paths) > 1:
            print(f"==> {path} <==")
        print(read_log(path), end="")
    return 0
