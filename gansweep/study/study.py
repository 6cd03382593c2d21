"""A study: what is compared, on which data, with how much effort. A Python value; resolved, it is JSON."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from gansweep.errors import UserError, refuse, unknown
from gansweep.evaluation import Evaluation
from gansweep.fields import Count, Names, Positive, Seed, make_plain, plain, whole
from gansweep.results.plan import MOST_EVALUATIONS, MOST_TRIALS, Confirm, Halving, Replicate
from gansweep.space import Space

if TYPE_CHECKING:  # their modules import torch, which is wanted only once a study is made
    from gansweep.data import Dataset


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is compared: every variant on every data set, each given the same search.

    Raises:
        UserError: a value that cannot be; said with the rule, the value and the nearest valid name.
    """

    variants: Names  # keys of VARIANTS
    datasets: Names  # names of data sets, as for data.load
    space: str | Space = "wide"  # the published "wide" or "narrow" space of each variant, or one of your own
    # Configurations of each variant on each data set; the first is the published default.
    trials: Annotated[int, whole(1, MOST_TRIALS)]
    steps: Count  # updates of the discriminator (of the only player, for a VAE)
    evaluations: Annotated[int, whole(1, MOST_EVALUATIONS)] = (
        5  # evenly spaced; the best one scores the trial
    )
    sampler: str = "random"
    halving: Halving | None = None  # whether the search prunes trials, by successive halving or Hyperband
    same_configurations: bool = False  # of a variant on all data sets; a random search can have them
    seed: Seed = 0  # of the search and, with the trial's number, of its training
    # A key of ARCHITECTURES, or one for each of some data sets; "auto" takes the one made for the data.
    architecture: str | Mapping[str, str] = "auto"
    batch_size: Annotated[int, whole(2, 100_000)] = 64
    optimizer: str = "adam"
    conditional: str = "none"  # how labels enter D: "concat" or "projection"; G has them beside z
    precision: str = "highest"  # of products of matrices in training; "high" or "medium": see docs/speed.md
    compile: bool = False  # whether a compiler makes one program of a round, once for each shape of pack
    evaluation: Evaluation = field(default_factory=Evaluation)
    confirm: Confirm | None = None  # whether to run winners again on fresh seeds
    replicate: Replicate | None = None  # whether to run random configurations again on fresh seeds
    time_limit_seconds: Positive = 86_400.0  # a trial's own share of its pack's time
    smoke: Mapping[str, Any] = field(default_factory=dict)  # fields (n_images too) that --smoke changes
    small: Mapping[str, Any] = field(default_factory=dict)  # and --scale small, for an hour on a CPU

    def __new__(cls, *_: object, **given: object) -> Self:
        """Say all that is wrong where a field is unknown, which otherwise ends with a TypeError for one."""
        names = {field.name: field for field in fields(cls)}
        study = super().__new__(cls)
        odd = [str(unknown("field of Study", name, names)) for name in given if name not in names]
        if odd:
            required = [f for f in names.values() if f.default is MISSING and f.default_factory is MISSING]
            missing = [field.name for field in required if field.name not in given]
            odd += [f"{name} is missing" for name in missing]
            raise UserError(*odd, *_of_given(study, given, missing))
        return study

    def __post_init__(self) -> None:
        from gansweep.study.checks import mistakes

        make_plain(self)
        if isinstance(self.space, dict):
            object.__setattr__(self, "space", {name: plain(value) for name, value in self.space.items()})
        refuse(*mistakes(self))

    def architecture_of(self, dataset: "Dataset") -> str:
        """The architecture for a data set.

        Raises:
            UserError: it is not made for such data.
        """
        from gansweep.networks import architecture_for, check_fits

        chosen = self.architecture
        name = chosen if isinstance(chosen, str) else chosen.get(dataset.name, "auto")
        name = architecture_for(dataset.shape) if name == "auto" else name
        check_fits(name, dataset.shape)
        return name

    def is_conditional(self, variant: str) -> bool:
        """Whether the generators of a variant are given labels."""
        from gansweep.variants import VARIANTS

        return self.conditional != "none" or VARIANTS[variant].variant.labels

    def space_of(self, variant: str) -> Space:
        """The space of one variant: of a space of your own, the part that the variant has."""
        from gansweep.training.member import searchable
        from gansweep.variants import VARIANTS

        published = VARIANTS[variant]
        if isinstance(self.space, str):
            return published.wide if self.space == "wide" else published.narrow
        return {name: value for name, value in self.space.items() if name in searchable(published)}

    def at_smoke_scale(self) -> "Study":
        """The same study at a scale that runs in minutes on a CPU."""
        small: dict[str, Any] = {
            "trials": min(self.trials, 3 if self.replicate or self.halving else 2),
            "halving": self.halving and Halving(eta=2, size=2),
            "steps": min(self.steps, 50),
            "evaluations": min(self.evaluations, 2),
            "n_images": min(self.evaluation.n_images, 1000),
            "confirm": self.confirm and Confirm(top=min(self.confirm.top, 2), reruns=2, seeds=3),
            "replicate": self.replicate and Replicate(configurations=2, seeds=2),
        }
        return self._changed(**(small | dict(self.smoke)))

    def at_small_scale(self) -> "Study":
        """The same study at the scale that it says is its small one.

        Raises:
            UserError: it says nothing of the kind.
        """
        if not self.small:
            raise UserError("the study has no small scale, only --scale smoke: its file has no small={...}")
        return self._changed(**self.small)

    def _changed(self, **changes: Any) -> "Study":
        n_images = changes.pop("n_images", self.evaluation.n_images)
        return replace(self, **changes, evaluation=replace(self.evaluation, n_images=n_images))


def _of_given(study: Study, given: Mapping[str, object], missing: list[str]) -> list[str]:
    """The mistakes in those fields that a study was given, beside unknown and missing ones."""
    from gansweep.study.checks import mistakes

    for each in fields(study):
        default = each.default if each.default_factory is MISSING else each.default_factory()
        object.__setattr__(study, each.name, given.get(each.name, default))
    make_plain(study)
    return mistakes(study, missing)
