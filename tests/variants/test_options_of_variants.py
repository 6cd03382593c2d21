"""Options of training with every kind of variant, on images and on vectors, packed as in plain PyTorch."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from gansweep.contracts.comparison import TOLERANCE, require_bits, require_same_way
from gansweep.contracts.eager import PlainTrainer
from gansweep.contracts.specimen import weights
from gansweep.networks.options import CONDITIONALS, NORMS
from gansweep.training.member import make_member
from gansweep.training.pack import Pack
from gansweep.variants import VARIANTS

CPU = torch.device("cpu")
ARCHITECTURES = {"image": "conv8", "vector": "mlp"}
NAMES = ("ns", "vae", "began", "ebgan", "acgan", "wgan", "r3gan", "dragan", "rahinge", "fgan_alpha")
EXTRAS = {"d_dropout": 0.3, "d_noise": 0.1, "output": "tanh", "g_ema": 0.9, "d_extra_layers": 1}


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def dataset_of(kind, images):
    points = torch.randn(64, 2, generator=torch.Generator().manual_seed(1))
    return images if kind == "image" else replace(images, kind="vector", train=points, test=points)


def members_of(name, kind, options, conditional):
    """Two that differ in seed, rates and average."""
    published = VARIANTS[name]
    likelihood = {"image": "bernoulli", "vector": "gaussian"}[kind]
    own = {"likelihood": likelihood} if name == "vae" else {"n_critic": 2}
    first = make_member(
        published,
        {**published.default, **own, **options},
        trial_id="0",
        seed=0,
        dataset="random",
        architecture=ARCHITECTURES[kind],
        batch_size=8,
        conditional=conditional,
    )
    return [first, replace(first, trial_id="1", seed=1, d_lr=3e-4, g_ema=first.g_ema / 2)]


def cases(name):
    """Each norm with no more and with all the rest, the ways to be conditional taking turns."""
    scores = "D" in VARIANTS[name].variant.networks and name not in ("began", "ebgan")
    kinds = CONDITIONALS if scores else CONDITIONALS[:2]
    for i, (d_norm, extras) in enumerate(product(NORMS, ({}, EXTRAS))):
        yield {"d_norm": d_norm, **extras}, kinds[(i // 2) % len(kinds)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("name", NAMES)
def test_a_pack_of_any_variant_with_any_options_trains_like_plain_pytorch(name, kind, images, double):
    dataset = dataset_of(kind, images)
    for options, conditional in cases(name):
        members = members_of(name, kind, options, conditional)
        pack = Pack(members, dataset, CPU)
        start, eager = weights(pack), PlainTrainer(members[1], dataset, torch.float64)
        for _ in range(2):
            pack.round()
            eager.round()
        what = f"{name} with {options} and conditional={conditional!r}"
        require_same_way(what, weights(pack)[1], eager.parameters(), start[1], TOLERANCE)

        pack.select([1])
        resumed = Pack(members[1:], dataset, CPU)
        resumed.restore([pack.state(0)])
        for each in (pack, resumed):
            each.round()
        require_bits(f"{what}, resumed alone", weights(resumed)[0], weights(pack)[0])
