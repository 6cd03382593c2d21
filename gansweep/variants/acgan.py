"""Auxiliary classifier GAN: D also classifies its input."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from gansweep.space import loguniform
from gansweep.variants.base import Batch, Networks, Terms, Variant, Within
from gansweep.variants.published import NARROW, WIDE, Published


@dataclass(frozen=True, kw_only=True)
class ACGAN(Variant):
    """D tells real from fake and classifies both; G makes samples that D takes for real and for their class.

    D(x) is [B, 1 + n_classes]: the score, then the logits of the classes. G gets the labels of the batch.

    Source: Odena et al., "Conditional Image Synthesis With Auxiliary Classifier GANs", 2016,
        arXiv:1610.09585, eqs. 2 and 3.
    Deviations: 1. G's cost is the non-saturating one (the paper has L_C - L_S); 2. fakes have the labels of
        the real batch (the paper draws labels); 3. the class terms have a weight, which is 1 in the paper.
    """

    networks: ClassVar = {"D": "auxiliary", "G": "generator"}
    labels: ClassVar[bool] = True

    class_weight: Annotated[float, Within(0)] = 1.0  # of the classification terms of both players

    def discriminator_loss(self, nets: Networks, batch: Batch) -> Terms:
        real, fake = nets.D(batch.x), nets.D(nets.G(batch.z))
        return {
            "real": softplus(-real[:, 0]).mean(),
            "fake": softplus(fake[:, 0]).mean(),
            "real_class": self._classification(real, batch.y),
            "fake_class": self._classification(fake, batch.y),
        }

    def generator_loss(self, nets: Networks, batch: Batch) -> Terms:
        fake = nets.D(nets.G(batch.z))
        return {"fake": softplus(-fake[:, 0]).mean(), "fake_class": self._classification(fake, batch.y)}

    def _classification(self, output: Tensor, y: Tensor) -> Tensor:
        return self.class_weight * cross_entropy(output[:, 1:], y)


PUBLISHED = Published(
    variant=ACGAN(),
    label="AC-GAN",
    family="minimax",
    default={"lr": 2e-4, "beta1": 0.5, "d_norm": "batch", "n_critic": 1, "class_weight": 1.0},
    wide={**WIDE, "class_weight": loguniform(1e-1, 1e1)},
    narrow={**NARROW, "class_weight": 1.0},
    hue="blue",
    marker="pentagon",
)
