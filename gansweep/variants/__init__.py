"""The variants: published objectives, each a value, with its search spaces and its published default.

To add one: write its losses in a file of this folder, add its line to `VARIANTS`, run the tests.

Source of spaces and defaults: Lucic et al., "Are GANs Created Equal? A Large-Scale Study", 2018,
arXiv:1711.10337, the wide and the narrow ranges and the authors' suggested settings.
"""

import inspect
import re
from dataclasses import dataclass

from gansweep.space import Scalar, Space, choice, loguniform, uniform
from gansweep.variants.base import ScoreGAN, Variant
from gansweep.variants.began import BEGAN
from gansweep.variants.least_squares import LSGAN
from gansweep.variants.minimax import MinMax, NonSaturating
from gansweep.variants.penalties import PENALTIES
from gansweep.variants.vae import VAE
from gansweep.variants.wasserstein import Wasserstein

WIDE: Space = {
    "lr": loguniform(1e-5, 1e-2),
    "beta1": uniform(0, 1),
    "d_batchnorm": choice(False, True),
    "n_critic": choice(1, 5),
}
NARROW: Space = {
    "lr": loguniform(1e-4, 1e-3),
    "beta1": 0.5,
    "d_batchnorm": choice(False, True),
    "n_critic": 1,
}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A variant as published: the objective, what was searched, and how it looks in figures."""

    variant: Variant
    label: str
    family: str
    default: dict[str, Scalar]  # the authors' suggested configuration: trial 0 of every search
    wide: Space
    narrow: Space
    hue: str  # blue, sky, green, orange, verm or purple; variants of one family share one
    filled: bool  # filled or hollow markers: tells the two variants of one hue apart

    @property
    def source(self) -> str:
        """Where the objective, and its penalty if it has one, was published."""
        return "; ".join(_section(text, "Source").rstrip(".") for text in self._docstrings())

    @property
    def deviations(self) -> tuple[str, ...]:
        """How the implementation differs from the source; each ends with a full stop, or is "none."."""
        return tuple(_section(text, "Deviations") for text in self._docstrings())

    def _docstrings(self) -> list[str]:
        texts = [inspect.getdoc(type(self.variant)) or ""]
        if isinstance(self.variant, ScoreGAN) and self.variant.penalty != "none":
            texts.append(inspect.getdoc(PENALTIES[self.variant.penalty].function) or "")
        return texts


def _section(docstring: str, title: str) -> str:
    """The text behind `title:` in a docstring, up to the next section, on one line."""
    found = re.search(rf"^{title}: (.*?)(?=^\w+: |^$|\Z)", docstring, re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def _without(space: Space, *names: str) -> Space:
    return {name: value for name, value in space.items() if name not in names}


VARIANTS: dict[str, Published] = {
    "mm": Published(
        variant=MinMax(),
        label="MM GAN",
        family="minimax",
        default={"lr": 5e-5, "beta1": 0.0, "d_batchnorm": True, "n_critic": 1},
        wide=WIDE,
        narrow=NARROW,
        hue="blue",
        filled=False,
    ),
    "ns": Published(
        variant=NonSaturating(),
        label="NS GAN",
        family="minimax",
        default={"lr": 5e-5, "beta1": 0.0, "d_batchnorm": True, "n_critic": 1},
        wide=WIDE,
        narrow=NARROW,
        hue="blue",
        filled=True,
    ),
    "lsgan": Published(
        variant=LSGAN(),
        label="LS GAN",
        family="least squares",
        default={"lr": 2e-4, "beta1": 0.5, "d_batchnorm": True, "n_critic": 1},
        wide=WIDE,
        narrow=NARROW,
        hue="green",
        filled=True,
    ),
    "wgan": Published(
        variant=Wasserstein(clip=0.01),
        label="WGAN",
        family="Wasserstein",
        default={"lr": 5e-5, "beta1": 0.5, "d_batchnorm": True, "n_critic": 5, "clip": 0.01},
        wide={**WIDE, "clip": loguniform(1e-3, 1)},
        narrow={**NARROW, "clip": loguniform(1e-2, 1)},
        hue="orange",
        filled=True,
    ),
    "wgan_gp": Published(
        variant=Wasserstein(penalty="gp", penalty_weight=10.0),
        label="WGAN GP",
        family="Wasserstein",
        default={"lr": 1e-4, "beta1": 0.5, "d_batchnorm": False, "n_critic": 5, "penalty_weight": 10.0},
        wide={**WIDE, "penalty_weight": loguniform(1e-1, 1e2)},
        narrow={**NARROW, "d_batchnorm": False, "penalty_weight": loguniform(1e-1, 1e1)},
        hue="orange",
        filled=False,
    ),
    "dragan": Published(
        variant=NonSaturating(penalty="dragan", penalty_weight=10.0),
        label="DRAGAN",
        family="minimax",
        default={"lr": 1e-4, "beta1": 0.5, "d_batchnorm": True, "n_critic": 1, "penalty_weight": 10.0},
        wide={**WIDE, "penalty_weight": loguniform(1e-1, 1e2)},
        narrow={**NARROW, "d_batchnorm": False, "penalty_weight": loguniform(1e-1, 1e1)},
        hue="purple",
        filled=True,
    ),
    "began": Published(
        variant=BEGAN(),
        label="BEGAN",
        family="autoencoder",
        default={
            "lr": 1e-4,
            "beta1": 0.5,
            "d_batchnorm": False,
            "n_critic": 5,
            "k_lr": 1e-3,
            "gamma": 0.75,
        },
        wide={**WIDE, "k_lr": loguniform(1e-4, 1e-2), "gamma": uniform(0, 1)},
        narrow={**NARROW, "k_lr": 1e-3, "gamma": uniform(0.6, 0.9)},
        hue="verm",
        filled=True,
    ),
    "vae": Published(
        variant=VAE(),
        label="VAE",
        family="autoencoder",
        default={"lr": 5e-5, "beta1": 0.5, "d_batchnorm": True},
        wide=_without(WIDE, "n_critic"),
        narrow=_without(NARROW, "n_critic"),
        hue="sky",
        filled=True,
    ),
}
