"""Traces in files: the same bits in another process, and nobody else's code."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch.fx import symbolic_trace

from gansweep import data
from gansweep.data.tensors import save_tensors
from gansweep.training.member import make_member
from gansweep.training.pack import Pack
from gansweep.training.speed import code_hash, replay, stored
from gansweep.training.speed.replay import WORTH_CALLS, Traced
from gansweep.variants import VARIANTS
from gansweep.variants.minimax import NonSaturating

ROUNDS = 6
TRAINS = """
import sys
import torch
torch.set_num_threads(1)
from gansweep.training.speed import replay
sys.path.insert(0, sys.argv[1])
from test_stored_traces import digest, made
calls = []
original = replay.trace
replay.trace = lambda *args: calls.append(1) or original(*args)
print(digest(made(sys.argv[2], 0)), len(calls))
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path))
    monkeypatch.setattr("gansweep.training.speed.replay._REPLAYS", {})
    return tmp_path / f"traces-{os.getuid()}"


def made(variant: str, n_rounds: int) -> Pack:
    """A pack after some rounds. n_rounds: that it believes to train."""
    members = [
        make_member(
            VARIANTS[variant],
            {"lr": 1e-3 * (i + 1), "d_norm": "batch"},
            trial_id=str(i),
            dataset="digits",
            architecture="conv8",
            seed=i,
            batch_size=16,
        )
        for i in range(3)
    ]
    pack = Pack(members, data.load("digits"), torch.device("cpu"), n_rounds)
    for _ in range(ROUNDS):
        pack.round()
    return pack


def digest(pack: Pack) -> str:
    import hashlib

    tensors = [value for player in pack.players.values() for value in player.tensors().values()]
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in tensors)).hexdigest()


def in_another_process(variant: str) -> tuple[str, int]:
    """The digest of a pack that another process trains for a few rounds, and how often it traced."""
    words = [sys.executable, "-c", TRAINS, str(Path(__file__).parent), variant]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found, n_traced = done.stdout.split()
    return found, int(n_traced)


def test_a_later_process_finds_the_traces_and_trains_to_the_same_bits(cache):
    expected = digest(made("dragan", 0))
    assert not cache.exists()  # a few rounds are not worth a trace
    assert digest(made("dragan", WORTH_CALLS)) == expected
    assert len(list(cache.iterdir())) == 2 and cache.stat().st_mode & 0o777 == 0o700
    assert in_another_process("dragan") == (expected, 0)  # traces at hand serve even a few rounds
    replay._REPLAYS.clear()  # as in one more process
    pack = made("dragan", 0)
    assert digest(pack) == expected and all(loss.replay for loss in pack._gradients.values())


def operations(x):
    return (x * 2 + torch.arange(3.0)).relu()


def stored_twice(function, key="key", code="code"):
    """The first results of two processes' worth of calls, and whether the second one replays."""
    replay._REPLAYS.clear()
    replays = Traced(function, key, code, calls_left=lambda: 0)
    return replays(torch.ones(3)), replays.replay is not None


@pytest.fixture
def file(cache):
    Traced(operations, "key", "code")(torch.ones(3))
    (file,) = cache.iterdir()
    return file


def test_a_trace_is_found_by_its_key_and_its_code_alone(file):
    assert stored_twice(operations)[1]
    for key, code in (("another", "code"), ("key", "another")):
        assert not stored_twice(operations, key, code)[1]


def test_a_trace_that_gives_other_bits_than_its_function_is_not_used(file):
    def changed(x):  # as by a helper of a variant whose code no hash covers
        return (x * 2.0000002 + torch.arange(3.0)).relu()

    result, is_replayed = stored_twice(changed)
    assert torch.equal(result, changed(torch.ones(3))) and not is_replayed


def test_a_damaged_file_or_one_of_somebody_else_is_not_used(file, cache):
    content = file.read_bytes()
    file.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    assert not stored_twice(operations)[1]
    file.write_bytes(content)
    assert stored_twice(operations)[1]
    for place in (file, cache, cache.parent):
        mode = place.stat().st_mode
        place.chmod(mode | 0o022)
        assert not stored_twice(operations)[1], place
        place.chmod(mode)
    elsewhere = cache.with_name("elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert not stored_twice(operations)[1]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_that_another_user_owns_is_not_used(file, cache):
    for place in (file, cache):
        os.chown(place, 12345, -1)
        assert not stored_twice(operations)[1], place
        os.chown(place, 0, -1)
    assert stored_twice(operations)[1]


def test_a_file_without_a_program_is_not_used(file):
    for source in ("def forward(self, x): return", "forward = 1 +", "def forward(self): return ()"):
        save_tensors({"source": source, "constants": {}}, file, stored.KIND, file.stem)
        result, is_replayed = stored_twice(operations)
        assert torch.equal(result, operations(torch.ones(3))) and not is_replayed


def test_training_goes_on_where_nothing_can_be_stored(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path / "file"))
    replays = Traced(operations, "key", "code")
    assert torch.equal(replays(torch.ones(3)), operations(torch.ones(3))) and replays.replay is not None


def test_the_oldest_traces_are_forgotten(cache, monkeypatch):
    monkeypatch.setattr(stored, "MAX_FILES", 2)
    for i, name in enumerate("abc"):
        stored.save(stored.Operations.of(symbolic_trace(operations)), name)
        os.utime(cache / f"{name}.pt", (i, i))
        if name == "b":
            stored.load("a")  # used again
    assert sorted(file.stem for file in cache.iterdir()) == ["a", "c"]


def test_the_code_of_a_variant_and_of_its_bases_counts(tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class Changed(NonSaturating):
        pass

    assert code_hash(Changed) != code_hash(NonSaturating)  # this file counts
    assert code_hash(NonSaturating) == code_hash(VARIANTS["mm"].variant.__class__)  # of one file
    before = code_hash(NonSaturating)
    monkeypatch.setattr(torch, "__version__", "0")
    stored._here.cache_clear()
    assert code_hash(NonSaturating) != before
    monkeypatch.undo()
    stored._here.cache_clear()


def test_two_packs_of_other_structure_have_other_files(cache):
    for variant in ("ns", "mm"):
        made(variant, WORTH_CALLS)
    assert len(list(cache.iterdir())) == 4
