"""Kill -9 of everything at random moments on a disk with hardly any room, and a checkpoint is damaged."""

import os
import random
import time

import pytest
from audit import require_sound
from drivers import TINY, local, undisturbed
from processes import kill_tree
from test_storage_faults import enlarge, mounted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems"),
]
N_KILLS, N_ON_A_FULL_DISK = 12, 6


def leave(disk, n_bytes: int) -> None:
    """Fill a disk but for so many bytes."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(max(0, free - n_bytes)))


def states(folder):
    """The training states; of a trial the newest last."""
    return sorted(folder.glob("checkpoints/*/round-*.pt"))


def damage(folder, chance: random.Random) -> bool:
    """Change a bit of the last training state; False where there is none."""
    found = states(folder)
    if not found:
        return False
    content = bytearray(found[-1].read_bytes())
    content[chance.randrange(len(content))] ^= 16
    found[-1].write_bytes(content)
    return True


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Two variants, four trials each, which train for longer; nobody disturbed them."""
    return undisturbed(
        "long", TINY.replace("steps=240", "steps=2400"), tmp_path_factory.mktemp("long"), local()
    )


def test_kills_on_a_nearly_full_disk_with_a_damaged_checkpoint(drive, long, tmp_path):
    chance, damaged, stopped = random.Random(7), False, 0
    with mounted(tmp_path / "disk", "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs") as disk:
        driver = drive(long.study, disk / "results", environment=local({"GANSWEEP_PATIENCE": "1"}))
        for n in range(N_KILLS):
            if n < N_ON_A_FULL_DISK:
                leave(disk, chance.choice((20_000, 60_000, 150_000, 400_000)))
            elif n == N_ON_A_FULL_DISK:
                (disk / "filler").unlink()
                enlarge(disk)
            driver.start()
            while not (driver.ended or driver.trainers()):
                time.sleep(0.05)
            while n >= N_ON_A_FULL_DISK and not (damaged or driver.ended or states(driver.folder)):
                time.sleep(0.05)
            deadline = time.monotonic() + chance.uniform(0, 6 if damaged or n < N_ON_A_FULL_DISK else 0.5)
            while time.monotonic() < deadline and not driver.ended:
                time.sleep(0.05)
            if driver.ended:
                said = driver.process.communicate()[0]
                assert driver.process.returncode in (0, 3) and "Traceback" not in said, said
                stopped += driver.process.returncode == 3
            kill_tree(driver.pid)
            damaged = damaged or (n >= N_ON_A_FULL_DISK and damage(driver.folder, chance))
        driver.run()
        require_sound("kill -9 of all, disk nearly full", N_KILLS, driver.folder, long.folder)
        assert damaged and [file.name for file in (driver.folder / "set-aside").glob("*round-*.pt")]
        print(f"{stopped} of {N_KILLS} runs stopped by themselves")
