"""Which of eight generative models draws small digits best, when each gets the same small search?

The data are scikit-learn's 1,797 images of 8x8 pixels. The whole study takes minutes on a laptop: it shows
what a study is and how to read a report. It is too small for a verdict on the models.
"""

from gansweep import Evaluation, Study, choice, loguniform, uniform

STUDY = Study(
    variants=("mm", "ns", "lsgan", "wgan", "wgan_gp", "dragan", "began", "vae"),
    datasets=("digits",),
    space={
        "lr": loguniform(1e-4, 1e-2),
        "beta1": uniform(0, 0.9),
        "d_norm": choice("none", "batch"),
        "n_critic": 1,
        "clip": loguniform(1e-2, 1),
        "penalty_weight": loguniform(0.1, 10),
        "gamma": uniform(0.3, 0.9),
        "k_lr": loguniform(1e-3, 1e-1),
    },
    trials=12,
    steps=320,
    evaluations=4,
    evaluation=Evaluation(n_images=1000),
    smoke={"trials": 3, "steps": 40, "n_images": 200},
)
