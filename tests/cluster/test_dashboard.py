"""optuna-dashboard on a study that runs, in a real browser: all trials are seen, and how they go on."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from devtools import CHROMIUM, tab
from drivers import SMALL, local
from postgres import MISSING, PASSWORD, server

PROGRAM = Path(sys.executable).with_name("optuna-dashboard")
PORTS = range(18080, 18091)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(MISSING), reason=MISSING or "-"),
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine"),
    pytest.mark.skipif(not PROGRAM.exists(), reason="optuna-dashboard is not installed"),
]


def free_port() -> int:
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError(f"no free port in {PORTS}")


@contextmanager
def dashboard(storage, folder, environment=None):
    """Its address, from when it answers."""
    port = free_port()
    command = [PROGRAM, storage, "--host=127.0.0.1", f"--port={port}"]
    with (folder / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | (environment or {}))
    try:
        address = f"http://127.0.0.1:{port}/dashboard"
        until(lambda: answers(address))
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(address) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def until(condition, timeout=300.0):
    deadline = time.monotonic() + timeout
    while not (seen := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:g} s"
        time.sleep(0.5)
    return seen


def visit(page, address, *expected) -> str:
    """The text of a page that shows what is expected."""
    page.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    page.call("Page.navigate", url=address)
    until(lambda: all(text in shown(page) for text in expected))
    return shown(page)


def shown(page) -> str:
    return page.run("return document.body ? document.body.innerText : ''")


def states(page) -> Counter:
    """How many trials the list of a study's trials shows in each state."""
    return Counter(re.findall(r"^Trial \d+\n(\w+)$", shown(page), re.MULTILINE))


@pytest.fixture
def page(tmp_path):
    with tab(tmp_path / "profile") as opened:
        yield opened


def watch(page, address, study, picture):
    """See the trials of a study that runs, and more that are complete without loading the page again."""
    names = [f"{study}/{variant}@digits" for variant in ("ns", "wgan_gp", "vae")]
    text = visit(page, address, *names)
    assert text.count("Direction: MINIMIZE") == 3
    number = re.search(rf"(\d+)\. {names[0]}", text)[1]
    visit(page, f"{address}/studies/{number}/trials", "5 Trials", "Trial 4")
    first = until(lambda: states(page).total() == 5 and states(page))
    assert first.keys() <= {"Running", "Complete"} and first["Running"]
    later = until(lambda: states(page)["Complete"] > first["Complete"] and states(page))
    assert later.total() == 5
    trial = visit(
        page, f"{address}/studies/{number}/trials?numbers=0", "Intermediate Values", "User Attributes"
    )
    assert "digits-ns-0000-pack" in trial and '"lr": ' in trial
    page.picture(picture)
    visit(page, f"{address}/studies/{number}", "History", "FID", "Study User Attributes")


def test_a_study_in_postgresql_is_seen_live(drive, page, tmp_path):
    study = tmp_path / "durable.py"
    study.write_text(SMALL)
    with server() as host:
        postgres = host.new_database()
        driver = drive(study, environment=local(postgres.environment())).start()
        driver.until_rows(1, timeout=600)
        storage = postgres.public_url.replace("postgresql:", "postgresql+psycopg:")
        with dashboard(storage, tmp_path, {"PGPASSWORD": PASSWORD}) as address:
            watch(page, address, "durable", tmp_path / "live.png")
            driver.finish(timeout=900)
            assert PASSWORD not in (tmp_path / "dashboard.log").read_text()
    assert not [line for line in page.console if "favicon" not in line]


def test_a_study_in_its_journal_is_seen_live(drive, page, tmp_path):
    study = tmp_path / "durable.py"
    study.write_text(SMALL)
    driver = drive(study).start()
    driver.until_rows(1, timeout=600)
    with dashboard(str(driver.folder / "optuna.journal"), tmp_path) as address:
        watch(page, address, "durable", tmp_path / "live.png")
        driver.finish(timeout=900)
