"""The variants of gansweep itself. To add one: write its losses in a file of this folder, its entry here.

Spaces and defaults of the eight variants of Lucic et al. (2018) are theirs: see `published`. The others have
the same ranges, ours for what is their own, and as default what their authors used, as far as it is stated.
"""

from gansweep.space import Space, loguniform, uniform
from gansweep.variants.acgan import ACGAN
from gansweep.variants.began import BEGAN
from gansweep.variants.ebgan import EBGAN
from gansweep.variants.fgan import FGAN
from gansweep.variants.hinge import Hinge
from gansweep.variants.least_squares import LSGAN
from gansweep.variants.minimax import MaximumLikelihood, MinMax, NonSaturating
from gansweep.variants.published import NARROW, WIDE, Published
from gansweep.variants.relativistic import RelativisticAverage, RelativisticPairing
from gansweep.variants.vae import VAE
from gansweep.variants.wasserstein import ClippedWasserstein, Wasserstein

# For penalties that want slopes of 1 (Lucic et al.), and for those that want slopes of 0.
ONE_WIDE: Space = {**WIDE, "penalty_weight": loguniform(1e-1, 1e2)}
ONE_NARROW: Space = {**NARROW, "d_norm": "none", "penalty_weight": loguniform(1e-1, 1e1)}
ZERO_WIDE: Space = {**WIDE, "penalty_weight": loguniform(1e-2, 1e2)}
ZERO_NARROW: Space = {**NARROW, "d_norm": "none", "penalty_weight": loguniform(1e-2, 1e1)}
MINIMAX = {
    "mm": Published(
        variant=MinMax(),
        label="MM GAN",
        family="minimax",
        default={"lr": 5e-5, "beta1": 0.0, "d_norm": "batch", "n_critic": 1},
        hue="blue",
        marker="diamond",
    ),
    "ns": Published(
        variant=NonSaturating(),
        label="NS GAN",
        family="minimax",
        default={"lr": 5e-5, "beta1": 0.0, "d_norm": "batch", "n_critic": 1},
        hue="blue",
        marker="circle",
    ),
    "ml": Published(
        variant=MaximumLikelihood(),
        label="ML GAN",
        family="minimax",
        default={"lr": 5e-5, "beta1": 0.0, "d_norm": "batch", "n_critic": 1},  # not stated: those of NS
        hue="blue",
        marker="square",
    ),
    "dragan": Published(
        variant=NonSaturating(penalty="dragan", penalty_weight=10.0),
        label="DRAGAN",
        family="minimax",
        default={"lr": 1e-4, "beta1": 0.5, "d_norm": "batch", "n_critic": 1, "penalty_weight": 10.0},
        wide=ONE_WIDE,
        narrow=ONE_NARROW,
        hue="purple",
        marker="circle",
    ),
    "acgan": Published(
        variant=ACGAN(),
        label="AC-GAN",
        family="minimax",
        default={"lr": 2e-4, "beta1": 0.5, "d_norm": "batch", "n_critic": 1, "class_weight": 1.0},
        wide={**WIDE, "class_weight": loguniform(1e-1, 1e1)},
        narrow={**NARROW, "class_weight": 1.0},
        hue="blue",
        marker="pentagon",
    ),
} | {
    f"ns_{penalty}": Published(
        variant=NonSaturating(penalty=penalty, penalty_weight=10.0),
        label=f"NS GAN {penalty.upper()}",
        family="minimax",
        # The authors' RMSProp with decay 0.99 is Adam without its first moment and without the correction
        # that divides the first steps' mean square by 1 - 0.99^t.
        default={
            "lr": 1e-4,
            "beta1": 0.0,
            "beta2": 0.99,
            "d_norm": "none",
            "n_critic": 1,
            "penalty_weight": 10.0,
        },
        wide={**ZERO_WIDE, "beta2": 0.99},
        narrow={**ZERO_NARROW, "beta2": 0.99},
        hue="blue",
        marker=marker,
    )
    for penalty, marker in (("r1", "triangle"), ("r2", "nabla"))
}
SCORES = {
    "lsgan": Published(
        variant=LSGAN(),
        label="LS GAN",
        family="least squares",
        default={"lr": 2e-4, "beta1": 0.5, "d_norm": "batch", "n_critic": 1},
        hue="green",
        marker="circle",
    ),
    "hinge": Published(
        variant=Hinge(),
        label="Hinge GAN",
        family="hinge",
        # Lim and Ye use RMSProp, and ten steps of G for one of D, which a round does not have.
        default={"lr": 2e-4, "beta1": 0.0, "d_norm": "batch", "n_critic": 1},
        hue="green",
        marker="diamond",
    ),
    "sngan": Published(
        variant=Hinge(),
        label="SN GAN",
        family="hinge",
        default={"lr": 2e-4, "beta1": 0.0, "beta2": 0.9, "d_norm": "spectral", "n_critic": 5},
        wide={**WIDE, "d_norm": "spectral", "beta2": 0.9},
        narrow={**NARROW, "d_norm": "spectral", "beta2": 0.9},
        hue="green",
        marker="square",
    ),
    "wgan": Published(
        variant=ClippedWasserstein(),
        label="WGAN",
        family="Wasserstein",
        default={"lr": 5e-5, "beta1": 0.5, "d_norm": "batch", "n_critic": 5, "clip": 0.01},
        wide={**WIDE, "clip": loguniform(1e-3, 1)},
        narrow={**NARROW, "clip": loguniform(1e-2, 1)},
        hue="orange",
        marker="circle",
    ),
} | {
    f"wgan_{penalty}": Published(
        variant=Wasserstein(penalty=penalty, penalty_weight=10.0),
        label=f"WGAN {penalty.upper()}",
        family="Wasserstein",
        # Petzka et al. (lp) compare penalties only, so both have the settings of the first.
        default={"lr": 1e-4, "beta1": 0.5, "d_norm": "none", "n_critic": 5, "penalty_weight": 10.0},
        wide=ONE_WIDE,
        narrow=ONE_NARROW,
        hue="orange",
        marker=marker,
    )
    for penalty, marker in (("gp", "diamond"), ("lp", "square"))
}
RELATIVISTIC = {
    name: Published(
        variant=variant,
        label=label,
        family="relativistic",
        default={"lr": 2e-4, "beta1": 0.5, "d_norm": "spectral", "n_critic": 1},
        hue="purple",
        marker=marker,
    )
    for name, label, variant, marker in (
        ("rsgan", "RS GAN", RelativisticPairing(), "diamond"),
        ("rasgan", "RaS GAN", RelativisticAverage(), "square"),
        ("ralsgan", "RaLS GAN", RelativisticAverage(loss="least_squares"), "triangle"),
        ("rahinge", "RaHinge GAN", RelativisticAverage(loss="hinge"), "nabla"),
    )
} | {
    "r3gan": Published(
        variant=RelativisticPairing(penalty="r1_r2", penalty_weight=0.05),
        label="R3GAN",
        family="relativistic",
        # The authors' for CIFAR-10, where their schedules begin.
        default={
            "lr": 2e-4,
            "beta1": 0.0,
            "beta2": 0.9,
            "d_norm": "none",
            "n_critic": 1,
            "penalty_weight": 0.05,
        },
        wide={**ZERO_WIDE, "beta2": 0.9},
        narrow={**ZERO_NARROW, "beta2": 0.9},
        hue="purple",
        marker="pentagon",
    ),
}
AUTOENCODERS = {
    "ebgan": Published(
        variant=EBGAN(),
        label="EBGAN",
        family="autoencoder",
        # Learning rate and margin of the authors' best network for MNIST; the rest of NS.
        default={"lr": 1e-3, "beta1": 0.0, "d_norm": "batch", "n_critic": 1, "margin": 10.0},
        wide={**WIDE, "margin": loguniform(1, 100)},
        narrow={**NARROW, "margin": loguniform(3, 30)},
        hue="verm",
        marker="diamond",
    ),
    "began": Published(
        variant=BEGAN(),
        label="BEGAN",
        family="autoencoder",
        default={"lr": 1e-4, "beta1": 0.5, "d_norm": "none", "n_critic": 5, "k_lr": 1e-3, "gamma": 0.75},
        wide={**WIDE, "k_lr": loguniform(1e-4, 1e-2), "gamma": uniform(0, 1)},
        narrow={**NARROW, "k_lr": 1e-3, "gamma": uniform(0.6, 0.9)},
        hue="verm",
        marker="circle",
    ),
    "vae": Published(
        variant=VAE(),
        label="VAE",
        family="autoencoder",
        default={"lr": 5e-5, "beta1": 0.5, "d_norm": "batch"},
        wide={name: values for name, values in WIDE.items() if name != "n_critic"},
        narrow={name: values for name, values in NARROW.items() if name != "n_critic"},
        hue="sky",
        marker="circle",
    ),
}


def _fgan(divergence: str, label: str, hue: str, marker: str, **parameters: float) -> Published:
    """One divergence with the authors' settings for MNIST; they state none for its parameters."""
    return Published(
        variant=FGAN(divergence=divergence),
        label=f"f-GAN {label}",
        family="f-divergence",
        default={"lr": 2e-4, "beta1": 0.5, "d_norm": "none", "n_critic": 1, **parameters},
        wide=WIDE | {name: uniform(0.05, 0.8) for name in parameters},
        narrow=NARROW | {name: uniform(0.25, 0.75) for name in parameters},
        hue=hue,
        marker=marker,
    )


DIVERGENCES = {
    "fgan_kl": _fgan("kl", "KL", "sky", "diamond"),
    "fgan_reverse_kl": _fgan("reverse_kl", "reverse KL", "sky", "square"),
    "fgan_jeffreys": _fgan("jeffreys", "Jeffreys", "sky", "triangle"),
    "fgan_js": _fgan("js", "JS", "sky", "nabla"),
    "fgan_js_weighted": _fgan("js_weighted", "weighted JS", "sky", "pentagon", pi=0.5),
    "fgan_gan": _fgan("gan", "GAN", "sky", "hexagon"),
    "fgan_alpha": _fgan("alpha", "alpha", "sky", "plus", alpha=0.5),
    "fgan_pearson": _fgan("pearson", "Pearson", "verm", "square"),
    "fgan_neyman": _fgan("neyman", "Neyman", "verm", "triangle"),
    "fgan_hellinger": _fgan("hellinger", "Hellinger", "verm", "nabla"),
    "fgan_tv": _fgan("tv", "TV", "verm", "pentagon"),
}

TABLE: dict[str, Published] = {
    **MINIMAX,
    **SCORES,
    **RELATIVISTIC,
    **AUTOENCODERS,
    **DIVERGENCES,
}
