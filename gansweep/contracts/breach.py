"""Broken contracts, and the exceptions of a variant's code explained to its author."""

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gansweep.errors import UserError
from gansweep.variants.base import Variant

# Parts of PyTorch's messages about losses that a pack cannot map over its members, and their meaning.
CAUSES = {
    ".item()": "it takes a number out of a tensor, by .item(), float() or a branch on its value",
    "data-dependent control flow": "it branches on the value of a tensor",
    "random": "it draws random numbers, where it should use those of batch.z and batch.u",
    "inplace": "it writes in place",
    "in-place": "it writes in place",
    "broadcast shape": "it writes in place",
    "non-empty TensorList": "a loss returns no term",
    "does not require grad": "a loss does not depend on the networks of its player",
    "not have been used in the graph": "a loss does not depend on all networks of its player",
}


class ContractBroken(Exception):
    """A variant does not keep a contract; the message says what was expected and what was found."""


@contextmanager
def running(variant: Variant, doing: str) -> Iterator[None]:
    """Turn any exception of a variant's code into ContractBroken.

    doing: what was being done; the message begins with "it fails" and this text.
    """
    try:
        yield
    except ContractBroken:
        raise
    except Exception as error:
        raise ContractBroken(f"it fails {doing}{_place(error, variant)}: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """Returns what an exception means for the author of a variant."""
    text = str(error).strip()
    for phrase, meaning in CAUSES.items():
        if isinstance(error, RuntimeError) and phrase in text:
            return meaning
    first = text.splitlines()[0] if text else "no message"
    return first if isinstance(error, UserError) else f"{type(error).__name__}: {first}"


def _place(error: Exception, variant: Variant) -> str:
    """Returns the last line of the variant's source files (its class and its bases) that the error passed."""
    files = {inspect.getsourcefile(kind) for kind in type(variant).__mro__ if kind is not object}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
