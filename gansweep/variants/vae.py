"""Variational autoencoder: the baseline without an adversary."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from gansweep.errors import UserError, unknown
from gansweep.fields import OneOf
from gansweep.variants.base import Batch, Data, Networks, Terms, Variant
from gansweep.variants.published import NARROW, WIDE, Published

LIKELIHOODS = ("bernoulli", "gaussian")


@dataclass(frozen=True, kw_only=True)
class VAE(Variant):
    """E and G maximise the evidence lower bound. G is the decoder; the prior of z is standard normal.

    `likelihood` of a pixel or coordinate: "bernoulli" for data in [0, 1], or "gaussian" with unit variance.

    Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, arXiv:1312.6114, eq. 10.
    Deviations: 1. the decoder's output is clamped to [1e-6, 1 - 1e-6] before the logarithm. (The released
        code of Lucic et al. averages the reconstruction over channels; the bound requires the sum used here.)
    """

    players: ClassVar = {"autoencoder": ("E", "G")}
    networks: ClassVar = {"E": "encoder", "G": "decoder"}
    prior: ClassVar[str] = "normal"

    likelihood: Annotated[str, OneOf(LIKELIHOODS)] = "bernoulli"

    def __post_init__(self) -> None:
        if self.likelihood not in LIKELIHOODS:
            raise unknown("likelihood", self.likelihood, LIKELIHOODS)

    def check_data(self, name: str, dataset: Data) -> None:
        if self.likelihood == "bernoulli" and dataset.kind != "image":
            raise UserError(
                f"the Bernoulli likelihood of {name} needs data in [0, 1], which {dataset.name} has not: "
                "set likelihood='gaussian' in the study's space"
            )

    def autoencoder_loss(self, nets: Networks, batch: Batch) -> Terms:
        mean, raw_scale = nets.E(batch.x).chunk(2, dim=1)
        scale = 1e-6 + softplus(raw_scale)
        reconstruction = nets.G(mean + scale * batch.z)
        kl = 0.5 * (mean.square() + scale.square() - 1 - 2 * scale.log()).sum(1)
        return {"reconstruction": self._loss(batch.x, reconstruction).mean(), "kl": kl.mean()}

    def _loss(self, x: Tensor, output: Tensor) -> Tensor:
        """Returns the negative log-likelihood of x per sample, without its constant, [B]."""
        if self.likelihood == "gaussian":
            return 0.5 * (x - output).square().flatten(1).sum(1)
        p = output.clamp(1e-6, 1 - 1e-6)
        return -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)


PUBLISHED = Published(
    variant=VAE(),
    label="VAE",
    family="autoencoder",
    default={"lr": 5e-5, "beta1": 0.5, "d_norm": "batch"},
    wide={name: values for name, values in WIDE.items() if name != "n_critic"},
    narrow={name: values for name, values in NARROW.items() if name != "n_critic"},
    hue="sky",
    marker="circle",
)
