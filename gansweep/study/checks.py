"""Checks of a study's fields against one another and against what can be trained."""

from collections.abc import Mapping

from gansweep.errors import UserError, unknown
from gansweep.networks.options import CONDITIONALS
from gansweep.results.halving import check_brackets
from gansweep.results.row import slug
from gansweep.space import INDEPENDENT, SAMPLERS
from gansweep.study.study import Study
from gansweep.training.member import check_values, searchable
from gansweep.training.optimizers import OPTIMIZERS
from gansweep.training.precision import PRECISIONS
from gansweep.variants import VARIANTS


def check_study(study: Study) -> None:
    """Check what one field alone cannot tell.

    Raises:
        UserError: a value that is unknown, or that does not go with another.
    """
    _check_names(study)
    if "fid" not in study.evaluation.metrics:
        raise UserError(
            f"metrics must have 'fid', which scores the trials, but got {study.evaluation.metrics}"
        )
    _check_conditional(study)
    _check_space(study)
    _check_search(study)


def _check_names(study: Study) -> None:
    if len(set(map(slug, study.datasets))) < len(study.datasets):
        raise UserError(f"datasets must have different names as parts of files, but got {study.datasets}")
    for name in study.architecture if isinstance(study.architecture, Mapping) else ():
        if name not in study.datasets:
            raise unknown("data set of architecture", name, study.datasets)
    for variant in study.variants:
        if variant not in VARIANTS:
            raise unknown("variant", variant, VARIANTS)
    for subject, value, known in (
        ("sampler", study.sampler, SAMPLERS),
        ("optimizer", study.optimizer, OPTIMIZERS),
        ("precision", study.precision, PRECISIONS),
        ("way to be conditional", study.conditional, CONDITIONALS),
    ):
        if value not in known:
            raise unknown(subject, value, known)


def _check_conditional(study: Study) -> None:
    for name in study.variants:
        roles = VARIANTS[name].variant.networks.values()
        if study.conditional == "projection" and not {"discriminator", "auxiliary"} & set(roles):
            raise UserError(
                f"conditional='projection' needs a D that gives scores, and {name} has none: use 'concat'"
            )


def _check_space(study: Study) -> None:
    if isinstance(study.space, str):
        if study.space not in ("wide", "narrow"):
            raise unknown("space", study.space, ("wide", "narrow"))
        return
    known = set().union(*(searchable(VARIANTS[name]) for name in study.variants))
    for name in study.space:
        if name not in known:
            raise unknown("hyperparameter", name, known)
        check_values(name, study.space[name], [VARIANTS[variant].variant for variant in study.variants])
    if "lr" in study.space and {"g_lr", "d_lr"} & study.space.keys():
        raise UserError("a space has either lr or g_lr and d_lr, but got both")


def _check_search(study: Study) -> None:
    if study.same_configurations and study.sampler != "random":
        raise UserError(
            f"same_configurations needs the sampler 'random', but the sampler is {study.sampler!r}"
        )
    if study.replicate and study.replicate.configurations > study.trials - 1:
        raise UserError(
            f"replicate must have at most {study.trials - 1} configurations, as the search has "
            f"beside the default, but got {study.replicate.configurations}"
        )
    if study.halving and study.sampler not in INDEPENDENT:
        raise UserError(
            f"halving needs a sampler that needs no results, {' or '.join(INDEPENDENT)}, but the sampler "
            f"is {study.sampler!r}"
        )
    if study.halving:
        check_brackets(study.halving, study.trials, study.evaluations)
