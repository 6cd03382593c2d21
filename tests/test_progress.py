"""What the user sees while a study runs."""

import io

from gansweep.progress import Progress

STUDY = {"datasets": ["digits"], "variants": ["ns", "wgan"], "trials": 2, "confirm": None, "replicate": None}
LABELS = {"ns": "NS GAN", "wgan": "WGAN"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def row(variant="ns", fid=None, outcome=None, number=0):
    return {
        "variant": variant,
        "dataset": "digits",
        "trial_id": f"digits-{variant}-{number:04d}",
        "metrics": {} if fid is None else {"fid": fid},
        "outcome": outcome,
        "failure": None if outcome in (None, "ok") else {"message": "a loss is not finite"},
    }


def test_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    progress = Progress(STUDY, LABELS, stream)
    for each in (row(fid=5.0), row(fid=4.0, outcome="ok"), row("wgan", outcome="diverged")):
        progress.note(each)
        progress.draw(force=True)
    assert stream.getvalue().splitlines() == [
        "1/4  digits-ns-0000  ok, FID 4.00",
        "2/4  digits-wgan-0000  diverged, a loss is not finite",
    ]


def test_a_table_that_redraws_itself_on_a_terminal():
    stream = Terminal()
    progress = Progress(STUDY, LABELS, stream)
    progress.note(row(fid=4.0, outcome="ok"))
    progress.note(row("wgan", outcome="diverged"))
    progress.draw(force=True)
    first = stream.getvalue()
    assert "NS GAN" in first and "1/2  best FID     4.00" in first and "1 failed" in first
    assert "2/4 trials" in first and "left" in first
    progress.draw()
    assert stream.getvalue() == first  # at most twice a second
    progress.draw(force=True)
    assert stream.getvalue().removeprefix(first).startswith("\033[3A")


def test_a_table_taller_than_the_terminal_is_cut(monkeypatch):
    monkeypatch.setenv("LINES", "4")
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    study = STUDY | {"variants": ["ns", "wgan"], "datasets": ["digits", "mnist", "ring"]}
    Progress(study, LABELS, stream).draw(force=True)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3 and "... and 5 more" in lines[1] and "0/12 trials" in lines[2]


def test_earlier_trials_count_but_say_nothing_about_speed():
    progress = Progress(STUDY, LABELS, io.StringIO())
    progress.note(row(fid=4.0, outcome="ok"), earlier=True)
    assert progress.table()[-1].startswith("1/4 trials") and "no estimate yet" in progress.table()[-1]
