"""Which objectives cover all modes of a mixture, and which lose some on the way?

Eight Gaussians on a circle and twenty-five on a grid, narrow and far apart: a generator that leaves one out
is seen at once. A quarter of an hour on two free cores; for a verdict, 100 trials and 25,000 steps.

Source: Srivastava et al., "VEEGAN", 2017, arXiv:1705.07761; Lin et al., "PacGAN", 2018, arXiv:1712.04086.
Deviations: smaller networks (two hidden layers of 128 in G, three in D), and the rates are searched for each
variant.
"""

from gansweep import Evaluation, Study, choice, loguniform

STUDY = Study(
    variants=("mm", "ns", "lsgan", "wgan_gp", "ns_r1", "rsgan"),
    datasets=("ring", "grid"),
    space={
        "g_lr": loguniform(1e-4, 3e-3),
        "d_lr": loguniform(1e-4, 3e-3),
        "beta1": choice(0.0, 0.5),
        "d_norm": "none",
        "d_extra_layers": 1,
        "n_critic": 1,
        "penalty_weight": loguniform(1e-3, 10),
    },
    trials=9,
    steps=2500,
    evaluations=5,
    batch_size=128,
    evaluation=Evaluation(metrics=("fid", "modes", "high_quality"), n_images=2500),
    smoke={"trials": 2, "steps": 100, "evaluations": 2},
)
