"""Real Ray clusters on this machine: each node is processes of its own, with its own ports, folder, logical
resources and, if asked, network namespace. A node can be killed as a whole, cut off and started again.

    with cluster(1, 1) as nodes:            # a head without CPUs, two nodes with one CPU each
        subprocess.run(command, env=nodes.environment)
        nodes.workers[0].kill()
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from namespaces import Namespaces
from processes import kill_tree, mentioning, trainers

PORTS, PORTS_OF_A_CLUSTER, PORTS_OF_A_NODE = range(7000, 8000), 250, 40
RAY = str(Path(sys.executable).with_name("ray"))
QUICK = {  # a lost node is noticed within seconds, and workers are not nicer than the rest of the tests
    "RAY_worker_niceness": "0",
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
}
FIXED_PORTS = (
    "node-manager-port",
    "object-manager-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "runtime-env-agent-port",
    "metrics-export-port",
)


@dataclass
class Node:
    """The processes of one node: `ray start --block` and all below it."""

    command: list[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 600.0) -> None:
        """Start the node, or start it again; returns when Ray says that it runs."""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while b"Ray runtime started" not in (said := self.log.read_bytes()):
            assert self.process.poll() is None and time.monotonic() < deadline, said.decode()
            time.sleep(0.1)

    @property
    def pid(self) -> int:
        assert self.process, "the node was not started"
        return self.process.pid

    def kill(self) -> None:
        """Kill -9 all that belongs to the node."""
        if self.process and self.process.poll() is None:
            kill_tree(self.pid)
            self.process.wait()

    def trainers(self) -> list[int]:
        """The processes of the node that train packs, oldest first."""
        return trainers(self.pid)


@dataclass
class Cluster:
    """A head and its worker nodes. `environment` is that of a driver; `prefix` runs a command on the head."""

    folder: Path
    address: str
    first_port: int
    token: str
    head: Node
    prefix: list[str] = field(default_factory=list)
    namespaces: Namespaces | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    workers: list[Node] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.token) | self.variables | {"RAY_ADDRESS": self.address}

    def add(
        self,
        cpus: int,
        gpus: int = 0,
        prefix: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> Node:
        """Start one more node. prefix, variables: before its command and in its environment."""
        number = len(self.workers) + 1
        where = self.namespaces.add(number) if self.namespaces else []
        command = [
            *where,
            *prefix,
            *ray_start(number, self.folder, self.first_port, cpus, gpus),
            f"--address={self.address}",
        ]
        if self.namespaces:
            command.append(f"--node-ip-address={self.namespaces.ip(number)}")
        every = environment(self.token) | self.variables | dict(variables or {})
        node = Node(command, every, self.folder / f"node-{number}.log")
        self.workers.append(node)
        node.start()
        return node

    def close(self) -> None:
        for node in (*self.workers, self.head):
            node.kill()
        deadline = time.monotonic() + 300
        while left := mentioning(str(self.folder)):
            for pid in left:
                kill_tree(pid)
            assert time.monotonic() < deadline, f"left running: {left}"
            time.sleep(0.1)


@contextmanager
def cluster(
    *cpus: int,
    namespaces: Namespaces | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """A head without CPUs and a node for each number of CPUs; all gone at the end, whatever happens.

    variables: in the environment of all nodes and of drivers.
    """
    folder = Path(tempfile.mkdtemp(prefix="gsn-", dir="/tmp"))  # short: Ray puts sockets below it
    token, port = secrets.token_hex(32), free_ports()
    ip = namespaces.ip(0) if namespaces else own_ip()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if namespaces:
            stack.enter_context(namespaces)
        prefix = namespaces.add(0) if namespaces else []
        command = [
            *prefix,
            *ray_start(0, folder, port, 0, 0),
            "--head",
            f"--port={port}",
            "--include-dashboard=false",
            f"--node-ip-address={ip}",
        ]
        variables = dict(variables or {})
        head = Node(command, environment(token) | variables, folder / "head.log")
        made = Cluster(folder, f"{ip}:{port}", port, token, head, prefix, namespaces, variables)
        stack.callback(made.close)
        head.start()
        for n in cpus:
            made.add(n)
        yield made


def free_ports() -> int:
    """The first of so many ports as a cluster needs, that no other cluster of ours has."""
    for port in PORTS[::PORTS_OF_A_CLUSTER]:
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # by a cluster that has just ended
            with suppress(OSError):
                taken.bind(("", port))
                return port
    raise AssertionError(f"no free ports among {PORTS}")


def ray_start(number: int, folder: Path, first_port: int, cpus: int, gpus: int) -> list[str]:
    """The command of a node with its own ports and folder."""
    first = first_port + 1 + PORTS_OF_A_NODE * number
    ports = [f"--{name}={first + i}" for i, name in enumerate(FIXED_PORTS)]
    spread = [f"--min-worker-port={first + 8}", f"--max-worker-port={first + PORTS_OF_A_NODE - 2}"]
    return [
        *(RAY, "start", "--block", "--disable-usage-stats", f"--temp-dir={folder / str(number)}"),
        *(f"--num-cpus={cpus}", f"--num-gpus={gpus}", "--object-store-memory=100000000"),
        *(*ports, *spread),
    ]


def environment(token: str) -> dict[str, str]:
    """What a node or a driver of a cluster with token authentication needs."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    ray = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0"}
    return plain | ray | QUICK | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}


def own_ip() -> str:
    """The address that Ray takes for this machine: it replaces that of the loopback."""
    import ray

    return str(ray.util.get_node_ip_address())
