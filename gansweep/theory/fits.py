"""The best Gaussian under each divergence for a target that is not Gaussian."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from gansweep.theory.densities import Array, Density, Gaussian, Mixture1D
from gansweep.theory.divergences import DIVERGENCES, divergence, named

FGAN_MIXTURE = Mixture1D(weights=(0.67, 0.33), means=(2.0, -1.0), sds=(1.415, 0.255))
"""The target of the f-GAN study. Nowozin, Cseke, Tomioka (2016, arXiv:1606.00709) fit a Gaussian to a mixture
of two and print the best mean, sd and divergence for five divergences, but not the mixture. The mixture here
was found by solving for those optima and reproduces the fifteen numbers to 4e-4. Its optima are finite
for all `DIVERGENCES`."""

WALL = 1e300  # in place of +inf, because the search subtracts values


def fit_gaussian(name: str, target: Mixture1D) -> Gaussian:
    """Returns the Gaussian Q that minimises D_f(target, Q), to about 1e-6 in mean and sd.

    Searches start at the target's moments and at each component, since reverse KL has a minimum at every
    separate component. The lowest result is returned.
    """
    measure = named(name)

    def cost(parameters: Array) -> float:
        return min(measure(target, Gaussian(parameters[0], float(np.exp(parameters[1])))), WALL)

    starts = [(target.mean, target.sd), *zip(target.means, target.sds, strict=True)]
    searches = [
        minimize(cost, (mean, np.log(sd)), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-13})
        for mean, sd in starts
    ]
    mean, log_sd = min(searches, key=lambda search: search.fun).x
    return Gaussian(float(mean), float(np.exp(log_sd)))


def cross_divergences(target: Density, fits: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Returns D_f(target, Q) for all divergences f (rows) and models Q, given as (mean, sd) (columns)."""
    values = {
        model: [divergence(name, target, Gaussian(*parameters)) for name in DIVERGENCES]
        for model, parameters in fits.items()
    }
    return pd.DataFrame(values, index=pd.Index(DIVERGENCES, name="divergence"))
