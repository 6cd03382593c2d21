"""Given the label, which model draws the right digit, and draws it well?

Every G is given labels, and every D but AC-GAN's has them beside its input. Small digits, a small search;
minutes on two cores. For a verdict raise trials to 50 and steps to 5,000.

Source: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv:1411.1784.
"""

from gansweep import Evaluation, Study, choice, loguniform, uniform

STUDY = Study(
    variants=("mm", "ns", "lsgan", "hinge", "wgan_gp", "dragan", "rasgan", "acgan", "began", "vae"),
    datasets=("digits",),
    conditional="concat",
    space={
        "lr": loguniform(2e-4, 5e-3),
        "beta1": uniform(0, 0.9),
        "d_norm": choice("none", "batch"),
        "n_critic": 1,
        "penalty_weight": loguniform(0.1, 10),
        "gamma": uniform(0.3, 0.9),
        "k_lr": loguniform(1e-3, 1e-1),
        "class_weight": loguniform(0.1, 10),
    },
    trials=9,
    steps=600,
    evaluations=4,
    evaluation=Evaluation(n_images=2000, metrics=("fid", "isc", "intra_fid", "accuracy")),
    smoke={"trials": 2, "steps": 40, "evaluations": 2, "n_images": 500},
)
