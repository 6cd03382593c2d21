"""A real study: watched, stopped and gone on with from other shells, one by the name of another machine."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from audit import require_sound
from drivers import local

from gansweep.results.incidents import read_incidents
from gansweep.results.status.logs import STARTED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SFTP = Path("/usr/lib/openssh/sftp-server")
WORK = """
import sys, time
from pathlib import Path
from gansweep.results.lock import is_stop_requested, driver_lock
with driver_lock(Path(sys.argv[1])):
    print("at work", flush=True)
    while not is_stop_requested(Path(sys.argv[1])):
        time.sleep(0.1)
"""
ELSEWHERE = ("unshare", "--uts", "sh", "-c", 'hostname watcher; exec "$0" "$@"')


def gansweep(driver, command, target="", *options, prefix=(), code=0) -> str:
    """What a command says about the study of a driver."""
    study = f"{driver.study.stem}{target}"
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "gansweep", command, study, f"--results={driver.results}", *options],
        capture_output=True,
        text=True,
        env=local({"COLUMNS": "80"}),
    )
    assert done.returncode == code and not done.stderr, done.stderr
    return done.stdout


def status(driver) -> dict:
    return json.loads(gansweep(driver, "status", "", "--json"))


def test_a_study_is_watched_stopped_and_finished(drive, tiny):
    driver = drive(tiny.study).start()
    driver.until(lambda: driver.folder.exists() and (driver.folder / ".lock").read_text())
    assert status(driver)["state"] in ("preparing", "running")
    driver.until_rows(3)
    os.kill(driver.trainer(), 9)
    driver.until(lambda: read_incidents(driver.folder))
    running = status(driver)
    assert running["state"] == "running" and running["driver"]["pid"] == driver.pid
    assert running["incidents"]["kinds"] == {"worker_died (again)": 1} and running["lost_seconds"] >= 0

    trial = driver.rows()[0]["trial_id"]
    log = gansweep(driver, "log", f"/{trial}")
    assert STARTED in log.splitlines()[0] and trial in log.splitlines()[0] and f"{trial} step" in log

    prefix = ELSEWHERE if os.geteuid() == 0 else ()
    said = gansweep(driver, "stop", prefix=prefix)
    assert "requested the driver on" in said and "stopped: " in said and "to resume" in said
    assert "interrupted: run the same command to resume" in driver.finish(130)
    stopped = status(driver)
    assert stopped["state"] == "stopped" and not stopped["driver"]
    assert not (driver.folder / "stop").exists()

    driver.run()
    assert status(driver)["state"] == "done"
    text = gansweep(driver, "status")
    assert max(map(len, text.splitlines())) < 80 and "done" in text and "8/8 trials" in text
    require_sound("stopped from another machine", 1, driver.folder, tiny.folder)


def test_ctrl_c_ends_only_the_watching(drive, tiny):
    driver = drive(tiny.study).start()
    driver.until_rows(1)
    heeding = ("env", "--default-signal=INT")  # whatever has started the tests
    command = [*heeding, sys.executable, "-m", "gansweep", "status", str(driver.folder), "--watch"]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert "running on" in watching.stdout.readline()
    time.sleep(1)
    watching.send_signal(2)
    output, _ = watching.communicate(timeout=300)
    assert watching.returncode == 0 and "Traceback" not in output and not driver.ended
    driver.finish()


@pytest.fixture
def without_locks(tiny, tmp_path):
    """A study's folder, and the same one through a network file system that keeps locks to each machine."""
    if os.geteuid() or not shutil.which("sshfs") or not SFTP.exists():
        pytest.skip("needs root, sshfs and an sftp-server")
    near, far = tmp_path / "near", tmp_path / "far"
    shutil.copytree(tiny.folder, near / "tiny")
    far.mkdir()
    ours, theirs = socket.socketpair()
    server = subprocess.Popen([SFTP], stdin=ours, stdout=ours)
    mount = ["sshfs", f":{near}", far, "-f", "-o", "passive"]
    client = subprocess.Popen(mount, stdin=theirs, stdout=theirs)
    ours.close(), theirs.close()
    deadline = time.monotonic() + 300
    while not far.is_mount() and time.monotonic() < deadline:
        time.sleep(0.05)
    yield near / "tiny", far / "tiny"
    subprocess.run(["fusermount", "-u", far], check=True)
    client.wait(), server.wait()


def test_a_driver_whose_lock_is_not_seen_is_watched_left_alone_and_stopped(without_locks):
    near, far = without_locks
    work = subprocess.Popen([sys.executable, "-c", WORK, near], stdout=subprocess.PIPE, text=True)
    assert work.stdout.readline() == "at work\n"

    def elsewhere(*command) -> subprocess.CompletedProcess:
        command = [*ELSEWHERE, sys.executable, *map(str, command)]
        return subprocess.run(command, capture_output=True, text=True)

    try:
        said = elsewhere("-m", "gansweep", "status", far).stdout
        assert f"(process {work.pid})" in said and "running on" in said
        assert "another process is running this study" in elsewhere("-c", WORK, far).stderr
        said = elsewhere("-m", "gansweep", "stop", far).stdout
        assert f"(process {work.pid}) to stop" in said and "done: 8 of 8 trials done" in said
        assert work.wait() == 0
    finally:
        work.kill()
        work.communicate()
