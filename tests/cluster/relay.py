"""A slow network between two network namespaces: takes packets from one and hands them to the other, later.

    python relay.py SPACE_A ADDRESS_A SPACE_B ADDRESS_B MILLISECONDS

Each namespace gets a device `slow` with its address; the way there takes so long, and the way back as well.
"""

import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TextIO

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
PACKET = 65_536


def device(space: str, address: str) -> int:
    """Make a device with an address in a namespace; the file that its packets come from and go to."""
    with Path("/proc/self/ns/net").open() as here, Path(f"/run/netns/{space}").open() as there:
        enter(there)
        tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"slow", IFF_TUN | IFF_NO_PI))
        subprocess.run(["ip", "addr", "add", address, "dev", "slow"], check=True)
        subprocess.run(["ip", "link", "set", "slow", "up"], check=True)
        enter(here)
    return tun


def enter(space: TextIO) -> None:
    """Enter a network namespace; from Python 3.12 on, os.setns does it."""
    if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "the network namespace cannot be entered")


def relay(a: int, b: int, seconds: float) -> None:
    """Pass packets on for ever, each after a time."""
    waiting: deque[tuple[float, int, bytes]] = deque()
    other = {a: b, b: a}
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for file in select.select([a, b], [], [], pause)[0]:
            waiting.append((time.monotonic() + seconds, other[file], os.read(file, PACKET)))
        while waiting and waiting[0][0] <= time.monotonic():
            _, to, packet = waiting.popleft()
            os.write(to, packet)


if __name__ == "__main__":
    one, its_address, two, their_address, milliseconds = sys.argv[1:]
    ends = device(one, its_address), device(two, their_address)
    print("ready", flush=True)
    relay(*ends, float(milliseconds) / 1000)
