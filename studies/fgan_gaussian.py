"""Does each f-GAN learn the Gaussian that its divergence prefers, and is it best by that divergence?

A generator of two numbers, a mean and a standard deviation, is fitted to a mixture of two Gaussians, which no
single Gaussian equals; so every divergence has another optimum, known by quadrature. All trials have the same
configuration and differ by their seeds only. About five minutes on two cores.

Source: Nowozin, Cseke, Tomioka, "f-GAN", 2016, arXiv:1606.00709, section 2.4.
Deviations: six seeds for each divergence, and eleven divergences for five.
"""

from gansweep import Evaluation, Study

STUDY = Study(
    variants=(
        "fgan_kl",
        "fgan_reverse_kl",
        "fgan_pearson",
        "fgan_neyman",
        "fgan_hellinger",
        "fgan_jeffreys",
        "fgan_js",
        "fgan_js_weighted",
        "fgan_gan",
        "fgan_tv",
        "fgan_alpha",
    ),
    datasets=("mixture_1d",),
    architecture="gaussian",
    space={"g_lr": 1e-3, "d_lr": 2e-3, "beta1": 0.5, "d_norm": "none", "n_critic": 1},
    trials=7,
    steps=4000,
    evaluations=4,
    batch_size=256,
    evaluation=Evaluation(metrics=("fid", "mean", "sd")),
    smoke={"trials": 2, "steps": 100, "evaluations": 2},
)
