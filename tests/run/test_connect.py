"""The cluster that a run joins: the one that Ray itself would, or one sentence within a limit."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import pytest
import ray

from gansweep.errors import Stopped, UserError
from gansweep.run.address import answers, check, speaks
from gansweep.run.ray import private

connect = import_module("gansweep.run.ray.connect")  # its package has a function of that name

JOIN = "import ray\nfrom gansweep.run.ray import join\njoin()\nprint(ray.get_runtime_context().gcs_address)\n"


@contextmanager
def listening() -> Iterator[str]:
    """The address of somebody who takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def pages() -> Iterator[str]:
    """The address of a server of pages, as Ray's dashboard is one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def nothing_set(monkeypatch, tmp_path):
    """No address, and a folder for temporary files that no other cluster uses."""
    for name in ("RAY_ADDRESS", "RAY_TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return monkeypatch


def test_only_a_cluster_speaks_as_one(local_ray):
    assert speaks(ray.get_runtime_context().gcs_address)
    for somebody in (listening, pages):
        with somebody() as address:
            began = time.monotonic()
            assert answers(address) and not speaks(address, seconds=0.5)
            assert time.monotonic() - began < 10
    assert not answers(address) and not speaks(address)
    assert not speaks("nobody.invalid:6379", seconds=5)


def test_forms_that_an_address_may_have():
    for address in ("", "auto", "local", "10.0.0.1:6379", "head.cluster:1", "[fe80::1]:6379"):
        check(address)


def test_an_address_without_a_cluster_is_one_sentence(nothing_set):
    with listening() as address:
        nothing_set.setattr(connect, "speaks", lambda address: speaks(address, 0.5))
        nothing_set.setattr(ray, "is_initialized", lambda: False)
        nothing_set.setenv("RAY_ADDRESS", address)
        with pytest.raises(UserError, match=f"no Ray cluster answers at {address}"):
            connect.join()


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_the_cluster_is_found_where_ray_remembers_it(nothing_set, tmp_path, variable):
    assert private.running_cluster() is None
    nothing_set.setenv(variable, str(tmp_path / "batch"))
    (tmp_path / "batch" / "ray").mkdir(parents=True)
    (tmp_path / "batch" / "ray" / "ray_current_cluster").write_text("10.1.2.3:6379\n")
    assert private.running_cluster() == "10.1.2.3:6379"


def test_a_remembered_cluster_is_joined(local_ray, nothing_set, tmp_path):
    (tmp_path / "ray").mkdir()
    address = ray.get_runtime_context().gcs_address
    (tmp_path / "ray" / "ray_current_cluster").write_text(address)
    done = subprocess.run([sys.executable, "-c", JOIN], capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.strip() == address, done.stderr


def test_a_cluster_with_another_token_is_one_sentence(local_ray, nothing_set):
    nothing_set.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
    nothing_set.setenv("RAY_AUTH_MODE", "token")
    nothing_set.setenv("RAY_AUTH_TOKEN", "0" * 64)
    nothing_set.setenv("RAY_NUM_REDIS_GET_RETRIES", "2")  # Ray asks 20 times, with a pause of a second each
    code = (
        "from gansweep.cli import main; raise SystemExit(main(['run', 'quickstart', '--results=/nowhere']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "cannot be joined (it does not take this token)" in done.stderr


@pytest.fixture
def starts(nothing_set):
    """Lets Ray's start fail as often as asked; counts the tries."""
    tries: list[str | None] = []

    def fail(times: int, error: Exception) -> list[str | None]:
        def init(address: str, _temp_dir: str | None, **options: object) -> None:
            tries.append(_temp_dir)
            if len(tries) <= times:
                raise error

        for name, function in (("init", init), ("is_initialized", lambda: False), ("shutdown", lambda: None)):
            nothing_set.setattr(ray, name, function)
        return tries

    return fail


LATE = Exception("The current node timed out during startup. This could\nhappen")


def test_a_start_that_times_out_is_tried_once_more(starts, capsys):
    tries = starts(1, LATE)
    connect.join()
    assert len(tries) == 2
    assert "timed out during startup. This could); trying once more\n" in capsys.readouterr().err


def test_a_start_that_times_out_twice_stops_the_run(starts):
    tries = starts(2, LATE)
    with pytest.raises(Stopped, match=r"tried twice .*timed out during startup"):
        connect.join()
    assert len(tries) == 2


def test_a_folder_that_ray_may_not_write_is_a_users_mistake(starts):
    tries = starts(1, PermissionError(13, "Permission denied", "/batch/ray"))
    with pytest.raises(UserError, match="Ray cannot write to /batch/ray: set RAY_TMPDIR"):
        connect.join()
    assert len(tries) == 1


def test_sockets_have_room_whatever_the_folder_is_called(starts, nothing_set, capsys):
    longest = private.LONGEST_SOCKET - len(f"/ray/{private.SOCKET}")
    for length, place in ((longest, None), (longest + 1, "/tmp/ray")):
        nothing_set.setenv("TMPDIR", "/" + "x" * (length - 1))
        assert private.short_folder() == place
    tries = starts(0, LATE)
    connect.join()
    assert tries == ["/tmp/ray"] and "go to /tmp/ray" in capsys.readouterr().err


@pytest.mark.parametrize("made", [True, False])
def test_a_home_that_cannot_be_written_needs_no_token_there(monkeypatch, tmp_path, made):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    if made:
        (tmp_path / ".ray" / "auth_token").write_text("mine")
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK and os.path.exists(path))
    connect._provide_token()
    assert len(os.environ.get("RAY_AUTH_TOKEN", "")) == (0 if made else 64)
