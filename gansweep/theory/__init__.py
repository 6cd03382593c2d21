"""Exact results: divergences, optimal discriminators, distances of Gaussians, best fits.

Tests and demonstrations compare with them. The package needs numpy, scipy and pandas only.
"""

from gansweep.theory.densities import Density, Gaussian, Mixture1D, integrate
from gansweep.theory.divergences import DIVERGENCES, Divergence, alpha, divergence, js_weighted, jsd
from gansweep.theory.fits import FGAN_MIXTURE, cross_divergences, fit_gaussian
from gansweep.theory.gaussians import (
    CLOSED_FORMS,
    alpha_divergence,
    closed_form,
    fid_bias,
    frechet_distance,
    inception_score,
    sample_wasserstein,
    total_variation,
    wasserstein_1,
    wasserstein_2_squared,
)
from gansweep.theory.optima import (
    OPTIMAL_SCORES,
    bound,
    generator_gradients,
    hinge_optimum,
    least_squares_optimum,
    minimax_value,
    optimal_probability,
    optimal_score,
    optimal_score_alpha,
    optimal_score_js_weighted,
)

__all__ = [
    "CLOSED_FORMS",
    "DIVERGENCES",
    "FGAN_MIXTURE",
    "OPTIMAL_SCORES",
    "Density",
    "Divergence",
    "Gaussian",
    "Mixture1D",
    "alpha",
    "alpha_divergence",
    "bound",
    "closed_form",
    "cross_divergences",
    "divergence",
    "fid_bias",
    "fit_gaussian",
    "frechet_distance",
    "generator_gradients",
    "hinge_optimum",
    "inception_score",
    "integrate",
    "js_weighted",
    "jsd",
    "least_squares_optimum",
    "minimax_value",
    "optimal_probability",
    "optimal_score",
    "optimal_score_alpha",
    "optimal_score_js_weighted",
    "sample_wasserstein",
    "total_variation",
    "wasserstein_1",
    "wasserstein_2_squared",
]
