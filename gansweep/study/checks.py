"""All that is wrong with a study, as far as the study alone tells it: a sentence each. No torch."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from gansweep.errors import UserError, noting, unknown
from gansweep.fields import field_mistakes
from gansweep.results.halving import check_brackets
from gansweep.results.row import slug
from gansweep.space import INDEPENDENT, SAMPLERS, mistake
from gansweep.study.known import Facts, facts_of, known

if TYPE_CHECKING:
    from gansweep.study.study import Study

NESTED = ("evaluation", "halving", "confirm", "replicate")


def mistakes(study: "Study", missing: Iterable[str] = ()) -> list[str]:
    """Returns every mistake in a study: in a field, in what it names, and between fields.

    missing: fields without a value. What uses a field that is wrong in itself or missing is not checked.
    """
    wrong = field_mistakes(study) | dict.fromkeys(missing, "")
    for name in NESTED:
        value = getattr(study, name)
        if name not in wrong and value is not None and field_mistakes(value):
            wrong[name] = ""  # said where it was made
    found = [sentence for sentence in wrong.values() if sentence]
    for check, used in CHECKS.items():
        if wrong.keys().isdisjoint(used.split()):
            found += check(study)
    return list(dict.fromkeys(found))


def _names(study: "Study") -> Iterator[str]:
    table = known()
    for subject, value, names in (
        ("sampler", study.sampler, SAMPLERS),
        ("optimizer", study.optimizer, table.optimizers),
        ("precision", study.precision, table.precisions),
        ("way to be conditional", study.conditional, table.conditionals),
    ):
        if value not in names:
            yield str(unknown(subject, value, names))


def _datasets(study: "Study") -> Iterator[str]:
    if len(set(map(slug, study.datasets))) < len(study.datasets):
        yield f"datasets must have different names as parts of files, but got {study.datasets}"
    for name in study.datasets:
        if not name.startswith("folder:") and name not in known().datasets:
            yield str(unknown("data set", name, known().datasets))


def _architecture(study: "Study") -> Iterator[str]:
    given = study.architecture
    chosen = given.values() if isinstance(given, Mapping) else [given]
    for name in dict.fromkeys(chosen):
        if name not in ("auto", *known().architectures):
            yield str(unknown("architecture", name, ("auto", *known().architectures)))
    for name in given if isinstance(given, Mapping) else ():
        if name not in study.datasets:
            yield str(unknown("data set of architecture", name, study.datasets))


def _metrics(study: "Study") -> Iterator[str]:
    if "fid" not in study.evaluation.metrics:
        yield f"metrics must have 'fid', which scores the trials, but got {study.evaluation.metrics}"


def _variants(study: "Study") -> Iterator[str]:
    for name in study.variants:
        found: list[str] = []
        with noting(found):
            if not facts_of(name).scores and study.conditional == "projection":
                raise UserError(
                    f"conditional='projection' needs a D that gives scores, and {name} has none: use 'concat'"
                )
        yield from found


def _space(study: "Study") -> Iterator[str]:
    if isinstance(study.space, str):
        if study.space not in ("wide", "narrow"):
            yield str(unknown("space", study.space, ("wide", "narrow")))
        return
    every = [facts.fields for name in study.variants if (facts := _facts(name))]
    names = set().union(*every)
    for name, values in study.space.items():
        having = [fields[name] for fields in every if name in fields]
        if not having and len(every) == len(study.variants):  # else it may be of an unknown variant
            yield str(unknown("hyperparameter", name, names))
        yield from dict.fromkeys(filter(None, (mistake(name, values, field) for field in having)))
    if "lr" in study.space and {"g_lr", "d_lr"} & study.space.keys():
        yield "a space has either lr or g_lr and d_lr, but got both"


def _search(study: "Study") -> Iterator[str]:
    if study.same_configurations and study.sampler != "random":
        yield f"same_configurations needs the sampler 'random', but the sampler is {study.sampler!r}"
    if study.replicate and study.replicate.configurations > study.trials - 1:
        yield (
            f"replicate must have at most {study.trials - 1} configurations, as the search has "
            f"beside the default, but got {study.replicate.configurations}"
        )


def _halving(study: "Study") -> Iterator[str]:
    if study.halving is None:
        return
    if study.sampler in SAMPLERS and study.sampler not in INDEPENDENT:
        yield (
            f"halving needs a sampler that needs no results, {' or '.join(INDEPENDENT)}, but the sampler "
            f"is {study.sampler!r}"
        )
    found: list[str] = []
    with noting(found):
        check_brackets(study.halving, study.trials, study.evaluations)
    yield from found


def _scales(study: "Study") -> Iterator[str]:
    names = changeable(study)
    for name in dict.fromkeys([*study.smoke, *study.small]):
        if name not in names:
            yield str(unknown("field of Study", name, names))


def changeable(study: "Study") -> set[str]:
    """Returns what a scale of a study may change."""
    return {field.name for field in fields(study)} - {"evaluation", "smoke", "small"} | {"n_images"}


def _facts(variant: str) -> Facts | None:
    """What is known of a variant; None: there is no such one."""
    try:
        return facts_of(variant)
    except UserError:
        return None


CHECKS: dict[Callable[["Study"], Iterable[str]], str] = {
    _variants: "variants conditional",
    _datasets: "datasets",
    _names: "sampler optimizer precision conditional",
    _architecture: "architecture datasets",
    _metrics: "evaluation",
    _space: "variants space",
    _search: "sampler trials replicate same_configurations",
    _halving: "halving sampler trials evaluations",
    _scales: "smoke small",
}
"""The checks, each with the fields that it uses."""
