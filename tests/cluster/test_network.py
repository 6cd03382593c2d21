"""Nodes whose clocks disagree, a slow network, and a network that is torn for a while."""

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from audit import require_sound
from namespaces import Namespaces, SlowNamespaces, run
from nodes import cluster

from gansweep.results.incidents import read_incidents

CLOCK = Path(__file__).with_name("shifted_clock.c")
HOURS = 5
CONNECT = (
    "import socket, sys, time; start = time.monotonic(); socket.create_connection(sys.argv[1].split(':')); "
    "print(time.monotonic() - start)"
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_nodes_whose_clocks_are_hours_off(drive, tiny, tmp_path):
    """One is five hours ahead of the driver's, one as far behind."""
    library = tmp_path / "clock.so"
    run("gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(CLOCK), "-ldl")
    with cluster() as nodes:
        for hours in (HOURS, -HOURS):
            nodes.add(1, variables={"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(3600 * hours)})
        driver = drive(tiny.study, nodes.folder / "results", environment=nodes.environment).start()
        driver.until(lambda: all(node.trainers() for node in nodes.workers))
        driver.finish()
        require_sound("clocks of two nodes 10 h apart", 1, driver.folder, tiny.folder)
        times = [datetime.fromisoformat(row["time"]) for row in driver.rows()]
        assert (max(times) - min(times)).total_seconds() > 3600 * (2 * HOURS - 1), "no clock was off"


@needs_root
def test_a_slow_network(drive, tiny):
    """A packet takes 75 ms from the head to the node, and the answer as long."""
    with cluster(1, namespaces=SlowNamespaces(75)) as nodes:
        asked = [*nodes.namespaces.add(1), sys.executable, "-c", CONNECT, nodes.address]
        assert float(subprocess.check_output(asked)) >= 0.15
        driver = drive(
            tiny.study, nodes.folder / "results", environment=nodes.environment, prefix=nodes.prefix
        )
        driver.run()
        require_sound("network with 150 ms round trip", 1, driver.folder, tiny.folder)


@needs_root
def test_nodes_cut_off_for_a_while(drive, tiny):
    """One for less, the other for more time than Ray takes to give a node up; all the while both train on."""
    with cluster(1, 1, namespaces=Namespaces()) as nodes:
        driver = drive(
            tiny.study, nodes.folder / "results", environment=nodes.environment, prefix=nodes.prefix
        ).start()
        driver.until_rows(3)
        for number, seconds in ((1, 4), (2, 25)):
            driver.trainer(nodes.workers[number - 1].trainers)
            nodes.namespaces.cut(number)
            time.sleep(seconds)
            nodes.namespaces.cut(number, off=False)
        driver.finish()
        require_sound("node cut off for 4 s, another for 25 s", 2, driver.folder, tiny.folder)
        assert {one.kind for one in read_incidents(driver.folder)} <= {"node_lost", "worker_died"}
