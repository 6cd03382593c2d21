"""Energy-based GAN: D is an autoencoder whose reconstruction error is the energy of a sample."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor
from torch.nn.functional import relu

from gansweep.space import loguniform
from gansweep.variants.base import Batch, Network, Networks, Terms, Variant, Within
from gansweep.variants.published import NARROW, WIDE, Published


@dataclass(frozen=True, kw_only=True)
class EBGAN(Variant):
    """D lowers the energy of real samples and raises that of fakes up to a margin; G lowers that of fakes.

    Source: Zhao et al., "Energy-based Generative Adversarial Network", 2016, arXiv:1609.03126, eqs. 1 and 2,
        section 2.3.
    Deviations: 1. no repelling regulariser ("pulling-away term", section 2.4); 2. 1e-8 under the root of the
        norm, which makes it differentiable where the error is zero; 3. the error of n values is multiplied by
        sqrt(784 / n), its unit is that of MNIST: a margin means the same for images of any size.
    """

    networks: ClassVar = {"D": "autoencoder", "G": "generator"}

    # The energy to which D raises fakes, in the unit of the error, 28 at most for images: see `energy`.
    margin: Annotated[float, Within(0)] = 10.0

    def discriminator_loss(self, nets: Networks, batch: Batch) -> Terms:
        fake = energy(nets.D, nets.G(batch.z))
        return {"real": energy(nets.D, batch.x).mean(), "fake": relu(self.margin - fake).mean()}

    def generator_loss(self, nets: Networks, batch: Batch) -> Terms:
        return {"fake": energy(nets.D, nets.G(batch.z)).mean()}


def energy(D: Network, x: Tensor) -> Tensor:
    """Returns the Euclidean reconstruction error of the autoencoder D per sample, [B], in the unit of MNIST.

    Values that are each off by e give 28 e, as those of an image of MNIST, however many they are.
    """
    return (784 * (x - D(x)).flatten(1).square().mean(1) + 1e-8).sqrt()


PUBLISHED = Published(
    variant=EBGAN(),
    label="EBGAN",
    family="autoencoder",
    # Learning rate and margin of the authors' best network for MNIST; the rest of NS.
    default={"lr": 1e-3, "beta1": 0.0, "d_norm": "batch", "n_critic": 1, "margin": 10.0},
    wide={**WIDE, "margin": loguniform(1, 25)},
    narrow={**NARROW, "margin": loguniform(3, 20)},
    revision=2,  # the energy scales with the size of a sample
    hue="verm",
    marker="diamond",
)
