"""How a run starts: what is checked first, how it is interrupted, what it does without a home."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gansweep.cli import home, main

STUDY = (
    "from gansweep import Study\nSTUDY = Study(variants=('ns',), datasets=('digits',), trials=1, steps=1)\n"
)
STRANGER = 54_321  # a user without an entry
AS_STRANGER = [
    *("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
]
ROOT_ONLY = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to become another user"
)


def started(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a program says whose command line is `arguments`."""
    command = [sys.executable, "-c", code, *arguments]
    environment = os.environ | {"RAY_ADDRESS": "local"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


RUN = (
    "import sys\nfrom gansweep.cli import main\ncode = main(sys.argv[1:])\n"
    "print(code, 'ray' in sys.modules and sys.modules['ray'].is_initialized())"
)


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("open('mark', 'w')", ["--storage", "postgresql://me:secret@host/db"], "a password in --storage"),
        ("open('mark', 'w')", ["--storage", "nosql://here"], "a storage is given as"),
        ("open('mark', 'w')", ["--log", "wandbb"], "did you mean 'wandb'?"),
        (STUDY.replace("'ns'", "'nss'"), [], "unknown variant 'nss'"),
        ("1 / 0", [], "is not a study: ZeroDivisionError"),
    ],
)
def test_a_mistake_is_said_before_ray_is_there(tmp_path, monkeypatch, text, options, sentence):
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(text)
    done = started(RUN, "run", "mine.py", "--results", "results", *options)
    assert done.stdout.splitlines()[-1] == "2 False", done.stderr
    assert sentence in done.stderr and "secret" not in done.stdout + done.stderr
    assert not Path("mark").exists() and not Path("results").exists()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:8265", "job pages"),
        ("https://head", "job pages"),
        ("ray://head:10001", "Ray's client"),
        ("words", "host:port"),
        ("127.0.0.1", "host:port"),
        ("127.0.0.1:", "host:port"),
        ("127.0.0.1:65536", "host:port"),
        (" head:6379", "host:port"),
        ("head:6379/x", "host:port"),
    ],
)
def test_an_address_of_a_wrong_form_is_one_sentence(capsys, monkeypatch, tmp_path, address, words):
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert main(["run", "quickstart", "--results", str(tmp_path / "results")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"gansweep: RAY_ADDRESS={address} ") and words in error and error.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_a_study_beside_us_is_suggested_and_found_by_its_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(STUDY)
    for command in ("run", "plan", "fetch"):
        assert main([command, "mine"]) == 2
        assert "did you mean the file 'mine.py'?" in capsys.readouterr().err
    for command in ("status", "report", "verify", "stop"):
        for name in ("mine", "mine.py"):
            assert main([command, name]) == 2
            assert "mine.py has no results in results: gansweep run mine.py" in capsys.readouterr().err
    (tmp_path / "results" / "mine-smoke").mkdir(parents=True)
    assert main(["report", "mine.py"]) == 2
    assert "did you mean 'mine-smoke'?" in capsys.readouterr().err


def heed_signals() -> None:
    """A shell cannot heed again what whoever runs these tests in the background has made it ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def interruptible(tmp_path: Path, before: str) -> subprocess.Popen[str]:
    """A run that has said its first line. before: what the shell does that starts it."""
    (tmp_path / "mine.py").write_text(f"import time\ntime.sleep(600)\n{STUDY}")
    words = f"exec {sys.executable} -m gansweep run {tmp_path / 'mine.py'} --results {tmp_path / 'results'}"
    process = subprocess.Popen(
        ["sh", "-c", f"{before}\n{words}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_signals,
    )
    assert process.stdout and "mine.py: starting" in process.stdout.readline()
    return process


@pytest.mark.parametrize(
    ("before", "signals"),
    [
        ("", [signal.SIGINT]),
        ("", [signal.SIGTERM, signal.SIGTERM]),
        ("trap '' INT", [signal.SIGTERM]),
        ("trap '' INT", [signal.SIGINT, signal.SIGTERM]),
        ("trap '' HUP", [signal.SIGHUP, signal.SIGTERM]),
    ],
)
def test_a_signal_ends_a_run_that_starts_with_one_line(tmp_path, before, signals):
    process = interruptible(tmp_path, before)
    for number in signals:
        process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "interrupted: run the same command to resume\n")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_is_ignored_at_the_start_stays_so(tmp_path, number):
    process = interruptible(tmp_path, f"trap '' {number.name.removeprefix('SIG')}")
    process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.kill()
    process.communicate()


PLACES = ("GANSWEEP_CACHE", "GANSWEEP_DATA", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR", "XDG_CACHE_HOME")


@pytest.fixture
def environment(monkeypatch):
    """Variables that `provide` may set, without their values; they are restored afterwards."""
    for name in PLACES:
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", os.environ.get("HOME", "/"))
    return monkeypatch


def test_a_home_that_can_be_written_changes_nothing(environment, tmp_path):
    environment.setenv("HOME", str(tmp_path))
    before = dict(os.environ)
    assert home.provide() is None and dict(os.environ) == before


@pytest.mark.parametrize("given", ["cache", None])
def test_without_a_home_caches_go_where_the_variable_says_else_to_a_temporary_folder(
    environment, tmp_path, given
):
    environment.setenv("HOME", "/nowhere/at/all")
    environment.setattr("tempfile.tempdir", str(tmp_path))
    if given:
        environment.setenv("GANSWEEP_CACHE", str(tmp_path / given))
    place = tmp_path / (given or f"gansweep-{os.getuid()}")
    assert home.provide() == (None if given else str(place))
    assert os.environ["GANSWEEP_CACHE"] == os.environ["HOME"] == str(place)
    assert os.environ["GANSWEEP_DATA"] == str(place / "data")
    assert given or place.stat().st_mode & 0o777 == 0o700


def test_a_temporary_folder_that_others_can_write_is_not_taken(environment, tmp_path):
    environment.setenv("HOME", "/nowhere/at/all")
    environment.setattr("tempfile.tempdir", str(tmp_path))
    taken = tmp_path / f"gansweep-{os.getuid()}"
    for make in (lambda: taken.symlink_to(tmp_path), lambda: (taken.mkdir(), taken.chmod(0o777))):
        make()
        environment.delenv("GANSWEEP_CACHE", raising=False)
        environment.setenv("HOME", "/nowhere/at/all")
        place = home.provide()
        assert place != str(taken) and Path(place).stat().st_mode & 0o777 == 0o700
        taken.unlink() if taken.is_symlink() else taken.rmdir()


@ROOT_ONLY
@pytest.mark.parametrize(
    "variables",
    [["-u", "HOME"], *(pytest.param([home], marks=pytest.mark.slow) for home in ("HOME=/", "HOME=/proc"))],
)
def test_any_user_has_data_without_a_home(variables):
    with pytest.raises(KeyError):
        pwd.getpwuid(STRANGER)
    code = (
        "from gansweep.cli import main; import getpass, sys; "
        "sys.exit(main(['fetch', 'digits']) or not getpass.getuser())"
    )
    unset = [word for name in (*PLACES, "USER", "LOGNAME") for word in ("-u", name)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        command = ["env", *unset, *variables, f"TMPDIR={folder}", sys.executable, "-c", code]
        done = subprocess.run([*AS_STRANGER, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"caches go to {folder}/gansweep-{STRANGER}; set GANSWEEP_CACHE" in done.stderr
    assert "data set digits" in done.stdout and done.stderr.count("\n") == 1
