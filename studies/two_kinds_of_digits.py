"""Are eight generative models equal on two kinds of digits, and do their best settings carry over?

The whole protocol at the scale of a CPU: 30 random configurations of each model, the same on small digits
and on MNIST; the best three are run again on three fresh seeds, the one that stands best on ten more; a
validation set selects, the test set reports; six random configurations are run again to tell luck from
settings. It took an hour and a half on two busy cores.

At its small scale (--scale small) four models get seven configurations each; it took 18 minutes.

Source: Lucic et al., "Are GANs Created Equal? A Large-Scale Study", 2018, arXiv:1711.10337.
Deviations: those of the protocol listed in docs/architecture.md; a bundled extractor; small networks, batches
of 32, and an eightieth of the steps.
"""

from gansweep import Confirm, Evaluation, Replicate, Study, choice, loguniform, uniform

STUDY = Study(
    variants=("mm", "ns", "lsgan", "wgan", "wgan_gp", "dragan", "began", "vae"),
    datasets=("digits", "mnist"),
    architecture={"mnist": "conv28"},
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
    same_configurations=True,
    trials=31,
    steps=200,
    evaluations=3,
    batch_size=32,
    evaluation=Evaluation(n_images=1000, metrics=("fid", "isc", "kid"), selection="validation"),
    confirm=Confirm(top=3, reruns=3, seeds=10),
    replicate=Replicate(configurations=6, seeds=2),
    smoke={"trials": 4, "steps": 20, "evaluations": 2, "n_images": 200},
    small={
        "variants": ("ns", "wgan", "wgan_gp", "began"),
        "trials": 7,
        "confirm": Confirm(top=2, reruns=2, seeds=4),
        "replicate": Replicate(configurations=2, seeds=2),
    },
)
