"""Real processes, really killed: nothing is lost, nothing is doubled, and the numbers are the same."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from audit import require_sound
from drivers import TINY, Driver, local
from nodes import cluster
from traps import DISARMED, offer

from gansweep.results.incidents import read_incidents

MEMORY = Path("/sys/fs/cgroup/memory")
JOIN, HIDE = 'echo $$ > "$0/cgroup.procs"; ', f'mount --bind "$0" {MEMORY}; '
HOG = """
import pathlib, sys, time
def used():
    group = pathlib.Path(sys.argv[1])
    numbers = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    total = int((group / "memory.usage_in_bytes").read_text()) - int(numbers["total_inactive_file"])
    return total / int((group / "memory.limit_in_bytes").read_text())
blocks = []
while True:
    if used() < 0.97:
        blocks.append(b"x" * (16 << 20))
    time.sleep(0.05)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

AT_THE_END = ("evaluations.csv", "report/data/profile.csv", "report/data/cost-digits.csv")
HALVED = 0.01  # tolerance: single precision rounds otherwise in smaller packs, and training drifts apart
TRAPS = (
    TINY.replace('"ns", "vae"', '"hanging_gan", "raising_gan", "hungry_gan"')
    .replace("steps=240", "steps=120")
    .replace("    evaluation=", "    time_limit_seconds=60,\n    evaluation=")
)


@pytest.mark.timeout(2400)
def test_twenty_kills_of_the_driver(drive, phased):
    """From its first moment to the last line of its report; the search, the phases after it and what is
    measured at the end are cut at moments drawn from a fixed seed."""
    rng, study = random.Random(0), phased.study
    n_rows = len(phased.rows())
    with cluster(2) as nodes:
        results = nodes.folder / "results"
        driver = drive(study, results, environment=nodes.environment)
        for seconds in (0.3, 2, 4, 6):  # imports, data, joining Ray, references, the storage
            driver.start()
            time.sleep(seconds)
            driver.kill()
        for i in range(11):  # training: a little further every time
            driver.start()
            target = max(len(driver.rows()) + 1, n_rows * (i + 1) // 12)
            driver.until_rows(min(target, n_rows - 1))
            time.sleep(rng.random())
            driver.kill()
        for file in ("finalists.json", "finalists.json", *AT_THE_END):
            driver.start()
            driver.until(lambda file=file: changed(driver, file))
            driver.kill()
        driver.run()
        assert (driver.folder / "report" / "index.html").exists()
        require_sound("driver killed -9", 20, driver.folder, phased.folder)


def changed(driver, file) -> bool:
    """Whether a file of the results is younger than the driver's process."""
    path = driver.folder / file
    return path.exists() and path.stat().st_mtime > driver.began


def test_a_driver_killed_with_its_own_ray(drive, tiny):
    rng, driver = random.Random(0), drive(tiny.study)
    for n in (1, 9):
        driver.start()
        driver.until_rows(min(len(driver.rows()) + n, len(tiny.rows()) - 1))
        time.sleep(rng.random())
        driver.kill()
    driver.run()
    require_sound("driver killed -9, its own Ray with it", 2, driver.folder, tiny.folder)


def test_a_worker_killed_goes_on_from_its_checkpoint(drive, tiny):
    driver = drive(tiny.study).start()
    for at_least in (3, 12):
        driver.until_rows(at_least)
        os.kill(driver.trainer(), signal.SIGKILL)
    driver.finish()
    require_sound("worker killed -9", 2, driver.folder, tiny.folder)
    incidents = read_incidents(driver.folder)
    assert {(one.kind, one.action) for one in incidents} <= {("worker_died", "again")}


def test_an_interrupted_driver_says_how_to_go_on(drive, tiny):
    driver = drive(tiny.study).start()
    driver.until_rows(3)
    driver.process.send_signal(signal.SIGINT)
    said = driver.finish(130)
    assert "stopping; " in said and "interrupted: run the same command to resume" in said
    again = driver.run()
    n_trials = len({row["trial_id"] for row in tiny.rows()})
    assert f"{n_trials}/{n_trials}" in again and "report: " in again
    require_sound("driver interrupted", 1, driver.folder, tiny.folder)
    assert "trials to run" not in driver.run()


def test_a_driver_in_the_background_of_a_script_ends_on_sigterm_alone(drive, tiny):
    ignoring = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    driver = drive(tiny.study, prefix=ignoring).start()
    driver.until_rows(3)
    driver.process.send_signal(signal.SIGINT)
    driver.until_rows(5)
    driver.process.send_signal(signal.SIGTERM)
    said = driver.finish(130)
    assert "stopping; " in said and "interrupted: run the same command to resume" in said


def test_a_node_killed_in_the_middle_of_a_pack(drive, tiny):
    with cluster(1, 1) as nodes:
        driver = drive(tiny.study, nodes.folder / "results", environment=nodes.environment).start()
        driver.until_rows(3)
        driver.trainer(nodes.workers[0].trainers)
        nodes.workers[0].kill()
        driver.finish()
        require_sound("node killed -9", 1, driver.folder, tiny.folder)
        assert {one.kind for one in read_incidents(driver.folder)} <= {"node_lost", "worker_died"}


def test_the_head_killed(drive, tiny, tmp_path):
    driver = drive(tiny.study, tmp_path)
    with cluster(1) as nodes:
        driver.environment = nodes.environment
        driver.start().until_rows(3)
        nodes.head.kill()
        said = driver.finish(3)
        assert "run the same command to resume" in said and len(said.splitlines()) < 15, said
    with cluster(1) as nodes:
        driver.environment = nodes.environment
        driver.run()
    require_sound("head killed -9", 1, driver.folder, tiny.folder)


def test_checkpoints_damaged_while_nothing_runs(drive, tiny):
    driver = drive(tiny.study).start()
    driver.until(lambda: len(newest_checkpoints(driver.folder)) >= 3)
    driver.kill()
    empty, truncated, *garbage = newest_checkpoints(driver.folder)
    empty.write_bytes(b"")
    truncated.write_bytes(truncated.read_bytes()[: truncated.stat().st_size // 2])
    for file in garbage:
        file.write_bytes(random.Random(0).randbytes(file.stat().st_size))
    driver.run()
    require_sound("checkpoint damaged", 2 + len(garbage), driver.folder, tiny.folder)


def newest_checkpoints(folder: Path) -> list[Path]:
    """The last training state of every trial that is on its way."""
    states = [sorted(trial.glob("round-*.pt")) for trial in (folder / "checkpoints").glob("*")]
    return [files[-1] for files in states if files]


@pytest.fixture(scope="module")
def trapped(tmp_path_factory):
    """A study of variants that hang, raise or need much memory, run with the traps disarmed."""
    folder = tmp_path_factory.mktemp("trapped")
    study = folder / "trapped.py"
    study.write_text(TRAPS)
    driver = Driver(study, folder / "results", local(offer(folder / "plugin") | DISARMED))
    try:
        driver.run()
    finally:
        driver.close()
    return driver


def test_a_pack_out_of_memory_is_halved(drive, trapped):
    """The limit of the process is set while it trains; torch asks for two gigabytes, 1.5 are left."""
    driver = drive(trapped.study, environment=trapped.environment).start()
    driver.until_rows(3)
    driver.trainer()
    limited: set[int] = set()
    while not any(one.kind == "oom" for one in read_incidents(driver.folder)):
        assert not driver.ended, driver.finish()
        for worker in set(driver.trainers()) - limited:
            limit = virtual_memory(worker) + (3 << 29)
            resource.prlimit(worker, resource.RLIMIT_AS, (limit, limit))
            limited.add(worker)
        time.sleep(0.1)
    driver.finish()
    assert {(one.kind, one.action) for one in read_incidents(driver.folder)} == {("oom", "halved")}
    require_sound("worker out of memory", len(limited), driver.folder, trapped.folder, tolerance=HALVED)


def virtual_memory(pid: int) -> int:
    """The bytes of a process's address space."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmSize")).split()[1])


def test_one_member_hangs_and_one_raises(drive, trapped):
    """Each alone ends badly; the members of its pack train on without it."""
    environment = {name: value for name, value in trapped.environment.items() if name not in DISARMED}
    driver = drive(trapped.study, environment=environment)
    said = driver.run(1)
    ends = {"digits-hanging_gan-0002": "timeout", "digits-raising_gan-0002": "crashed"}
    require_sound("a member hangs, one raises", 2, driver.folder, trapped.folder, tolerance=HALVED, ends=ends)
    incidents = read_incidents(driver.folder)
    assert {one.action for one in incidents if one.kind == "hang"} == {"halved", "ended"}
    assert {one.kind for one in incidents} == {"hang", "ArithmeticError"}
    assert "stepped on the trap" in said


@contextmanager
def memory_group(n_bytes: int) -> Iterator[Path]:
    """A control group whose processes have so much memory together."""
    group = MEMORY / f"gansweep-{os.getpid()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(n_bytes))
    try:
        yield group
    finally:
        while (group / "cgroup.procs").read_text():
            time.sleep(0.1)
        group.rmdir()


@pytest.mark.skipif(
    not (MEMORY / "memory.limit_in_bytes").exists() or os.geteuid() != 0,
    reason="needs root and control groups (version 1) for memory",
)
def test_a_worker_that_ray_kills_since_its_node_is_short_of_memory(drive, tiny):
    """The node takes its control group for the machine; another process takes what memory there is left."""
    with memory_group(2 << 30) as group, cluster(1) as nodes:
        node = nodes.add(1, prefix=["unshare", "--mount", "sh", "-c", JOIN + HIDE + 'exec "$@"', str(group)])
        nodes.workers[0].kill()
        driver = drive(tiny.study, nodes.folder / "results", environment=nodes.environment).start()
        driver.until_rows(3)
        driver.trainer(node.trainers)
        hog = subprocess.Popen(
            ["sh", "-c", JOIN + 'exec "$@"', str(group), sys.executable, "-c", HOG, str(group)]
        )
        try:
            driver.until(lambda: read_incidents(driver.folder))
        finally:
            hog.kill()
            hog.wait()
        driver.finish()
        require_sound(
            "Ray kills a worker, node out of memory", 1, driver.folder, tiny.folder, tolerance=HALVED
        )
        assert {one.kind for one in read_incidents(driver.folder)} <= {"oom", "worker_died"}
