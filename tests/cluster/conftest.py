"""Shared by the tests of clusters: runs that nobody disturbed, and the table of faults at the end."""

from pathlib import Path

import audit
import pytest
from drivers import PHASES, SMALL, TINY, Driver, local, undisturbed
from nodes import cluster


@pytest.fixture
def drive(tmp_path):
    """Makes drivers of a study, whose processes are gone after the test."""
    made = []

    def drive(study: Path, results: Path = tmp_path, **options) -> Driver:
        made.append(Driver(study, results, **options))
        return made[-1]

    yield drive
    for driver in made:
        driver.close()


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Driver:
    """Three variants, five trials each, on one node."""
    with cluster(1) as nodes:
        return undisturbed("durable", SMALL, tmp_path_factory.mktemp("whole"), nodes.environment)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Driver:
    """Two variants, four trials each, on a Ray of its own."""
    return undisturbed("tiny", TINY, tmp_path_factory.mktemp("tiny"), local())


@pytest.fixture(scope="session")
def phased(tmp_path_factory) -> Driver:
    """A search and the phases after it, on a Ray of its own."""
    return undisturbed("phased", PHASES, tmp_path_factory.mktemp("phased"), local())


def pytest_terminal_summary(terminalreporter):
    if audit.REPORTED:
        terminalreporter.section("faults")
        for line in audit.table():
            terminalreporter.line(line)
