"""The search in a real PostgreSQL: nothing is lost or doubled whatever the server and the network do."""

import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from audit import require_sound
from drivers import local
from postgres import MISSING, PASSWORD, server
from proxy import Proxy
from rows import row_of

from gansweep import data
from gansweep.errors import Stopped, UserError
from gansweep.evaluation import Evaluation
from gansweep.results.row import Outcome
from gansweep.run.search.search import Search
from gansweep.run.search.storage import exclusive, open_storage
from gansweep.space import loguniform
from gansweep.study.resolve import resolve
from gansweep.study.study import Study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(MISSING), reason=MISSING or "-"),
]
STUDY = Study(
    variants=("ns", "vae"),
    datasets=("digits",),
    space={"lr": loguniform(1e-5, 1e-2)},
    trials=4,
    steps=10,
    evaluation=Evaluation(n_images=200),
)


@pytest.fixture(scope="module")
def host():
    with server() as running:
        yield running


@pytest.fixture
def postgres(host):
    """A server that runs, with an empty database."""
    return host.new_database()


def search_in(folder, storage, name="s", rows=(), value=STUDY):
    resolved = resolve(name, "", value, {"digits": data.load("digits")})
    search = Search(resolved, storage, folder, {"digits": 3})
    search.resume(rows)
    return search


def rows_of(search, trial):
    """A measurement on the way, and the end."""
    end = {"step": 10, "metrics": {"fid": 1e3 * trial.hp["lr"]}, "outcome": Outcome.OK}
    return [
        row_of(trial, search.study, step=5, metrics={"fid": 7.0}),
        row_of(trial, search.study, **end),
    ]


def run_all(search):
    while job := search.next_job():
        for trial in job.trials:
            for row in rows_of(search, trial):
                search.report(row)


def stored(url, name="s"):
    """What the database has: by study and number the state, the value, the scores and the configuration."""
    with closing_pool(open_storage(None, url)) as storage:
        return {
            (variant, trial.number): (
                trial.state.name,
                trial.value,
                trial.intermediate_values,
                trial.user_attrs,
            )
            for variant in STUDY.variants
            for trial in optuna.load_study(storage=storage, study_name=f"{name}/{variant}@digits").trials
        }


@contextmanager
def closing_pool(storage):
    yield storage
    storage.engine.dispose()


@pytest.mark.parametrize("delivered", [True, False], ids=["answer lost", "commit lost"])
def test_a_connection_cut_at_any_commit(postgres, tmp_path, delivered):
    """One search for each transaction that it makes, which fails: always the same trials, each once."""
    with closing_pool(open_storage(tmp_path, postgres.url)) as storage:
        run_all(search_in(tmp_path, storage, "whole"))
    whole = stored(postgres.url, "whole")
    assert len(whole) == 8 and {state for state, *_ in whole.values()} == {"COMPLETE"}
    with closing(Proxy(postgres.host, postgres.port)) as network:
        url = postgres.url.replace(f":{postgres.port}/", f":{network.port}/")
        cut_at = 0
        while cut_at == 0 or network.cuts:
            cut_at += 1
            with closing_pool(open_storage(tmp_path, url)) as storage:
                network.arm(cut_at, delivered)
                run_all(search_in(tmp_path, storage, f"cut{cut_at}"))
            assert stored(postgres.url, f"cut{cut_at}") == whole, cut_at
    assert cut_at > 30


def test_a_server_away_for_seconds(postgres, tmp_path):
    """It crashes in the middle of a search, and again; the lock is taken again before anything is written."""
    with exclusive(open_storage(tmp_path, postgres.url), "s") as storage:
        search = search_in(tmp_path, storage)
        for _ in range(2):
            postgres.stop()
            back = threading.Timer(3.0, postgres.start)
            back.start()
            for trial in search.next_job().trials:
                for row in rows_of(search, trial):
                    search.report(row)
            back.join()
        run_all(search)
        with pytest.raises(UserError, match="another driver"), again(tmp_path, postgres):
            pass
    trials = stored(postgres.url)
    assert len(trials) == 8 and {state for state, *_ in trials.values()} == {"COMPLETE"}


def again(tmp_path, postgres):
    """What a second driver does."""
    return exclusive(open_storage(tmp_path, postgres.url), "s")


def test_a_server_that_stays_away_stops_the_run(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("GANSWEEP_PATIENCE", "2")
    with exclusive(open_storage(tmp_path, postgres.url), "s") as storage:
        search = search_in(tmp_path, storage)
        job = search.next_job()
        postgres.stop("fast")
        try:
            began = time.monotonic()
            with pytest.raises(Stopped, match=r"the search's storage cannot be used: .*Connection refused"):
                search.report(rows_of(search, job.trials[0])[0])
            assert 2 <= time.monotonic() - began < 120  # ten minutes without the variable
        finally:
            postgres.start()
    with again(tmp_path, postgres) as storage:
        run_all(search_in(tmp_path, storage))
    assert {state for state, *_ in stored(postgres.url).values()} == {"COMPLETE"}


def test_a_second_driver_is_told_who_is_at_work(postgres, tmp_path):
    with again(tmp_path, postgres):
        who = rf"another driver \(gansweep: process {os.getpid()} on {platform.node()}, since 2\d+-.* UTC\)"
        with (
            pytest.raises(UserError, match=f"{who} runs the study s on this storage"),
            again(tmp_path, postgres),
        ):
            pass
        with exclusive(open_storage(tmp_path, postgres.url), "another study"):
            pass
    with again(tmp_path, postgres):
        pass


def test_a_driver_that_lost_its_lock_to_another_changes_nothing(postgres, tmp_path):
    with again(tmp_path, postgres) as storage:
        search = search_in(tmp_path, storage)
        job = search.next_job()
        postgres.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        with again(tmp_path, postgres):
            with pytest.raises(Stopped, match=r"another driver .* runs the study s on this storage"):
                search.report(rows_of(search, job.trials[0])[1])
            assert {state for state, *_ in stored(postgres.url).values()} == {"RUNNING"}


def test_trials_of_another_program_are_refused(postgres, tmp_path):
    value = replace(STUDY, variants=("ns",), sampler="tpe", trials=20)
    with again(tmp_path, postgres) as storage:
        search = search_in(tmp_path, storage, value=value)
        first = search.next_job()
        with closing_pool(open_storage(None, postgres.url)) as other:
            optuna.load_study(storage=other, study_name="s/ns@digits").enqueue_trial({"lr": 1e-3})
        for trial in first.trials:
            for row in rows_of(search, trial):
                search.report(row)
        with pytest.raises(UserError, match="another program has added trials to s/ns@digits"):
            search.next_job()


@pytest.fixture
def quarters():
    """A folder with a short path for what Ray writes."""
    with tempfile.TemporaryDirectory(prefix="gsp-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_a_study_whose_server_restarts_and_whose_password_stays_secret(drive, tiny, postgres, quarters):
    variables = postgres.environment() | {"RAY_TMPDIR": str(quarters)}
    driver = drive(tiny.study, environment=local(variables)).start()
    for mode, at_least in (("fast", 2), ("immediate", 8)):
        driver.until_rows(at_least, timeout=600)
        postgres.stop(mode)
        time.sleep(8)
        postgres.start()
    output = driver.finish(timeout=900)
    require_sound("PostgreSQL restarted", 2, driver.folder, tiny.folder, storage=postgres.url)
    written = [file for place in (driver.folder, quarters) for file in place.rglob("*") if file.is_file()]
    assert len(written) > 50
    assert [file for file in written if PASSWORD.encode() in file.read_bytes()] == []
    assert PASSWORD not in output


def test_two_drivers_on_one_database(drive, tiny, postgres, tmp_path):
    """The second is refused wherever its results lie; when the first is killed, another goes on."""
    environment = local(postgres.environment())
    first = drive(tiny.study, tmp_path / "first", environment=environment).start()
    first.until_rows(1, timeout=600)
    second = drive(tiny.study, tmp_path / "second", environment=environment)
    refusal = second.run(code=2)
    assert f"(gansweep: process {first.pid} on {platform.node()}, since 2" in refusal
    assert refusal.count("\n") == 1 and not any(second.rows())
    first.kill()
    heir = drive(tiny.study, tmp_path / "first", environment=environment).start()
    heir.until_rows(len(heir.rows()) + 1, timeout=600)
    assert f"process {heir.pid} on" in second.run(code=2)
    heir.finish(timeout=900)
    require_sound("two drivers on one database", 2, heir.folder, tiny.folder, storage=postgres.url)


def test_a_password_comes_from_pgpass(postgres, tmp_path):
    (tmp_path / ".pgpass").write_text(f"{postgres.host}:{postgres.port}:*:gansweep:{PASSWORD}\n")
    (tmp_path / ".pgpass").chmod(0o600)
    command = (
        "from gansweep.run.options import storage_url; from gansweep.run.search.storage import *; "
        "open_storage(None, storage_url(sys.argv[1])); print('opened')"
    )
    for url, said in ((postgres.public_url, "opened"), (postgres.url, "a password in --storage can be read")):
        run = subprocess.run(
            [sys.executable, "-c", f"import sys; {command}", url],
            env=os.environ | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert said in run.stdout + run.stderr
        assert PASSWORD not in run.stdout + run.stderr
