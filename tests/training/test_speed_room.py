"""The room `training/speed` and the environment of workers change no number and do what they are for."""

import os
import subprocess
import sys

import pytest
import ray
import torch

from gansweep import data
from gansweep.contracts import CONTRACTS
from gansweep.contracts.specimen import Specimen
from gansweep.run.ray.connect import KEEP_FREED_MEMORY
from gansweep.training import losses
from gansweep.training import pack as packs
from gansweep.training.member import make_member
from gansweep.training.pack import Pack
from gansweep.variants import VARIANTS

FAST = [name for name in ("ns", "began", "wgan_gp") if name in VARIANTS]


@pytest.fixture
def without_speed(monkeypatch):
    """Packs without the room: both of its calls return the function itself."""
    monkeypatch.setattr(losses, "traced", lambda function, *_: function)
    monkeypatch.setattr(packs, "cuda_graphed", lambda function, *_: function)


def trained(variant: str, norm: str) -> list[torch.Tensor]:
    """The parameters of three members after some rounds, of which the last ones are traced."""
    members = [
        make_member(
            VARIANTS[variant],
            {"lr": 1e-3 * (i + 1), "beta1": 0.3 * i, "d_norm": norm, "g_ema": 0.9},
            trial_id=str(i),
            dataset="digits",
            architecture="conv8",
            seed=i,
            batch_size=16,
        )
        for i in range(3)
    ]
    pack = Pack(members, data.load("digits"), torch.device("cpu"))
    pack.round()
    pack.trace()
    for _ in range(4):
        pack.round()
    pack.select([2, 0])
    pack.round()
    return [value for player in pack.players.values() for value in player.tensors().values()]


@pytest.mark.parametrize(("variant", "norm"), [("ns", "batch"), ("wgan_gp", "none"), ("hinge", "spectral")])
def test_packs_end_with_the_same_bits_without_the_room(variant, norm, request):
    expected = trained(variant, norm)
    request.getfixturevalue("without_speed")
    for got, wanted in zip(trained(variant, norm), expected, strict=True):
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("contract", ["in a pack", "resumed", "without a member", "diverged neighbour"])
def test_contracts_of_training_hold_without_the_room(name, contract, without_speed):
    CONTRACTS[contract](Specimen(name, VARIANTS[name]))


FAULTS = """
import resource

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def round_():
    buffers = [b"x" * 4_000_000 for _ in range(20)]

round_(), round_()
before = faults()
round_()
print(faults() - before)
"""


def page_faults(environment: dict[str, str]) -> int:
    """Page faults of a process that allocates 80 MB again."""
    words = [sys.executable, "-c", FAULTS]
    done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="the C library is not that of GNU")
def test_the_environment_of_workers_keeps_freed_memory():
    assert page_faults({}) > 5000
    assert page_faults(KEEP_FREED_MEMORY) < 500


def test_a_worker_starts_with_the_environment(local_ray):
    @ray.remote(num_cpus=1, runtime_env={"env_vars": KEEP_FREED_MEMORY})
    def variables():
        with open("/proc/self/environ") as file:  # as it was when the process started, which glibc read
            return file.read().split("\0")

    assert {f"{name}={value}" for name, value in KEEP_FREED_MEMORY.items()} < set(ray.get(variables.remote()))


def test_the_names_in_a_checkpoint_stay_those_of_older_versions():
    member = make_member(
        VARIANTS["hinge"],
        {"lr": 1e-3, "d_norm": "spectral", "g_ema": 0.9},
        trial_id="0",
        dataset="digits",
        architecture="conv8",
        seed=0,
        batch_size=16,
    )
    state = Pack([member], data.load("digits"), torch.device("cpu")).state(0)
    assert set(state) == {"rounds", "scalars", "singular", "players"}
    assert {key.rpartition(".")[2] for key in state["singular"]["D"]} == {"u", "v"}
    adam = {"params", "exp_avg", "exp_avg_sq", "step"}
    assert set(state["players"]["discriminator"]) == adam
    assert set(state["players"]["generator"]) == adam | {"average"}
