"""Are the seven GAN losses of Lucic et al. (2018), and the VAE, equal on MNIST, given the same wide search?

100 configurations for each model, the first being its authors' own; 15,625 steps; the best of five
evaluations on 10,000 images counts. The FID here is that of the bundled MNIST classifier, which tells digits
apart; for figures comparable with the paper's, set extractor="inception".

At its small scale (--scale small) it takes about an hour on two cores: 10 configurations, 1,500 steps,
smaller networks (conv28) and 2,000 images.

Source: Lucic et al., "Are GANs Created Equal? A Large-Scale Study", 2018, arXiv:1711.10337.
Deviations: those of the protocol listed in docs/architecture.md, and the extractor.
"""

from gansweep import Evaluation, Study

STUDY = Study(
    variants=("mm", "ns", "lsgan", "wgan", "wgan_gp", "dragan", "began", "vae"),
    datasets=("mnist",),
    space="wide",
    trials=100,
    steps=15_625,
    evaluation=Evaluation(extractor="mnist", n_images=10_000),
    smoke={"trials": 2, "steps": 40, "n_images": 1000},
    small={"trials": 10, "steps": 1500, "architecture": "conv28", "n_images": 2000},
)
