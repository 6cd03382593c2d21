"""Makes `known.json` from the modules that it is about: `python -m gansweep.study.tabulate`."""

import math
from collections.abc import Set

from gansweep.data import DATASETS
from gansweep.fields import Field, OneOf, Within
from gansweep.networks import ARCHITECTURES
from gansweep.networks.architecture import Architecture
from gansweep.networks.options import CONDITIONALS
from gansweep.space import Choice, Uniform
from gansweep.study.known import (
    FILE,
    Facts,
    Fit,
    Known,
    Listed,
    StoredField,
    StoredVariant,
    hash_of_sources,
)
from gansweep.training.member import fields_of
from gansweep.training.optimizers import OPTIMIZERS
from gansweep.training.precision import PRECISIONS
from gansweep.variants import Published
from gansweep.variants.table import TABLE


def facts(published: Published) -> Facts:
    """What a study must know of a variant, from the variant itself."""
    variant = published.variant
    scores = bool({"discriminator", "auxiliary"} & set(variant.networks.values()))
    return Facts(variant.labels, scores, fields_of(published))


def listing(published: Published) -> Listed:
    """A variant as a list shows it."""
    searched = tuple(key for key, value in published.wide.items() if isinstance(value, Uniform | Choice))
    return Listed(published.label, published.family, searched, published.sources)


def _fit(architecture: Architecture) -> Fit:
    kind = "images of side" if architecture.sides else "vectors of length"
    return Fit(kind, architecture.sides or architecture.dims or (), architecture.z_dim)


def tabulate() -> Known:
    """What is known, from the modules themselves."""
    every = {name: facts(published) for name, published in TABLE.items()}
    common = set.intersection(*(set(one.fields.items()) for one in every.values()))
    return Known(
        sources=hash_of_sources(),
        common=_all_stored(common),
        variants={name: _variant(one, common) for name, one in every.items()},
        listed={name: listing(published) for name, published in TABLE.items()},
        datasets={name: source.description for name, source in DATASETS.items()},
        architectures={name: _fit(architecture) for name, architecture in ARCHITECTURES.items()},
        optimizers=tuple(OPTIMIZERS),
        precisions=PRECISIONS,
        conditionals=CONDITIONALS,
    )


def _variant(own: Facts, common: Set[tuple[str, Field]]) -> StoredVariant | None:
    try:
        return StoredVariant(own.labels, own.scores, _all_stored(own.fields.items() - common))
    except TypeError:  # another rule than a range or names
        return None


def _all_stored(named: Set[tuple[str, Field]]) -> dict[str, StoredField]:
    return {name: _stored(field) for name, field in sorted(named, key=lambda pair: pair[0])}


def _stored(field: Field) -> StoredField:
    kind, rule = field.kind.__name__, field.rule
    if rule is None or isinstance(rule, OneOf):
        return StoredField(kind, names=rule.names if rule else ())
    if not isinstance(rule, Within):
        raise TypeError(f"a field of type {kind} has the rule {rule}, which JSON cannot hold")
    low, high = (None if math.isinf(end) else float(end) for end in (rule.low, rule.high))
    return StoredField(kind, low, high, rule.open)


if __name__ == "__main__":
    FILE.write_bytes(tabulate().to_json())
