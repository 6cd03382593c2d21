"""Variants with a trap: a member that steps on it hangs or raises, and its neighbours in the pack do not.

A float of a variant cannot be branched on in a loss; a custom function sees it for all members of the pack.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gansweep.space import loguniform, uniform
from gansweep.variants import Published
from gansweep.variants.base import Terms
from gansweep.variants.least_squares import LSGAN

DEADLY = 0.75  # values of `trap` above are, unless traps are disarmed
DISARMED = {"TRAPS": "disarmed"}

POINTS = """[gansweep.variants]
hanging_gan = traps:HANGING
raising_gan = traps:RAISING
hungry_gan = traps:HUNGRY
slow_gan = traps:SLOW
"""


class Trap(torch.autograd.Function):
    """0. Above DEADLY it "hangs" or "raises"; where it is "hungry" it takes a gigabyte for each member."""

    @staticmethod
    def forward(trap: Tensor, kind: str) -> Tensor:
        if kind == "hungry":
            torch.empty(trap.numel() << 30, dtype=torch.uint8)
        elif "TRAPS" not in os.environ and bool((trap > DEADLY).any()):
            if kind == "hangs":
                time.sleep(86_400)
            raise ArithmeticError("stepped on the trap")
        return torch.zeros_like(trap)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None: ...

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[None, None]:
        return None, None

    @staticmethod
    def vmap(info, in_dims, trap: Tensor, kind: str) -> tuple[Tensor, int | None]:
        return Trap.apply(trap, kind), in_dims[0]


@dataclass(frozen=True, kw_only=True)
class TrapGAN(LSGAN):
    """Least squares with a trap.

    Source: a test.
    Deviations: none.
    """

    trap: float = 0.0
    kind: str = "hangs"

    def generator_terms(self, fake: Tensor) -> Terms:
        return super().generator_terms(fake) | {"trap": Trap.apply(self.trap, self.kind)}


@dataclass(frozen=True, kw_only=True)
class SlowGAN(LSGAN):
    """Least squares whose every round takes at least a fixed time, whatever the machine.

    Source: a test.
    Deviations: none.
    """

    def generator_terms(self, fake: Tensor) -> Terms:
        time.sleep(float(os.environ.get("SECONDS_PER_ROUND", "0.05")))
        return super().generator_terms(fake)


SPACE = {"lr": loguniform(1e-4, 1e-3), "trap": uniform(0, 1)}
HANGING, RAISING, HUNGRY = (
    Published(
        variant=TrapGAN(kind=kind),
        label=kind,
        family="trap",
        default={"lr": 1e-4, "trap": 0.0},
        narrow=SPACE,
        wide=SPACE,
    )
    for kind in ("hangs", "raises", "hungry")
)
SLOW = Published(variant=SlowGAN(), label="Slow GAN", family="trap", default={"lr": 1e-4})


def offer(folder: Path) -> dict[str, str]:
    """Offer these variants as an installed package does; the variables for processes that shall have them."""
    info = folder / "traps-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: traps\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parent), os.getcwd()])}
