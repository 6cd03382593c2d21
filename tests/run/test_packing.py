"""How trials are packed: chosen from measurements, kept with the study, bounded by what there is."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from msgspec import structs
from rows import row_of

from gansweep import data
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation
from gansweep.evaluation.evaluator import Evaluator
from gansweep.evaluation.reference import build_reference
from gansweep.results.records import Hardware
from gansweep.results.row import Outcome
from gansweep.results.row_file import RowWriter
from gansweep.run.forecast import plan
from gansweep.run.manifest import manifest_of
from gansweep.run.packing import (
    Packing,
    Probed,
    choose,
    choose_packing,
    combine,
    enough,
    on_cpu,
    read_packing,
    to_json,
)
from gansweep.run.search.imagined import jobs_by_cell
from gansweep.study.resolve import resolve
from gansweep.study.study import Study
from gansweep.training.member import Member
from gansweep.training.sizing import probe
from gansweep.training.sizing.estimate import member_bytes
from gansweep.training.sizing.probe import Device, Measurement, largest_member, try_sizes
from gansweep.variants import VARIANTS
from gansweep.variants.hinge import Hinge

GB = 10**9
H200 = Device("H200", memory=140 * GB, n_cpus=16, host_memory=128 * GB)
CPUS = Hardware(nodes=1, cpus=2, gpus=0, most_cpus=2, gb_per_cpu=8.0)
GPUS = structs.replace(CPUS, most_gpus=1, gpu_kinds=["H200"], gpus_of_a_node=1)
STUDY = Study(
    variants=("ns", "wgan_gp"),
    datasets=("digits",),
    trials=64,
    steps=10,
    evaluation=Evaluation(n_images=100),
)


@dataclass(frozen=True)
class Wish:
    pack_size: int | None = None
    gpus_per_pack: float | None = None
    results: Path = Path("results")


def tried(*entries, first=1):
    """Packs of `first` members, twice that, ..., from (rate, busy, gigabytes) each; None: no memory."""
    return tuple(
        Measurement(first << i, False)
        if entry is None
        else Measurement(first << i, True, entry[0], entry[1], int(entry[2] * GB), 2 * GB)
        for i, entry in enumerate(entries)
    )


def chosen(*entries, device=H200, asked=None, first=1):
    return choose(Probed(device, tried(*entries, first=first)), asked)


@pytest.mark.parametrize(
    ("entries", "size", "gpus"),
    [
        ([(10, 0.2, 1), (19, 0.4, 1.1), (36, 0.8, 1.2), (38, 0.95, 1.4)], 4, 0.5),
        ([(10, 0.2, 1), (19, 0.4, 1.1), (36, 0.95, 1.2), (38, 0.99, 1.4)], 4, 1.0),
        ([(10, 0.95, 30), (10.5, 0.99, 59)], 1, 1.0),  # it fills the GPU alone
        ([(10, 0.1, 20), (20, 0.2, 40), (40, 0.45, 80)], 4, 1.0),  # a second one would not fit, nor would 8
        ([(10, 0.1, 20), (20, 0.2, 40), None], 2, 0.5),  # out of memory is an answer
        ([None], 1, 1.0),
        ([(10, 0.01, 1)], 1, 0.125),  # eight at most
        ([(10, 0.0, 1)], 1, 0.125),
        ([(10, 0.31, 1)], 1, 0.3333),  # three of them are no more than one GPU
    ],
)
def test_the_size_of_packs_and_their_share_of_a_gpu(entries, size, gpus):
    found = chosen(*entries)
    assert (found.pack_size, found.gpus) == (size, gpus)
    assert found.why.startswith("on H200: ") and found.kinds == ("H200",)


def test_why_is_said_in_words():
    assert chosen((10, 0.3, 1), (11, 0.3, 1.1), (11.5, 0.3, 1.2)).why == (
        "on H200: a pack of 4 is only 1.05 times as fast as one of 2; "
        "one of 2 keeps the GPU busy for 30% of the time, so 3 share it"
    )
    assert chosen((10, 1.0, 60), None).why == (
        "on H200: a pack of 2 needs more than 80% of the memory; "
        "one of 1 keeps the GPU busy for 100% of the time"
    )


def test_what_shares_a_gpu_has_a_cpu_each_and_the_memory_of_the_machine():
    few = replace(H200, n_cpus=2.5)
    assert chosen((10, 0.01, 1), device=few).gpus == 0.5
    assert chosen((10, 0.01, 1), device=replace(few, n_cpus=0.5)).gpus == 1.0
    small = replace(H200, host_memory=8 * GB)  # each pack takes two
    assert chosen((10, 0.01, 1), device=small).gpus == 0.3333


def test_a_share_that_is_asked_for_bounds_the_pack():
    entries = ((10, 0.1, 10), (20, 0.2, 20), (40, 0.4, 40), (80, 0.8, 80))
    assert chosen(*entries).pack_size == 8
    found = chosen(*entries, asked=0.25)  # of 140 GB, and of that four fifths
    assert (found.pack_size, found.gpus) == (2, 0.25)
    assert chosen(*entries, asked=2).gpus == 2


def test_shares_never_add_up_to_more_than_a_gpu_where_ray_rounds():
    for busy in (0.1 * i for i in range(1, 10)):
        gpus = chosen((10, busy, 1)).gpus
        assert round(gpus * 1e4) * round(1 / gpus) <= 1e4


def test_of_several_kinds_of_gpus_the_least_decides():
    t4 = Device("T4", memory=16 * GB, n_cpus=4, host_memory=16 * GB)
    entries = ((10, 0.3, 5), (20, 0.6, 9), (40, 0.9, 17))
    both = combine([chosen(*entries), chosen(*entries, device=t4)])
    assert (both.pack_size, both.gpus, both.kinds) == (2, 1.0, ("H200", "T4"))
    assert "T4" in both.why and len(both.measured) == 2


@pytest.fixture(scope="module")
def digits():
    dataset = data.load("digits")
    return dataset, resolve("s", "", STUDY, {"digits": dataset})


def write_manifest(folder, digits, packing):
    """A manifest with a packing."""
    dataset, study = digits
    reference = build_reference(dataset, STUDY.evaluation)
    manifest = manifest_of(study, {"digits": dataset}, {"digits": reference}, {"digits": 9.0}, CPUS)
    packed = structs.replace(manifest, packing=to_json(packing))
    (folder / "manifest.json").write_text(json.dumps(packed.to_json()))


def packing_in(folder, digits, hardware, wish=Wish(), entries=None):
    """What is chosen in a folder, and the sizes that were tried for it."""
    asked = []

    def probe(folder, name, sizes, kinds):
        asked.append((name, list(sizes), list(kinds)))
        return [Probed(H200, tried(*entries, first=sizes[0]), "" if entries else "its node was lost")]

    found = choose_packing(folder, digits[1], {"digits": digits[0]}, wish, hardware, probe)
    write_manifest(folder, digits, found)
    return found["digits"], asked


def test_on_cpus_the_same_pack_every_time(tmp_path, digits):
    found, asked = packing_in(tmp_path, digits, CPUS)
    assert (found.pack_size, found.gpus, asked) == (16, 0.0, [])
    assert found.why == "by the size of the networks"
    assert packing_in(tmp_path, digits, structs.replace(CPUS, gb_per_cpu=3.0))[0] == found


def test_on_gpus_packs_are_tried_once_for_a_study(tmp_path, digits):
    entries = ((10, 0.2, 1), (20, 0.5, 1), (21, 0.5, 1))
    found, asked = packing_in(tmp_path, digits, GPUS, entries=entries)
    assert (found.pack_size, found.gpus) == (2, 0.5)
    assert asked == [("digits", [1, 2, 4, 8, 16, 32, 64], ["H200"])]
    assert read_packing(tmp_path) == {"digits": found}
    again = partial(packing_in, tmp_path, digits, entries=((99, 1.0, 1),))
    assert again(GPUS) == (found, [])
    assert again(structs.replace(GPUS, gpu_kinds=[])) == (found, [])  # its nodes are not up yet
    assert again(GPUS, Wish(pack_size=2)) == (found, [])
    other, asked = again(structs.replace(GPUS, gpu_kinds=["T4"]))
    assert asked[0][2] == ["T4"] and other.pack_size == 1


def test_what_is_asked_for_is_what_is_done(tmp_path, digits):
    found, asked = packing_in(tmp_path, digits, GPUS, Wish(8, 0.5))
    assert (found.pack_size, found.gpus, found.why, asked) == (8, 0.5, "as requested", [])
    found, asked = packing_in(tmp_path, digits, GPUS, Wish(pack_size=5), [(10, 0.4, 1)])
    assert (found.pack_size, found.gpus, asked[0][1]) == (5, 0.3333, [5])
    found, asked = packing_in(tmp_path, digits, GPUS, Wish(gpus_per_pack=0))
    assert (found.pack_size, found.gpus, asked) == (16, 0.0, [])


def test_a_packing_that_could_not_be_tried_is_a_rule(tmp_path, digits):
    found, _ = packing_in(tmp_path, digits, GPUS, entries=[])
    assert (found.pack_size, found.gpus) == (128, 1.0)
    assert found.why == "by the size of the networks: packs could not be tried: its node was lost"


@pytest.mark.parametrize(
    ("changes", "wish", "message"),
    [
        (
            {},
            Wish(gpus_per_pack=2),
            "gpus_per_pack must be at most 1, as many as one node here has, but got 2",
        ),
        ({"gpus_of_a_node": 4}, Wish(gpus_per_pack=1.5), "gpus_per_pack must be a whole number above 1"),
        (
            {"gpus_of_a_node": 0, "most_cpus": 0},
            Wish(),
            "a pack needs a CPU, and no node",
        ),
        ({"most_cpus": 0}, Wish(gpus_per_pack=0), "a pack needs a CPU, and no node"),
    ],
)
def test_a_pack_that_no_node_can_hold_is_refused(tmp_path, digits, changes, wish, message):
    with pytest.raises(UserError, match=message):
        packing_in(tmp_path, digits, structs.replace(GPUS, **changes), wish)


def test_packs_on_cpus_fit_the_memory_of_a_worker(digits):
    dataset, resolved = digits
    sizes = [on_cpu(resolved, dataset, None, gb).pack_size for gb in (None, 1.3, 1.27, 0.5)]
    assert sizes[0] == 16 > sizes[1] > sizes[2] >= sizes[3] == 1
    assert on_cpu(resolved, dataset, None, 1.3).why == "more would not fit the 1.3 GB that a worker has"
    assert on_cpu(resolved, dataset, 99, 1.3).pack_size == 99


def test_the_most_demanding_variant_is_tried(digits):
    member = largest_member(digits[1], digits[0])
    assert member.variant.penalty == "gp" and member.n_critic == 5


def test_growing_packs_are_measured(digits, monkeypatch):
    """By the clock of this process, which stands still while the machine does other work."""
    monkeypatch.setattr(probe, "time", SimpleNamespace(perf_counter=time.process_time))
    dataset, _ = digits
    evaluator = Evaluator(build_reference(dataset, STUDY.evaluation), STUDY.evaluation)
    ns = resolve("s", "", replace(STUDY, variants=("ns",)), {"digits": dataset})
    member = replace(largest_member(ns, dataset), n_critic=1, d_norm="none")
    cpu = Device("cpu", 64 * GB, 2, 64 * GB)
    before = probe._peak_bytes(torch.device("cpu"))  # of all tests that this process has run
    found = try_sizes(member, dataset, evaluator, torch.device("cpu"), [1, 4], partial(enough, device=cpu))
    assert [one.pack_size for one in found] == [1, 4] and all(one.fits for one in found)
    assert 0 < found[0].rate < found[1].rate
    assert all(0.05 < one.busy <= 1 for one in found)
    most = max(3 * GB, before + GB)
    assert all(0.2 * GB < one.memory < most and one.host_memory > GB for one in found)
    assert "needs more than 80% of the memory" in enough(found, replace(cpu, memory=GB // 10))


FILL_MEMORY = """
import resource, sys
from dataclasses import replace
from functools import partial
import torch
sys.path[:0] = ['tests/run', 'tests/support']
from test_packing import *
torch.set_num_threads(1)
dataset = data.load("digits")
resolved = resolve("s", "", STUDY, {"digits": dataset})
evaluator = Evaluator(build_reference(dataset, STUDY.evaluation), STUDY.evaluation)
member = replace(largest_member(resolved, dataset), n_critic=1, d_extra_layers=0)
device = Device("cpu", 64 * GB, 2, 64 * GB)
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 400_000_000,) * 2)
found = try_sizes(member, dataset, evaluator, torch.device("cpu"), [1, 128], partial(enough, device=device))
print([(one.pack_size, one.fits) for one in found], choose(Probed(device, tuple(found))).pack_size)
"""


@pytest.mark.slow
def test_running_out_of_memory_is_an_answer():
    done = subprocess.run([sys.executable, "-c", FILL_MEMORY], capture_output=True, text=True)
    assert done.stdout.strip() == "[(1, True), (128, False)] 1", done.stderr


MEASURE = """
import resource, sys
import torch
sys.path[:0] = ['tests/run', 'tests/support']
from test_packing import *
from gansweep.training.pack import Pack
from gansweep.training.sizing.estimate import member_bytes
torch.set_num_threads(1)
dataset = data.load("digits")
member = largest_member(resolve("s", "", STUDY, {"digits": dataset}), dataset)
def peak(n):
    pack = Pack([replace(member, seed=seed) for seed in range(n)], dataset, torch.device("cpu"))
    pack.round()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
few, many = peak(8), peak(48)
print((many - few) / 40, member_bytes(member, dataset))
"""


@pytest.mark.slow
def test_the_memory_of_a_member_is_about_what_is_estimated():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    measured, estimated = map(float, done.stdout.split())
    assert 0.5 * measured < estimated < 2 * measured


def test_a_plan_says_how_trials_are_packed_and_what_is_left(tmp_path, digits):
    value = replace(STUDY, variants=("ns",), trials=4, evaluations=2)
    resolved = resolve("s", "Why?", value, {"digits": digits[0]})
    whole = plan("s", "Why?", value, Wish(results=tmp_path))
    assert "packs of at most 16 on digits, each on a CPU: by the size of the networks" in whole
    assert "in all 1 cells, 4 trials in" in whole
    trials = [
        trial for jobs in jobs_by_cell(resolved, {"digits": 1}).values() for j in jobs for trial in j.trials
    ]
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "study.json").write_text(json.dumps(resolved.to_json()))
    write_manifest(tmp_path / "s", (digits[0], resolved), {"digits": Packing(1, 0.0, "as requested")})
    rows = [row_of(trial, resolved, step=10, outcome=Outcome.OK) for trial in trials[:2]]
    rows.append(row_of(trials[2], resolved, step=5))
    RowWriter(tmp_path / "s").append(rows)
    left = plan("s", "Why?", value, Wish(results=tmp_path))
    assert "packs of at most 1 on digits, each on a CPU: as requested" in left
    assert "in all 1 cells, 2 trials in 2 packs" in left
    (line,) = [line for line in left.splitlines() if line.startswith("ns on digits")]
    assert line.split()[3:7] == ["2", "2", "15", "3"]  # trials, packs, steps, evaluations
    with pytest.raises(UserError, match="holds results of this study as it was before"):
        plan("s", "Why?", replace(value, steps=20), Wish(results=tmp_path))


def test_a_variant_says_how_many_more_passes_of_the_discriminator_it_keeps(digits):
    @dataclass(frozen=True, kw_only=True)
    class Heavy(Hinge):
        @property
        def n_extra_passes(self):
            return 10

    common = {"trial_id": "0", "dataset": "digits", "architecture": "conv8", "seed": 0, "batch_size": 64}
    sizes = [
        member_bytes(Member(variant=variant, **common), digits[0])
        for variant in (Hinge(), VARIANTS["wgan_gp"].variant, Heavy())
    ]
    assert sizes == sorted(set(sizes))
