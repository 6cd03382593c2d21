"""Processes, found through their parents and killed with all that they have started."""

import os
import signal
from pathlib import Path


def kill_tree(pid: int) -> None:
    """Kill -9 a process and all below it; what is stopped first starts nothing while the others die."""
    try:
        os.kill(pid, signal.SIGSTOP)
        for child in children(pid):
            kill_tree(child)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def trainers(pid: int) -> list[int]:
    """The processes below one that train packs, oldest first."""
    return sorted(p for p in descendants(pid) if command_line(p).startswith("ray::ImplicitFunc"))


def descendants(pid: int) -> list[int]:
    """The processes below one."""
    below = children(pid)
    return [*below, *(p for child in below for p in descendants(child))]


def children(pid: int) -> list[int]:
    """The processes that one has started, by all of its threads."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, file.read_text().split())
        except OSError:  # that thread has ended
            continue
    return found


def mentioning(text: str) -> list[int]:
    """The processes with a text in their command, but this one."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if pid != os.getpid() and text in command_line(pid)]


def command_line(pid: int) -> str:
    """The command of a process, empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
