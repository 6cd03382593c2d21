"""`gansweep check` and `gansweep list variants`: what they say, and their exit codes."""

from dataclasses import replace

import pytest

from gansweep.cli import main
from gansweep.contracts import CONTRACTS
from gansweep.variants import VARIANTS
from gansweep.variants.minimax import NonSaturating


class Mute(NonSaturating):
    """Is no dataclass of its own."""


@pytest.fixture
def mute(monkeypatch):
    """A variant in the table that breaks the first contract, on which all others stand."""
    value = replace(VARIANTS["ns"], variant=Mute(), label="Mute", marker="plus")
    monkeypatch.setitem(VARIANTS, "mute", value)


def test_a_sound_variant(capsys):
    assert main(["check", "vae"]) == 0
    title, *lines, count, blank, summary = capsys.readouterr().out.splitlines()
    assert (title, blank) == ("vae: VAE", "")
    assert [line[19:42].strip() for line in lines] == list(CONTRACTS)
    assert all(line.startswith("  kept ") and line[10:18].strip().endswith(" s") for line in lines)
    assert max(map(len, lines)) <= 120
    assert count.startswith(f"  vae keeps {len(CONTRACTS)} of {len(CONTRACTS)} contracts (")
    assert summary == "1 of 1 variants keep every contract"


def test_a_broken_variant(capsys, mute):
    assert main(["check", "mute"]) == 1
    output = capsys.readouterr().out
    assert "Mute must be a Variant decorated by @dataclass" in output
    assert output.endswith("0 of 1 variants keep every contract; not mute\n")


def test_one_broken_variant_among_others(capsys, mute):
    assert main(["check", "mute", "vae"]) == 1
    assert capsys.readouterr().out.endswith("1 of 2 variants keep every contract; not mute\n")


def test_an_unknown_variant_is_a_mistake(capsys):
    assert main(["check", "vae", "lsgn"]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("gansweep: unknown variant 'lsgn'; did you mean 'lsgan'?") and not output.out


def test_the_list_of_variants_names_all_with_their_sources(capsys):
    assert main(["list", "variants"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("  ") and line[2] != " "}
    assert set(rows) == set(VARIANTS)
    assert rows["lsgan"].endswith("  Mao et al. 2017, arXiv:1611.04076")
    assert rows["hinge"].endswith("  Lim and Ye 2017, arXiv:1705.02894")
    assert "lr beta1 d_norm n_critic penalty_weight" in rows["wgan_gp"]
    assert max(map(len, lines)) <= 140
