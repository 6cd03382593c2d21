"""What the user sees while a study runs, and what is said of the time that is left."""

import io
import random
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from msgspec import structs
from rows import a_plan, a_row

from gansweep.results.plan import Confirm
from gansweep.results.records import Incident
from gansweep.results.status.display import LiveLines, ProgressDisplay, cell_lines
from gansweep.results.status.eta import seconds_left
from gansweep.results.status.progress import StudyProgress

PLAN = a_plan(variants=("ns", "wgan"), trials=2)
LABELS = {"ns": "NS GAN", "wgan": "WGAN"}
INCIDENT = Incident(
    time="2026-01-01T00:00:00+00:00",
    pack="digits-ns-0000-pack",
    trials=["digits-ns-0000"],
    kind="oom",
    message="CUDA out of memory\nmore",
    action="halved",
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def row(variant="ns", fid=None, outcome=None, number=0, dataset="digits", **others):
    names = {
        "variant": variant,
        "dataset": dataset,
        "trial_id": f"{dataset}-{variant}-{number:04d}".replace("/", "_"),
    }
    failure = {"kind": "nan_loss", "message": "a loss is not finite\nat step 3", "step": 3}
    times = {"started_at": iso(time.time() - 1), "time": iso(time.time())}
    ends = {"outcome": outcome, "failure": None if outcome in (None, "ok") else failure}
    return a_row(number, fid=fid, **names | ends | times | others)


def test_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    progress = ProgressDisplay(PLAN, LABELS, stream)
    for each in (row(fid=5.0), row(fid=4.0, outcome="ok"), row("wgan", outcome="diverged")):
        progress.note(each)
        progress.draw(force=True)
    progress.incident(INCIDENT)
    assert stream.getvalue().splitlines() == [
        "1/4  digits-ns-0000  ok, FID 4.00",
        "2/4  digits-wgan-0000  diverged, a loss is not finite",
        "2/4  digits-ns-0000-pack (1 trial) oom, halved: CUDA out of memory",
    ]


def test_a_table_that_redraws_itself_on_a_terminal(monkeypatch):
    passed = [0.0]
    clock = SimpleNamespace(monotonic=lambda: passed[0], time=time.time)
    monkeypatch.setattr("gansweep.results.status.display.time", clock)
    stream = Terminal()
    progress = ProgressDisplay(PLAN, LABELS, stream)
    progress.note(row(fid=4.0, outcome="ok"))
    progress.note(row("wgan", outcome="diverged"))
    progress.incident(INCIDENT)
    progress.draw(force=True)
    first = stream.getvalue()
    assert "NS GAN" in first and "1/2  best FID     4.00" in first and "1 failed" in first
    assert first.splitlines()[-3:-1] == ["failed: 1 diverged", "incidents: 1 oom"]
    assert first.splitlines()[-1] == "2/4 trials, 0 s so far, no estimate yet"
    passed[0] = 0.4
    progress.draw()
    assert stream.getvalue() == first  # at most twice a second
    passed[0] = 0.5
    progress.draw()
    assert stream.getvalue().removeprefix(first).startswith("\033[5A")


def test_a_table_taller_than_the_terminal_is_cut(monkeypatch):
    monkeypatch.setenv("LINES", "4")
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    study = structs.replace(PLAN, variants=["ns", "wgan"], datasets=["digits", "mnist", "ring"])
    ProgressDisplay(study, LABELS, stream).draw(force=True)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3 and "... and 5 more" in lines[1] and "0/12 trials" in lines[2]


def test_a_shorter_drawing_leaves_nothing_of_a_longer_one(monkeypatch):
    monkeypatch.setenv("LINES", "40")
    stream = Terminal()
    screen = LiveLines(stream)
    screen.draw(["one", "two", "three"])
    screen.draw(["four"])
    assert stream.getvalue() == "one\ntwo\nthree\n\033[3A\033[Jfour\n"


@pytest.mark.parametrize("width", [80, 40])
def test_lines_of_cells_fit_a_terminal(width):
    study = structs.replace(PLAN, datasets=["polygons", "folder:/data/cats@64"], trials=100_000)
    labels = {"ns": "NS GAN", "wgan": "f-GAN reverse KL with gradient penalty"}
    progress = StudyProgress(study)
    for number in range(3):
        progress.note(row("wgan", 1234.5, "crashed", number, dataset="polygons"))
    lines = cell_lines(progress, labels, width)
    assert len(lines) == 4 and "best FID  1234.50  3 failed" in lines[1]
    assert max(map(len, lines)) < max(width, 80)


def test_planned_trials_follow_what_the_search_has_found():
    confirm = Confirm(top=1, reruns=1, seeds=30)
    progress = StudyProgress(structs.replace(PLAN, confirm=confirm))
    assert progress.count() == (0, 64)
    for number in range(2):
        progress.note(row("ns", 4.0, "ok", number))
        progress.note(row("wgan", None, "diverged", number))
    assert progress.count() == (4, 34)  # nothing of WGAN can be confirmed


def simulated(n_workers, pack_size, n_packs, since, rng, steps=5):
    """The rows of packs that run side by side and report in bursts, in the order of their time; the time at
    which all have ended; a pack takes 400 to 800 s."""
    free, rows = [since + 20.0] * n_workers, []
    for pack in range(n_packs):
        worker = free.index(min(free))
        start, seconds = free[worker], rng.uniform(400, 800)
        for step in range(1, steps + 1):
            spent = seconds * step / steps
            for member in range(pack_size):
                number, outcome = pack * pack_size + member, "ok" if step == steps else None
                when = {"started_at": iso(start), "time": iso(start + spent)}
                cost = {"step": 20 * step, "train_seconds": spent / pack_size}
                rows.append(row(fid=9.0, number=number, outcome=outcome, **when, **cost))
        free[worker] = start + seconds
    return sorted(rows, key=lambda each: each.time), max(free)


@pytest.mark.parametrize(
    ("n_workers", "pack_size", "n_packs"), [(1, 1, 12), (8, 4, 64), (16, 2, 40), (3, 8, 3)]
)
def test_the_time_that_is_left_is_known_while_packs_report_in_bursts(n_workers, pack_size, n_packs):
    study = structs.replace(PLAN, variants=["ns"], trials=n_packs * pack_size)
    right, told = 0, 0
    for seed in range(3):
        since = 1_800_000_000.0
        rows, end = simulated(n_workers, pack_size, n_packs, since, random.Random(seed))
        progress, waiting = StudyProgress(study, since), rows[:]
        assert progress.seconds_left(since + 30) is None
        for now in range(int(since) + 60, int(end) - 60, 60):
            while waiting and waiting[0].time <= iso(now):
                progress.note(waiting.pop(0))
            left = progress.seconds_left(now)
            if left is not None:
                told += 1
                right += left[0] <= end - now <= left[1]
                assert left[0] / 2 < end - now < 2 * left[1]
    assert told > 5 and right > 0.85 * told


def test_a_pause_between_two_drivers_says_nothing_about_the_pace():
    study = structs.replace(PLAN, variants=["ns"], trials=48)
    since = 1_800_000_000.0
    rows, end = simulated(4, 4, 12, since, random.Random(0))
    half = len(rows) // 2
    stopped, pause = datetime.fromisoformat(rows[half].time).timestamp(), 36_000.0
    again = stopped + pause

    def later(text):
        moment = datetime.fromisoformat(text).timestamp()
        return iso(moment + pause * (moment >= stopped))

    rows[half:] = [
        structs.replace(each, time=later(each.time), started_at=later(each.started_at))
        for each in rows[half:]
    ]
    progress = StudyProgress(study, again)
    for each in rows[:half]:
        progress.note(each)
    assert progress.seconds_left(again + 30) is None
    seen = [each for each in rows[half:] if each.time <= iso(again + 500)]
    for each in seen:
        progress.note(each)
    low, high = progress.seconds_left(again + 500)
    assert low < end + pause - (again + 500) < high < 3600


def test_a_study_with_nothing_but_failures_is_not_said_to_be_over_soon():
    progress = StudyProgress(structs.replace(PLAN, trials=100), since=time.time() - 5)
    for number in range(20):
        progress.note(row(outcome="diverged", number=number))
    assert progress.seconds_left(time.time()) is None


def test_more_workers_than_packs_do_not_hurry_the_last_one():
    low, high = seconds_left(work=100.0, longest=600.0, workers=(50.0, 100.0))
    assert low < 600 < high < 800


def test_phases_of_which_nothing_has_run_make_the_time_less_certain():
    known = seconds_left(work=1000.0, longest=0.0, workers=(1.0, 100.0))
    low, high = seconds_left(work=1000.0, longest=0.0, workers=(1.0, 100.0), unknown_share=0.7)
    assert low < 0.7 * known[0] and high == known[1]


def test_gpus_cost_the_share_that_a_pack_held():
    progress = StudyProgress(PLAN)
    held = {"device": "cuda", "gpu_kind": "NVIDIA T4", "gpus": 0.25, "train_seconds": 3000.0}
    progress.note(row(fid=4.0, outcome="ok", **held, eval_seconds=600.0))
    progress.note(row(number=1, train_seconds=1800.0))
    progress.note(row("wgan", device="cuda", gpus=None, train_seconds=7200.0))  # of an early version
    costs = {cost.device: (cost.worker_hours, cost.gpu_hours) for cost in progress.costs()}
    assert costs == {"NVIDIA T4": (1.0, 0.25), "cpu": (0.5, 0.0), "cuda": (2.0, None)}
