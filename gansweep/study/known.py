"""What studies may name: variants with their hyperparameters, data sets, architectures and so on. No torch.

It is also what `gansweep list` shows. It lies in modules that import torch, which takes seconds, so
`known.json` holds it. It is used as long as their source text is the one that it was made from; `python -m
gansweep.study.tabulate` makes it anew.
"""

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
from msgspec import Struct

import gansweep
from gansweep.errors import unknown
from gansweep.fields import Field, OneOf, Within

FILE = Path(__file__).with_name("known.json")
SOURCES = (
    "variants/*.py",
    "data/__init__.py",
    "networks/__init__.py",
    "networks/options.py",
    "training/member.py",
    "training/optimizers.py",
    "training/precision.py",
)
TYPES = {kind.__name__: kind for kind in (float, int, str, bool)}


@dataclass(frozen=True)
class Facts:
    """What a study must know of a variant."""

    labels: bool  # whether its losses use labels
    scores: bool  # whether its D gives scores
    fields: Mapping[str, Field]  # its hyperparameters


class StoredField(Struct, frozen=True, omit_defaults=True):
    """A hyperparameter as JSON: its type and its range, or its names (none: any). None is an infinite end."""

    kind: str
    low: float | None = None
    high: float | None = None
    open: bool = False
    names: tuple[str, ...] = ()

    def field(self) -> Field:
        if self.kind not in ("float", "int"):
            return Field(TYPES[self.kind], OneOf(self.names) if self.names else None)
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return Field(TYPES[self.kind], Within(low, high, self.open))


class StoredVariant(Struct, frozen=True):
    """A variant as JSON. own: its searchable hyperparameters that not every variant has."""

    labels: bool
    scores: bool
    own: dict[str, StoredField]


class Listed(Struct, frozen=True):
    """A variant as a list shows it. searched: what its wide space searches. sources: its publications."""

    label: str
    family: str
    searched: tuple[str, ...]
    sources: tuple[str, ...]


class Fit(Struct, frozen=True):
    """The data that an architecture is for: images of these sides or vectors of these lengths (none: any)."""

    kind: str
    sizes: tuple[int, ...]
    z_dim: int


class Known(Struct, frozen=True):
    """The content of `known.json`. sources: the hash of the source text that it was made from."""

    sources: str
    common: dict[str, StoredField]  # hyperparameters that every variant has
    variants: dict[str, StoredVariant | None]  # None: one with a rule that JSON cannot hold, asked itself
    listed: dict[str, Listed]
    datasets: dict[str, str]  # with their descriptions
    architectures: dict[str, Fit]
    optimizers: tuple[str, ...]
    precisions: tuple[str, ...]
    conditionals: tuple[str, ...]

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


@cache
def known() -> Known:
    """What is known: from the file, or from the modules themselves where they have changed since."""
    stored = msgspec.convert(json.loads(FILE.read_bytes()), Known) if FILE.exists() else None
    if stored and stored.sources == hash_of_sources():
        return stored
    from gansweep.study.tabulate import tabulate

    return tabulate()


def hash_of_sources() -> str:
    """The SHA-256 of the source text that the table is made from."""
    digest, package = hashlib.sha256(), Path(gansweep.__file__).parent
    for pattern in SOURCES:
        for file in sorted(package.glob(pattern)):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def facts_of(variant: str) -> Facts:
    """What is known of a variant; of one of another package, whose module is imported for it.

    Raises:
        UserError: there is no such variant.
    """
    table = known()
    if stored := table.variants.get(variant):
        every = table.common | stored.own
        return Facts(stored.labels, stored.scores, {name: each.field() for name, each in every.items()})
    offered = _offered()
    if variant in {*table.variants, *offered} or "gansweep.variants.table" in sys.modules:
        from gansweep.study.tabulate import facts
        from gansweep.variants import VARIANTS

        if variant in VARIANTS:
            return facts(VARIANTS[variant])
        offered = set(VARIANTS)
    raise unknown("variant", variant, table.variants.keys() | offered)


def listed_variants() -> dict[str, Listed]:
    """Every variant as a list shows it; those of other packages, whose modules are imported for it, last."""
    listed = known().listed
    if not _offered():
        return listed
    from gansweep.study.tabulate import listing
    from gansweep.variants import VARIANTS

    return {name: listed.get(name) or listing(published) for name, published in VARIANTS.items()}


def _offered() -> set[str]:
    """The names of the variants that other packages offer."""
    return {point.name for point in entry_points(group="gansweep.variants")}
