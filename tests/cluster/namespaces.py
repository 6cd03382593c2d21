"""Networks for nodes: network namespaces of Linux on a bridge, or with a slow relay between two of them."""

import os
import subprocess
import sys
from pathlib import Path


class Namespaces:
    """A network for nodes, each in a network namespace with the address 10.<net>.0.<number + 1>."""

    def __init__(self, net: int = 77) -> None:
        self.net, self.name = net, f"gs{os.getpid() % 10_000}"
        self.numbers: list[int] = []

    def __enter__(self) -> "Namespaces":
        run("ip", "link", "add", self.name, "type", "bridge")
        run("ip", "link", "set", self.name, "up")
        return self

    def ip(self, number: int) -> str:
        return f"10.{self.net}.0.{number + 1}"

    def add(self, number: int) -> list[str]:
        """A namespace for a node; what runs a command in it."""
        space, inside, outside = self.space(number), f"{self.name}i{number}", f"{self.name}o{number}"
        run("ip", "netns", "add", space)
        self.numbers.append(number)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside)
        run("ip", "link", "set", outside, "master", self.name, "up")
        run("ip", "link", "set", inside, "netns", space)
        inner = ["ip", "netns", "exec", space]
        run(*inner, "ip", "addr", "add", f"{self.ip(number)}/24", "dev", inside)
        run(*inner, "ip", "link", "set", inside, "up")
        run(*inner, "ip", "link", "set", "lo", "up")
        return inner

    def space(self, number: int) -> str:
        return f"{self.name}-{number}"

    def cut(self, number: int, off: bool = True) -> None:
        """Take a node off the network, without a word to anybody, or put it back."""
        run("ip", "link", "set", f"{self.name}o{number}", "down" if off else "up")

    def __exit__(self, *error: object) -> None:
        for number in self.numbers:
            run("ip", "netns", "del", self.space(number))
        run("ip", "link", "del", self.name)


class SlowNamespaces(Namespaces):
    """A head and one node, with a network between them in which a packet takes so many milliseconds."""

    def __init__(self, milliseconds: float, net: int = 78) -> None:
        super().__init__(net)
        self.milliseconds = milliseconds
        self.relay: subprocess.Popen[str] | None = None

    def __enter__(self) -> "SlowNamespaces":
        for number in (0, 1):
            run("ip", "netns", "add", self.space(number))
            self.numbers.append(number)
            run("ip", "-n", self.space(number), "link", "set", "lo", "up")
        ends = [text for number in (0, 1) for text in (self.space(number), f"{self.ip(number)}/24")]
        program = [sys.executable, str(Path(__file__).with_name("relay.py"))]
        command = [*program, *ends, str(self.milliseconds)]
        self.relay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.relay.stdout and self.relay.stdout.readline() == "ready\n"
        return self

    def add(self, number: int) -> list[str]:
        return ["ip", "netns", "exec", self.space(number)]

    def __exit__(self, *error: object) -> None:
        if self.relay:
            self.relay.kill()
            self.relay.communicate()
        for number in self.numbers:
            run("ip", "netns", "del", self.space(number))


def run(*command: str) -> None:
    """Run a command of the system that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
