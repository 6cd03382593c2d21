"""Traces as code, and the files in which later processes find them.

A file is named by a hash of all that a trace hangs on: variant, structure of the networks, shapes, source
code, versions, processor. It holds code, so it lies in a folder that nobody but this user can write, and
never among results. A trace from a file is used only if it gives the bits of the function that it stands for.
"""

import hashlib
import math
import os
import platform
import stat
import sys
from collections.abc import Hashable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule

import gansweep
from gansweep.data.places import cache_root
from gansweep.data.tensors import load_tensors, save_tensors
from gansweep.errors import UserError

KIND = "trace"
MAX_FILES = 2000  # of which each takes about 100 kB
ROOMS = ("networks", "training", "variants")  # whose code a trace is made of
NAMES = {"torch": torch, "device": torch.device, "inf": math.inf, "nan": math.nan, "NoneType": type(None)}
SYSTEM = 0  # the user who owns /tmp and /home


class Operations:
    """The operations of a trace: a function of tensors that returns tensors.

    source: a function `forward(self, *tensors)` of the `NAMES`. constants: the attributes of self.
    """

    def __init__(self, source: str, constants: dict[str, Tensor]) -> None:
        self.source, self.constants = source, constants
        names: dict[str, Any] = dict(NAMES)
        exec(compile(source, "<trace>", "exec"), names)
        self._forward = partial(names["forward"], SimpleNamespace(**constants))

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            results: tuple[Tensor, ...] = self._forward(*tensors)
        return results

    @classmethod
    def of(cls, module: GraphModule) -> "Operations":
        """The operations of a graph whose arguments and results are tensors."""
        used = [node.target for node in module.graph.nodes if node.op == "get_attr"]
        return cls(module.graph.python_code("self").src, {name: getattr(module, name) for name in used})


def code_hash(kind: type) -> str:
    """Returns a hash of the source code that a class of variants trains with, as far as it can be found."""
    modules = {each.__module__ for each in kind.__mro__}
    files = {getattr(sys.modules.get(module), "__file__", None) for module in modules}
    digest = hashlib.sha256(_here().encode())
    for file in sorted(filter(None, files)):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


@cache
def _here() -> str:
    """Returns a hash of the package's own code, the versions and the processor."""
    root = Path(gansweep.__file__).parent
    digest = hashlib.sha256(f"{platform.python_version()} {torch.__version__} {_processor()}".encode())
    for file in sorted(file for room in ROOMS for file in (root / room).rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    kind = platform.processor()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind = next((line for line in lines if line.startswith("model name")), kind)
    return f"{platform.machine()} {kind} {torch.backends.cpu.get_cpu_capability()}"


def name_of(key: Hashable, code: str) -> str:
    """Returns the name of the file of a trace. key: what it hangs on apart from code, with a stable repr."""
    return hashlib.sha256(f"{key!r} {code}".encode()).hexdigest()


def load(name: str) -> Operations | None:
    """Returns the trace of a name; None if none is stored, or not one that this user has stored."""
    with suppress(OSError, UserError, KeyError, SyntaxError):
        file = _folder() / f"{name}.pt"
        _require_own(file)
        value = load_tensors(file, KIND, name)
        os.utime(file)  # it was used
        return Operations(value["source"], value["constants"])
    return None


def save(operations: Operations, name: str) -> None:
    """Store a trace where that is possible; forget those that were not used for the longest time."""
    with suppress(OSError, UserError):
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        value = {"source": operations.source, "constants": operations.constants}
        save_tensors(value, folder / f"{name}.pt", KIND, name)
        files = sorted(folder.glob("*.pt"), key=lambda file: file.stat().st_mtime)
        for file in files[:-MAX_FILES]:
            file.unlink(missing_ok=True)


def _folder() -> Path:
    """Returns the folder of traces, apart from that of other users who share a cache.

    Raises:
        UserError: it is, or can be made, another user's.
    """
    root = cache_root()
    folder = root / f"traces-{os.getuid()}"
    if root.exists():
        _require_own(root, SYSTEM)
    if folder.exists():
        _require_own(folder)
    return folder


def _require_own(path: Path, *others: int) -> None:
    """Raise UserError if somebody else can change a file or a folder. others: users who may own it, too."""
    found = path.lstat()
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if found.st_uid not in (os.getuid(), *others) or shared or stat.S_ISLNK(found.st_mode):
        raise UserError(f"{path} can be changed by other users")
