"""A cluster started as the cluster files start it gives itself to nobody who lacks the token."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import sshd
import yaml
from sshd import Machine

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef" * 4
ASK = """
import json, sys, urllib.error, urllib.request
url, token, body = sys.argv[1:]
request = urllib.request.Request(url, body.encode() or None, {"Content-Type": "application/json"})
if token:
    request.add_header("Authorization", f"Bearer {token}")
try:
    with urllib.request.urlopen(request, timeout=300) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code)
except OSError as error:
    print("refused", error)
"""
DRIVER = """
import ray, sys
ray.init(sys.argv[1])
@ray.remote
def mark(path):
    open(path, "w").close()
ray.get(mark.remote(sys.argv[2]))
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), sshd.needed]


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Iterator[tuple[Machine, Machine]]:
    """The head of a cluster, started by the commands of cluster.local.yaml; and a stranger on its network."""
    config = yaml.safe_load((ROOT / "cluster.local.yaml").read_text())
    with sshd.machines(tmp_path_factory.mktemp("security"), "head", "stranger") as (head, stranger):
        config["provider"] |= {"head_ip": head.address, "worker_ips": []}
        config["auth"] = {"ssh_user": "root", "ssh_private_key": str(head.home / "id")}
        # As `ray up` brings it, readable by all until the setup takes that away.
        token = f"mkdir -p ~/.ray && printf {TOKEN} > ~/.ray/auth_token"
        commands = [token, config["setup_commands"][0], config["setup_commands"][1]]
        bootstrap = f"printf %s {shlex.quote(json.dumps(config))} > ~/ray_bootstrap_config.yaml"
        for command in [*commands, bootstrap, *config["head_start_ray_commands"]]:
            done = on(head, command, 200)
            assert done.returncode == 0, done.stdout + done.stderr
        for machine in (head, stranger):
            assert machine.run(f"printf %s {shlex.quote(ASK)} > ask.py").returncode == 0
        yield head, stranger


def on(machine: Machine, command: str, timeout: float = 300.0) -> CompletedProcess[str]:
    """A command as the user of the cluster gives it: with what the setup has put into ~/.bashrc."""
    return machine.run(f"test -f ~/.bashrc && . ~/.bashrc; {command}", timeout)


def ask(machine: Machine, url: str, token: str = "", body: str = "") -> str:
    """The status and the text of an answer, or `refused`."""
    return machine.run(f"python ask.py {url} '{token}' {shlex.quote(body)}").stdout.strip()


def job(mark: str) -> str:
    return json.dumps({"entrypoint": f"touch /srv/{mark}"})


def exists(machine: Machine, mark: str, seconds: int) -> bool:
    waiting = f"for i in $(seq {seconds}); do test -e /srv/{mark} && exit 0; sleep 1; done; exit 1"
    return machine.run(waiting).returncode == 0


@pytest.mark.parametrize("token", ["", "f" * 64], ids=["none", "wrong"])
def test_a_job_without_the_token_is_refused_and_does_not_run(pair, token):
    head, _ = pair
    mark = f"refused-{token[:1]}"
    assert ask(head, "http://127.0.0.1:8265/api/jobs/", token, job(mark)) in ("401", "403")
    assert not exists(head, mark, 10)


def test_a_job_with_the_token_runs(pair):
    head, _ = pair
    assert ask(head, "http://127.0.0.1:8265/api/jobs/", TOKEN, job("accepted")).startswith("200")
    assert exists(head, "accepted", 120)


def test_the_dashboard_listens_on_the_head_itself_alone(pair):
    head, stranger = pair
    listening = head.run("ss -Hltn").stdout
    assert [line.split()[3] for line in listening.splitlines() if ":8265 " in line] == ["127.0.0.1:8265"]
    assert ask(stranger, f"http://{head.address}:8265/api/version").startswith("refused")


def test_the_agent_of_a_node_takes_no_job_from_a_stranger(pair):
    head, stranger = pair
    url = f"http://{head.address}:52365/api/job_agent/jobs/"
    assert ask(stranger, url, body=job("agent")) in ("401", "403")
    assert not exists(head, "agent", 5)
    assert ask(stranger, url, TOKEN, job("agent")).startswith("200")  # so it was the token that it lacked


def test_a_node_joins_with_the_token_alone(pair):
    head, stranger = pair
    for variables in ("RAY_AUTH_MODE=disabled", f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN={'f' * 64}"):
        assert joins(stranger, head, variables).returncode != 0
        assert n_alive(head) == 1
    joined = joins(stranger, head, f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN={TOKEN}")
    assert joined.returncode == 0, joined.stdout + joined.stderr
    assert n_alive(head) == 2
    assert stranger.run("ray stop").returncode == 0


def joins(machine: Machine, head: Machine, variables: str) -> CompletedProcess[str]:
    return machine.run(f"{variables} timeout 240 ray start --address={head.address}:6379")


def n_alive(head: Machine) -> int:
    listed = on(head, "ray list nodes --format json").stdout
    return [node["state"] for node in json.loads(listed[listed.index("[") :])].count("ALIVE")


@pytest.mark.parametrize("address", ["{}:6379", "ray://{}:10001"])
def test_a_driver_runs_with_the_token_alone(pair, address):
    head, _ = pair
    address, mark = address.format(head.address), f"/srv/driver-{len(address)}"
    drive = f"timeout 240 python -c {shlex.quote(DRIVER)} {address} {mark}"
    for variables in ("RAY_AUTH_MODE=disabled", f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN={'f' * 64}"):
        assert head.run(f"{variables} {drive}").returncode != 0
        assert head.run(f"test -e {mark}").returncode != 0
    driven = head.run(f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN={TOKEN} {drive}")
    assert driven.returncode == 0, driven.stderr
    assert head.run(f"test -e {mark}").returncode == 0


def test_the_token_can_be_read_by_its_user_alone(pair):
    head, _ = pair
    assert head.run("stat -c '%a %n' .ray .ray/auth_token").stdout == "700 .ray\n600 .ray/auth_token\n"
