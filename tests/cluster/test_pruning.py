"""A search that prunes trials, on a real Ray: whoever is killed, the same trials go on or are pruned."""

import os
import random
import signal
import time

import pytest
from audit import require_sound
from drivers import TINY

from gansweep.report.verify.verify import verify_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

HALVED = TINY.replace("trials=4", "trials=19, halving=Halving(size=9)").replace(
    "import Confirm", "import Confirm, Halving"
)


def outcomes(driver):
    """How each trial ended, and at what step."""
    ends = [row for row in driver.rows() if row["outcome"]]
    assert len({row["trial_id"] for row in ends}) == len(ends)
    return {row["trial_id"]: (row["outcome"], row["step"]) for row in ends}


def measurements(driver):
    return {(row["trial_id"], row["step"]) for row in driver.rows() if row["metrics"]}


def test_drivers_and_workers_killed_prune_as_an_undisturbed_run(drive, tmp_path):
    study = tmp_path / "halved.py"
    study.write_text(HALVED)
    whole = drive(study, tmp_path / "whole")
    said = whole.run()
    assert "pruned, step 60 of 240" in said
    ends = outcomes(whole)
    assert sorted(outcome for outcome, _ in ends.values()) == ["ok"] * 6 + ["pruned"] * 32
    assert not verify_study(whole.folder)

    rng, driver = random.Random(0), drive(study)
    n_rows = len(whole.rows())
    for share in (0.1, 0.45, 0.55, 0.65, 0.8):
        driver.start()
        driver.until_rows(int(share * n_rows))
        time.sleep(rng.random())
        driver.kill()
    driver.start()
    driver.until_rows(int(0.85 * n_rows))
    os.kill(driver.trainer(), signal.SIGKILL)
    driver.finish()
    assert outcomes(driver) == ends and measurements(driver) == measurements(whole)
    pruned = {name: outcome for name, (outcome, _) in ends.items() if outcome != "ok"}
    require_sound("driver and worker killed while pruning", 6, driver.folder, whole.folder, ends=pruned)
    assert not verify_study(driver.folder)
