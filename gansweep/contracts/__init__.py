"""Contracts: what every variant must keep, gansweep's own or another package's.

Each contract is a function that raises `ContractBroken` with a sentence about what is broken.
"""

import inspect
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gansweep.contracts import statements, trainings
from gansweep.contracts.breach import ContractBroken
from gansweep.contracts.specimen import Specimen
from gansweep.variants import Published

__all__ = ["CONTRACTS", "ContractBroken", "Specimen", "Verdict", "check", "requirement"]

CONTRACTS: dict[str, Callable[[Specimen], None]] = {
    "game": statements.game,
    "source": statements.source,
    "spaces": statements.spaces,
    "looks": statements.looks,
    "terms": trainings.terms,
    "extremes": statements.extremes,
    "in a pack": trainings.in_a_pack,
    "as plain PyTorch": trainings.as_plain_pytorch,
    "in single precision": trainings.in_single_precision,
    "independent of its pack": trainings.independent_of_its_pack,
    "floats are per member": trainings.floats_are_per_member,
    "diverged neighbour": trainings.diverged_neighbour,
    "without a member": trainings.without_a_member,
    "resumed": trainings.resumed,
    "traced": trainings.traced,
    "independent of chunking": trainings.independent_of_chunking,
    "conditional": trainings.conditional,
}
"""Contracts by name. The docstring of a contract is its requirement; a contract raises ContractBroken."""

FOUNDATIONS = ("game", "terms", "in a pack")  # a variant that breaks one cannot be examined further


class Verdict(NamedTuple):
    """The result of one contract."""

    contract: str
    reason: str  # what is broken; "" if the contract is kept
    seconds: float


def check(name: str, published: Published) -> Iterator[Verdict]:
    """Examine a variant, contract by contract, and stop after a broken contract of FOUNDATIONS."""
    specimen = Specimen(name, published)
    for contract, examine in CONTRACTS.items():
        reason, begin = "", time.perf_counter()
        try:
            examine(specimen)
        except ContractBroken as broken:
            reason = str(broken)
        yield Verdict(contract, reason, time.perf_counter() - begin)
        if reason and contract in FOUNDATIONS:
            return


def requirement(contract: str) -> str:
    """Returns what a contract requires, in one sentence."""
    return inspect.getdoc(CONTRACTS[contract]) or ""
