"""What a variant comes with: its label, where it was published, what is searched, how it looks in figures.

Source of spaces and defaults: Lucic et al., "Are GANs Created Equal? A Large-Scale Study", 2018,
arXiv:1711.10337, the wide and the narrow ranges and the authors' suggested settings.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gansweep.space import Scalar, Space, choice, loguniform, uniform
from gansweep.variants.base import PenalizedGAN, Variant
from gansweep.variants.penalties import PENALTIES

HUES = ("blue", "sky", "green", "orange", "verm", "purple")
MARKERS = ("circle", "diamond", "square", "triangle", "nabla", "pentagon", "hexagon", "plus")
WIDE: Space = {
    "lr": loguniform(1e-5, 1e-2),
    "beta1": uniform(0, 1),
    "d_norm": choice("none", "batch"),
    "n_critic": choice(1, 5),
}
NARROW: Space = {
    "lr": loguniform(1e-4, 1e-3),
    "beta1": 0.5,
    "d_norm": choice("none", "batch"),
    "n_critic": 1,
}
# For penalties whose target is a slope of 1, as Lucic et al. have them, and for those whose target is 0.
SLOPE_ONE_WIDE: Space = {**WIDE, "penalty_weight": loguniform(1e-1, 1e2)}
SLOPE_ONE_NARROW: Space = {**NARROW, "d_norm": "none", "penalty_weight": loguniform(1e-1, 1e1)}
SLOPE_ZERO_WIDE: Space = {**WIDE, "penalty_weight": loguniform(1e-2, 1e2)}
SLOPE_ZERO_NARROW: Space = {**NARROW, "d_norm": "none", "penalty_weight": loguniform(1e-2, 1e1)}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A variant as published: the objective, what was searched, and how it looks in figures."""

    variant: Variant
    label: str
    family: str
    default: Mapping[str, Scalar]  # the authors' suggested configuration: trial 0 of every search
    wide: Space = field(default_factory=lambda: dict(WIDE))
    narrow: Space = field(default_factory=lambda: dict(NARROW))
    hue: str = "blue"  # one of HUES; variants of one family share one
    marker: str = "circle"  # one of MARKERS

    @property
    def source(self) -> str:
        """Where the objective, and its penalty if it has one, was published."""
        return "; ".join(self.sources)

    @property
    def sources(self) -> tuple[str, ...]:
        """The same, one by one."""
        return tuple(_section(text, "Source").rstrip(".") for text in self._docstrings())

    @property
    def deviations(self) -> tuple[str, ...]:
        """How the implementation differs from the source; each ends with a full stop, or is "none."."""
        return tuple(_section(text, "Deviations") for text in self._docstrings())

    def _docstrings(self) -> list[str]:
        texts = [inspect.getdoc(type(self.variant)) or ""]
        if isinstance(self.variant, PenalizedGAN) and self.variant.penalty != "none":
            texts.append(inspect.getdoc(PENALTIES[self.variant.penalty].function) or "")
        return texts


def _section(docstring: str, title: str) -> str:
    """The text behind `title:` in a docstring, up to the next section, on one line."""
    found = re.search(rf"^{title}: (.*?)(?=^\w+: |^$|\Z)", docstring, re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""
