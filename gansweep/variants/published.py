"""Published variants: an objective with its label, default configuration, search spaces and look in figures.

Source of spaces and defaults: Lucic et al., "Are GANs Created Equal? A Large-Scale Study", 2018,
arXiv:1711.10337, the wide and the narrow ranges and the authors' suggested settings. Variants that are not in
that study have the same ranges, our own ranges for fields of their own, and the settings of their authors as
default, as far as they are stated.
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
# Spaces for penalties with target slope 1 (Lucic et al.) and with target slope 0.
SLOPE_ONE_WIDE: Space = {**WIDE, "penalty_weight": loguniform(1e-1, 1e2)}
SLOPE_ONE_NARROW: Space = {**NARROW, "d_norm": "none", "penalty_weight": loguniform(1e-1, 1e1)}
SLOPE_ZERO_WIDE: Space = {**WIDE, "penalty_weight": loguniform(1e-2, 1e2)}
SLOPE_ZERO_NARROW: Space = {**NARROW, "d_norm": "none", "penalty_weight": loguniform(1e-2, 1e1)}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A variant as published: the objective, its search spaces and its look in figures."""

    variant: Variant
    label: str
    family: str
    default: Mapping[str, Scalar]  # the authors' suggested configuration: trial 0 of every search
    wide: Space = field(default_factory=lambda: dict(WIDE))
    narrow: Space = field(default_factory=lambda: dict(NARROW))
    hue: str = "blue"  # one of HUES, shared by the variants of a family
    marker: str = "circle"  # one of MARKERS
    revision: int = 1  # raised where the objective changes, so that no study mixes results of two

    @property
    def source(self) -> str:
        """The publications of the objective and of its penalty, if it has one."""
        return "; ".join(self.sources)

    @property
    def sources(self) -> tuple[str, ...]:
        """The publications, one by one."""
        return tuple(_section(text, "Source").rstrip(".") for text in self._docstrings())

    @property
    def deviations(self) -> tuple[str, ...]:
        """The differences from each source; each text ends with a full stop, or is "none."."""
        return tuple(_section(text, "Deviations") for text in self._docstrings())

    def _docstrings(self) -> list[str]:
        texts = [inspect.getdoc(type(self.variant)) or ""]
        if isinstance(self.variant, PenalizedGAN) and self.variant.penalty != "none":
            texts.append(inspect.getdoc(PENALTIES[self.variant.penalty].function) or "")
        return texts


def _section(docstring: str, title: str) -> str:
    """Returns the text after `title:` in a docstring, up to the next section, on one line."""
    found = re.search(rf"^{title}: (.*?)(?=^\w+: |^$|\Z)", docstring, re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""
