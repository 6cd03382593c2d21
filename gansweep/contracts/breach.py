"""A broken contract, said in one sentence."""

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gansweep.errors import UserError
from gansweep.variants.base import Variant

# What PyTorch says when a loss does what a pack cannot map over its members, and what that means.
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
    """A contract that a variant does not keep; the message says what was expected and what was found."""


@contextmanager
def running(variant: Variant, doing: str) -> Iterator[None]:
    """Turn whatever the code of a variant raises into ContractBroken: it is the variant that is examined.

    doing: what was being done, to stand behind "it fails".
    """
    try:
        yield
    except ContractBroken:
        raise
    except Exception as error:
        raise ContractBroken(f"it fails {doing}{_place(error, variant)}: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """What an exception means to the author of a variant."""
    text = str(error).strip()
    for phrase, meaning in CAUSES.items():
        if isinstance(error, RuntimeError) and phrase in text:
            return meaning
    first = text.splitlines()[0] if text else "no message"
    return first if isinstance(error, UserError) else f"{type(error).__name__}: {first}"


def _place(error: Exception, variant: Variant) -> str:
    """The last line of the files of its class and of the bases of that which the error came from."""
    files = {inspect.getsourcefile(kind) for kind in type(variant).__mro__ if kind is not object}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
