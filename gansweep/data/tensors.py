"""Files of tensors that are checked before anything of them is used.

A file is what `torch.save` writes, a zip archive, with a comment at its end: JSON of what kind of file it is,
what it belongs to, and the hash of both and of the archive. PyTorch and other tools ignore the comment, and
PyTorch itself checks nothing, so that a changed bit is another number.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from gansweep.errors import Damaged
from gansweep.files import open_file, read_bytes, write_atomically

END = b"PK\x05\x06"  # of a zip archive: 22 bytes, the last two of which are the length of the comment
LONGEST = 65_535  # bytes of a comment
BLOCK = 2**20


def save_tensors(value: Mapping[str, object], path: Path, kind: str, of: str) -> None:
    """Write a dict of tensors, numbers and texts as a whole.

    kind: of the file. of: what it belongs to; `load_tensors` must be given the same.

    Raises:
        OSError: it cannot be written.
    """
    memory = io.BytesIO()
    torch.save(value, memory)  # into memory: what it makes of an OSError differs with where space ends
    content = memory.getbuffer()
    of = hashlib.sha256(of.encode()).hexdigest()
    digest = _digest(kind, of)
    digest.update(content[:-2])
    seal = json.dumps({"kind": kind, "of": of, "sha256": digest.hexdigest()}).encode()
    write_atomically(path, b"".join((content[:-2], len(seal).to_bytes(2, "little"), seal)))


def load_tensors(path: Path, kind: str, of: str, mmap: bool = False) -> Any:
    """Returns what `save_tensors` wrote, on the CPU. mmap: its tensors stay in the file until they are used.

    Raises:
        Damaged: the file does not hold that, or it is of another kind, or belongs to something else.
        OSError: it is missing or cannot be read.
    """
    with open_file(path) as file:
        _require_seal(file, path, kind, hashlib.sha256(of.encode()).hexdigest())
        return _load(path if mmap else file, path)


def load_unsealed(path: Path) -> Any:
    """Returns what `torch.save` wrote into a file that may have no comment, as those of gansweep 0.1.0.

    Raises: as `load_tensors`.
    """
    return _load(io.BytesIO(read_bytes(path)), path)  # in memory an OSError of the storage is no damage


def is_sealed(path: Path) -> bool:
    """Whether `save_tensors` wrote a file, damaged or not."""
    with open_file(path) as file:
        return _end(file)[1] != b""


def _load(file: BinaryIO | Path, path: Path) -> Any:
    """Returns the dict in a file, or in the file at a path."""
    try:
        with zipfile.ZipFile(file) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise Damaged(f"{path} is packed: it may need any amount of memory")
        if not isinstance(file, Path):
            file.seek(0)
        value = torch.load(file, map_location="cpu", weights_only=True, mmap=isinstance(file, Path))
    except (Damaged, OSError):
        raise
    except Exception as error:  # there is no end to what PyTorch raises for bytes that it cannot read
        raise Damaged(f"{path} cannot be read: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise Damaged(f"{path} holds no dict")
    return value


def _require_seal(file: BinaryIO, path: Path, kind: str, of: str) -> None:
    length, comment = _end(file)
    try:
        seal = json.loads(comment)
        known = {name: str(seal[name]) for name in ("kind", "of", "sha256")}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Damaged(f"{path} is damaged, or no file of gansweep") from None
    digest = _digest(known["kind"], known["of"])
    file.seek(0)
    while length:
        block = file.read(min(BLOCK, length))
        if not block:
            break
        digest.update(block)
        length -= len(block)
    if digest.hexdigest() != known["sha256"]:
        raise Damaged(f"{path} is damaged: its content does not have the hash that it was written with")
    if (known["kind"], known["of"]) != (kind, of):
        raise Damaged(f"{path} is of something else, a {known['kind']}")


def _end(file: BinaryIO) -> tuple[int, bytes]:
    """Returns how many bytes of an archive come before the length of its comment, and the comment."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - LONGEST - 22)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) < at + 22:
        return 0, b""
    return start + at + 20, tail[at + 22 :]


def _digest(kind: str, of: str) -> "hashlib._Hash":
    return hashlib.sha256(json.dumps([kind, of]).encode())
