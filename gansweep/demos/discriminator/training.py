"""A training on data of one dimension: densities and scores at many times."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call

from gansweep import data
from gansweep.demos import TARGETS, require_demo
from gansweep.demos.discriminator.optimum import (
    Array,
    OptimalScore,
    Optimum,
    fitted,
    optimal_score_of,
    optimum_of,
    probability,
)
from gansweep.errors import UserError
from gansweep.networks.options import NO_BINDING
from gansweep.theory import FGAN_MIXTURE, Gaussian, Mixture1D
from gansweep.training.member import Member, make_member
from gansweep.training.pack import Pack
from gansweep.training.randomness import latents
from gansweep.variants import VARIANTS, Published

_DENSITIES = {
    "gaussian": Mixture1D(weights=(1.0,), means=(0.0,), sds=(1.0,)),
    "mixture": FGAN_MIXTURE,
}
_N_SAMPLES, _N_POINTS = 8000, 300  # samples that p_g is estimated from; points on the axis
_BANDWIDTH = 0.15  # standard deviation of the kernel; the target is blurred by it too, so that both compare
_RARE = 0.005  # of the largest density: D is not shown at rarer points


@dataclass(frozen=True)
class Snapshot:
    """The game after `step` updates of D; arrays [n] over the axis, in [0, 1] except q >= 0."""

    step: int
    q: Array  # the density of G's samples
    optimum: Array  # the best D against these samples; NaN where data and samples are rare
    discriminator: Array  # the trained D; NaN at the same points
    jsd: float  # the Jensen-Shannon divergence of data and samples
    gap: float  # the mean of |D - optimum| over data and samples


@dataclass(frozen=True)
class Training:
    """A training as seen at evenly spaced snapshots, the untrained game first. x, p: [n]."""

    variant: str
    label: str
    dataset_label: str
    ideal: str  # what the optimum is
    is_fitted: bool  # D's score has no scale of its own: it is shifted and scaled to fit the optimum
    has_diverged: bool  # and ends with the last snapshot before
    x: Array
    p: Array
    snapshots: list[Snapshot]


def record_training(name: str, target: str, steps: int, n_snapshots: int = 41) -> Training:
    """Train a variant on a target of TARGETS and take `n_snapshots` snapshots.

    Raises:
        UserError: the variant or target is unknown, or the variant's D gives no score.
    """
    published = _check(name, target)
    source, density = TARGETS[target], _DENSITIES[target]
    dataset = data.load(source)
    x = np.linspace(density.mean - 3.5 * density.sd, density.mean + 3.5 * density.sd, _N_POINTS)
    p = np.exp(_blurred(density).log_density(x))
    pack = Pack([_member(name, published, source)], dataset, torch.device("cpu"))
    ideal, reading = optimum_of(published.variant), optimal_score_of(published.variant)
    snapshots = [
        _snapshot(step, p, q, score, ideal, reading, float(x[1] - x[0]))
        for step, q, score in _states(pack, x, steps, n_snapshots)
    ]
    return Training(
        name,
        published.label,
        dataset.label,
        ideal.name,
        reading is None,
        len(snapshots) < n_snapshots,
        x,
        p,
        snapshots,
    )


def _check(name: str, target: str) -> Published:
    require_demo(name, target)
    published = VARIANTS[name]
    role = published.variant.networks.get("D")
    if role != "discriminator":
        what = f"is the role {role!r}" if role else "does not exist"
        raise UserError(f"the demonstration draws a D that gives one score for x, but that of {name} {what}")
    return published


def _member(name: str, published: Published, dataset: str) -> Member:
    """The published default except for rates (higher for D) and penalties, which suit data on a line."""
    default = published.default
    common_hp = {
        name: value for name, value in default.items() if name not in ("lr", "g_lr", "d_lr", "d_norm")
    }
    # Batch norm would make D's score of a point depend on the other points.
    norm = "spectral" if default.get("d_norm") == "spectral" else "none"
    hp = common_hp | {"g_lr": 3e-4, "d_lr": 1e-3, "beta1": 0.5, "d_norm": norm, "d_extra_layers": 1}
    # A penalty of 10 outweighs the loss on data this small: D cannot turn its slope round.
    hp |= {"penalty_weight": 0.1} if "penalty_weight" in published.variant.hyperparameters else {}
    common = {"trial_id": name, "dataset": dataset, "architecture": "mlp", "seed": 0, "batch_size": 128}
    return make_member(published, hp, **common)


def _states(pack: Pack, x: Array, steps: int, n: int) -> Iterator[tuple[int, Array, Array]]:
    """Train; at n evenly spaced times the step, the samples' density and D's score, while they are finite."""
    n_steps = pack.members[0].n_steps
    for due in np.linspace(0, max(1, steps // n_steps), n).round().astype(int):
        while pack.rounds < due:
            pack.round()
        q, score = _density(_samples(pack), x), _score(pack, x)
        if not (np.isfinite(score).all() and np.isfinite(q).all()):
            return
        yield pack.rounds * n_steps, q, score


def _snapshot(
    step: int, p: Array, q: Array, score: Array, ideal: Optimum, reading: OptimalScore | None, dx: float
) -> Snapshot:
    optimum = ideal.values(p, q, dx)
    said = probability(reading, score) if reading else fitted(score, optimum, p + q)
    gap = float(np.average(np.abs(said - optimum), weights=p + q))
    mean = np.maximum((p + q) / 2, 1e-300)
    jsd = 0.5 * dx * float(np.sum(_xlogx(p, mean) + _xlogx(q, mean)))
    rare = np.maximum(p, q) < _RARE * p.max()
    optimum, said = (np.where(rare, np.nan, values) for values in (optimum, said))
    return Snapshot(step, q, optimum, said, jsd, gap)


def _xlogx(density: Array, mean: Array) -> Array:
    return density * np.log(np.maximum(density, 1e-300) / mean)


def _samples(pack: Pack) -> Array:
    """Samples [N_SAMPLES] from latents that are the same at every call."""
    z = latents((_N_SAMPLES, pack.z_dim), pack.prior, torch.Generator().manual_seed(0))
    return torch.cat(list(pack.samples(z)), 1)[0, :, 0].double().numpy()


@torch.no_grad()
def _score(pack: Pack, x: Array) -> Array:
    """D's scores [n] of points on the axis."""
    parameters = {key: value[0] for key, value in pack.players["discriminator"].views["D"].items()}
    singular = {key: value[0] for key, value in pack.singular.buffers["D"].items()}
    points = torch.from_numpy(x).float().unsqueeze(1)
    score: torch.Tensor = functional_call(pack.nets["D"], parameters | singular, (points, NO_BINDING))
    return score.flatten().double().numpy()


def _density(samples: Array, x: Array) -> Array:
    """A kernel density estimate at x, [n]."""
    kernels = np.exp(Gaussian(0.0, _BANDWIDTH).log_density(x[:, None] - samples))
    return np.asarray(kernels.mean(axis=1))


def _blurred(density: Mixture1D) -> Mixture1D:
    sds = tuple(float(np.hypot(sd, _BANDWIDTH)) for sd in density.sds)
    return Mixture1D(weights=density.weights, means=density.means, sds=sds)
