"""How precisely do generative models draw triangles, and how many of all triangles do they know?

Precision, recall and F1 on a manifold that is known: that of filled triangles. At this scale, a quarter of an
hour on two free cores, it shows what these metrics are; for the published comparison take all variants with
space="wide", architecture="infogan", trials=100, steps=15,625 and `Manifold()` as it stands.

Source: Lucic et al., "Are GANs Created Equal? A Large-Scale Study", 2018, arXiv:1711.10337, section 5.
"""

from gansweep import Evaluation, Manifold, Study, loguniform

STUDY = Study(
    variants=("hinge", "wgan_gp", "vae"),
    datasets=("triangles",),
    architecture="conv28",
    space={"lr": loguniform(7e-4, 2e-3), "beta1": 0.5, "d_norm": "none", "n_critic": 1, "g_ema": 0.99},
    trials=3,
    steps=4000,
    evaluations=1,
    evaluation=Evaluation(
        extractor="mnist",
        n_images=1000,
        metrics=("fid", "polygon_precision", "polygon_recall", "polygon_f1"),
        manifold=Manifold(n_precision=256, n_recall=64, restarts=2, latent_steps=50),
    ),
    smoke={"trials": 1, "steps": 4, "evaluations": 1, "n_images": 200},
)
