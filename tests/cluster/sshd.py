"""Machines to log in to by SSH, all on this one: each has a network, processes, a home and a /tmp its own.

They are namespaces of Linux, which nobody outside can reach. They end with the test, however it ends, and
what they wrote goes with them; only the storage that they share stays, in the test's folder.

    with machines(tmp_path, "caller", "head") as (caller, head):
        assert caller.run(f"ssh -i key root@{head.address} hostname").stdout == "head\\n"
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

NETWORK, SHARED = "10.77.0.", "/srv"
TOOLS = ("sshd", "ssh", "ssh-keygen", "rsync", "ip", "unshare", "nsenter", "setpriv")
SSHD = """
HostKey {home}/host_key
AuthorizedKeysFile {home}/authorized_keys
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
Subsystem sftp internal-sftp
"""
# The first process of a machine. What the others on /tmp write stays theirs.
BOOT = """
set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir /run/sshd /run/upper /run/work
hostname {name}
mount --bind {home}/passwd /etc/passwd
mount --bind {home}/hosts /etc/hosts
mount --bind {shared} /srv
mount -t overlay overlay -o lowerdir=/tmp,upperdir=/run/upper,workdir=/run/work /tmp
mkdir -p /tmp/ray && mount -t tmpfs tmpfs /tmp/ray
ip link set lo up
echo booted
while true; do sleep 1000 & wait $!; done
"""


def missing() -> str:
    """Why there can be no such machines here; "" if there can."""
    without = [tool for tool in TOOLS if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]
    if without or os.geteuid() != 0:
        return f"needs root and {', '.join(without or TOOLS)}"
    if not all(map(find_spec, ("aiohttp", "boto3"))):
        return "needs what `pip install 'gansweep[cluster]'` brings"
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True)
    return "needs the right to make namespaces" if tried.returncode else ""


needed = pytest.mark.skipif(bool(missing()), reason=missing())


@dataclass
class Machine:
    """One machine. pid: of its first process, as seen from outside."""

    name: str
    address: str
    home: Path
    pid: int

    def run(self, command: str, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run a shell's command in the home folder, as somebody who sits at the machine."""
        environment = {"HOME": str(self.home), "PATH": f"{self.home}/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        entered = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--uts"]
        return subprocess.run(
            [*entered, "bash", "-c", f"cd {self.home}; {command}"],
            env=environment | {"TERM": "dumb", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def processes(self) -> list[str]:
        """The command lines of all that runs there but for its first process."""
        listed = self.run("ps -eo pid=,args=").stdout.splitlines()
        mine = ("ps -eo", "bash -c cd", "sleep 1000")
        return [
            line.split(maxsplit=1)[1]
            for line in listed
            if line.split()[0] != "1" and not line.split(maxsplit=1)[1].startswith(mine)
        ]


@contextmanager
def machines(folder: Path, *names: str) -> Iterator[list[Machine]]:
    """Machines on one network; the first has the key `id` to log in to all others, where sshd listens."""
    (folder / "shared").mkdir()
    with ExitStack() as stack:
        made: list[Machine] = []
        for number, name in enumerate(names, 1):
            home = _furnish(folder / name, f"{NETWORK}{number}", name, names)
            made.append(stack.enter_context(_booted(Machine(name, f"{NETWORK}{number}", home, 0), folder)))
            _connect(made[-1], made[0])
        key = made[0].home / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        for machine in made[1:]:
            shutil.copy(key.with_suffix(".pub"), machine.home / "authorized_keys")
            started = machine.run(f"/usr/sbin/sshd -f {machine.home}/sshd_config -E {machine.home}/sshd.log")
            assert started.returncode == 0, started.stderr
        yield made


def _furnish(home: Path, address: str, name: str, names: tuple[str, ...]) -> Path:
    """A home: the files that make it root's, and a virtual environment with what runs here installed."""
    home.mkdir()
    (home / "passwd").write_text(f"root:x:0:0::{home}:/bin/bash\nsshd:x:100:65534::/run/sshd:/bin/false\n")
    lines = [f"{NETWORK}{number} {each}" for number, each in enumerate(names, 1)]
    (home / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "host_key"], check=True)
    (home / "sshd_config").write_text(SSHD.format(home=home))
    (home / ".profile").write_text(
        "export PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 PIP_ROOT_USER_ACTION=ignore\n"
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    (packages,) = (home / "venv" / "lib").glob("python*/site-packages")
    installed = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "installed.pth").write_text("\n".join(installed))
    ray = home / "venv" / "bin" / "ray"
    ray.write_text(f'#!/bin/sh\nexec {home}/venv/bin/python -m ray.scripts.scripts "$@"\n')
    ray.chmod(0o755)
    return home


@contextmanager
def _booted(machine: Machine, folder: Path) -> Iterator[Machine]:
    script = BOOT.format(name=machine.name, home=machine.home, shared=folder / "shared")
    spaces = ["--mount", "--net", "--pid", "--uts", "--fork", "--kill-child"]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, "bash", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout and process.stdout.readline() == b"booted\n", f"{machine.name} does not boot"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        machine.pid = int(children.read_text())
        yield machine
    finally:
        process.kill()
        process.communicate()


def _connect(machine: Machine, first: Machine) -> None:
    """Plug a machine into the bridge that the first one has."""
    if machine is first:
        commands = [
            "ip link add br0 type bridge",
            f"ip addr add {first.address}/24 dev br0",
            "ip link set br0 up",
        ]
    else:
        inside = ["nsenter", f"--target={first.pid}", "--net", "ip", "link"]
        cable = f"cable{machine.address.rpartition('.')[2]}"
        peer = ["peer", "name", "eth0", "netns", str(machine.pid)]
        subprocess.run([*inside, "add", cable, "type", "veth", *peer], check=True)
        subprocess.run([*inside, "set", cable, "master", "br0", "up"], check=True)
        commands = [f"ip addr add {machine.address}/24 dev eth0", "ip link set eth0 up"]
    # Ray asks the routes for its own address; where they lead does not matter.
    commands.append(f"ip route add default via {NETWORK}254")
    plugged = machine.run(" && ".join(commands))
    assert plugged.returncode == 0, plugged.stderr
