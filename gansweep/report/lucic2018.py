"""The results that Lucic et al. report, for comparison with a study.

Source: Lucic et al., "Are GANs Created Equal?", 2018, arXiv:1711.10337, the table of the best FID: mean and
standard deviation over 50 seeds of the best of 100 random configurations, as Zhang and Khoreva, 2019,
arXiv:1901.10422, and Dai and Wipf, 2019, arXiv:1903.05789, quote it; these differ for WGAN GP on CelebA (30.0
and 30.3, the first is here). Deviations: (1) the row of the VAE could not be verified: neither quotes it.
"""

from dataclasses import dataclass

EXTRACTOR, N_IMAGES, ARCHITECTURE = "inception", 10_000, "infogan"  # how the authors measured and trained
_OUTLIERS = "outliers left out"
_UNVERIFIED = "unverified"


@dataclass(frozen=True)
class Result:
    """FID as mean and standard deviation over seeds, and what to know about it."""

    mean: float
    sd: float
    note: str = ""


RESULTS = {
    "mnist": {
        "mm": Result(9.8, 0.9),
        "ns": Result(6.8, 0.5),
        "lsgan": Result(7.8, 0.6, _OUTLIERS),
        "wgan": Result(6.7, 0.4),
        "wgan_gp": Result(20.3, 5.0),
        "dragan": Result(7.6, 0.4),
        "began": Result(13.1, 1.0),
        "vae": Result(23.8, 0.6, _UNVERIFIED),
    },
    "fashion_mnist": {
        "mm": Result(29.6, 1.6),
        "ns": Result(26.5, 1.6),
        "lsgan": Result(30.7, 2.2),
        "wgan": Result(21.5, 1.6),
        "wgan_gp": Result(24.5, 2.1),
        "dragan": Result(27.7, 1.2),
        "began": Result(22.9, 0.9),
        "vae": Result(58.7, 1.2, _UNVERIFIED),
    },
    "cifar10": {
        "mm": Result(72.7, 3.6),
        "ns": Result(58.5, 1.9),
        "lsgan": Result(87.1, 47.5),
        "wgan": Result(55.2, 2.3),
        "wgan_gp": Result(55.8, 0.9),
        "dragan": Result(69.8, 2.0),
        "began": Result(71.4, 1.6),
        "vae": Result(155.7, 11.6, _UNVERIFIED),
    },
    "celeba": {
        "mm": Result(65.6, 4.2),
        "ns": Result(55.0, 3.3),
        "lsgan": Result(53.9, 2.8, _OUTLIERS),
        "wgan": Result(41.3, 2.0),
        "wgan_gp": Result(30.0, 1.0),
        "dragan": Result(42.3, 3.0),
        "began": Result(38.9, 0.9),
        "vae": Result(85.7, 3.8, _UNVERIFIED),
    },
}
"""By data set and variant."""

STEPS = {"mnist": 15_625, "fashion_mnist": 15_625, "cifar10": 78_125, "celeba": 101_250}
"""Discriminator steps of the authors' released code, by data set."""
