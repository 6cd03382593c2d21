"""The same study on one node, on several, on unequal ones, and on nodes that come and go while it runs."""

import signal

import pytest
from audit import require_sound
from nodes import cluster

from gansweep.results.incidents import read_incidents

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

OWN = (
    "host",
    "time",
    "started_at",
    "train_seconds",
    "eval_seconds",
    "pack_size",
)  # of a row: not the study's


def content(driver) -> list[dict]:
    """The rows without time and place, in an order of their own."""
    rows = [{name: value for name, value in row.items() if name not in OWN} for row in driver.rows()]
    return sorted(rows, key=lambda row: (row["trial_id"], row["step"]))


@pytest.mark.parametrize("n", [2, 4])
def test_the_rows_do_not_depend_on_the_number_of_nodes(drive, whole, n):
    with cluster(*[1] * n) as nodes:
        driver = drive(whole.study, nodes.folder / "results", environment=nodes.environment).start()
        driver.until(lambda: all(node.trainers() for node in nodes.workers))
        driver.finish()
        assert content(driver) == content(whole)
        require_sound(f"none, {n} nodes", 0, driver.folder, whole.folder)
        assert not read_incidents(driver.folder)


def test_unequal_nodes_train_as_many_packs_as_they_have_cpus(drive, tiny):
    with cluster(1) as nodes:
        large = nodes.add(cpus=2, gpus=1)
        on_cpus = ("--pack-size=2", "--gpus-per-pack=0")
        driver = drive(
            tiny.study, nodes.folder / "results", environment=nodes.environment, options=on_cpus
        ).start()
        driver.until(lambda: len(large.trainers()) == 2 and len(nodes.workers[0].trainers()) == 1)
        driver.finish()
        assert content(driver) == content(tiny)
        require_sound("none, unequal nodes", 0, driver.folder, tiny.folder)


def test_nodes_that_join_are_used_and_nodes_that_leave_lose_nothing(drive, whole):
    """It begins on a cluster without a CPU; the node that comes first is told to end when two more work."""
    with cluster() as nodes:
        driver = drive(whole.study, nodes.folder / "results", environment=nodes.environment).start()
        driver.until(lambda: (driver.folder / "study.json").exists())
        first = nodes.add(1)
        driver.until_rows(2)
        others = [nodes.add(1), nodes.add(1)]
        driver.until(lambda: all(node.trainers() for node in others))
        first.process.send_signal(signal.SIGTERM)
        driver.finish()
        require_sound("node leaves, two join", 1, driver.folder, whole.folder)
        assert not first.trainers()
