"""Contracts on training: a pack equals plain PyTorch, and no member depends on its neighbours."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import torch

from gansweep.contracts.breach import ContractBroken, running
from gansweep.contracts.comparison import (
    ROUNDING,
    TOLERANCE,
    part_off,
    require_bits,
    require_rounding,
    require_same_member,
    require_same_terms,
    require_same_way,
)
from gansweep.contracts.specimen import (
    CPU,
    HALFWAY,
    N_ROUNDS,
    DrawnInDouble,
    Specimen,
    Terms,
    precision,
    samples,
    weights,
    with_float,
)
from gansweep.training.member import Member
from gansweep.training.pack import Pack

SINGLE, DOUBLE = torch.float32, torch.float64
N_COMPARED = 5  # rounds of which the median counts


def terms(specimen: Specimen) -> None:
    """Each loss returns named scalars that are finite."""
    member = specimen.members(1)[0]
    _, first = specimen.train_plainly(member, rounds=1)
    for player, losses in first.items():
        for name, value in losses.items():
            if not name.isidentifier():
                raise ContractBroken(f"{player}'s term {name!r} must be named by a Python identifier")
            if value.shape != ():
                raise ContractBroken(
                    f"{player}'s term {name!r} must be a scalar, but has shape {tuple(value.shape)}"
                )
            if not value.isfinite():
                raise ContractBroken(f"{player}'s term {name!r} is {value.item()} in the first round")


def in_a_pack(specimen: Specimen) -> None:
    """A pack of three members trains: its losses can be mapped over members."""
    reference = specimen.reference
    if reference.pack.diverged.any():
        raise ContractBroken(f"a member diverges within {N_ROUNDS} rounds on random images")
    for start, end in zip(reference.start, reference.end, strict=True):
        require_same_way("a member", end, end, start, TOLERANCE)


def as_plain_pytorch(specimen: Specimen) -> None:
    """A pack trains each member as plain PyTorch does, with Adam and RMSProp."""
    unlike = specimen.train(specimen.members(2, d_norm="none", optimizer="rmsprop"), rounds=2)
    for trained, rounds in ((specimen.reference, N_ROUNDS), (unlike, 2)):
        for i, member in enumerate(trained.pack.members):
            eager, expected = specimen.train_plainly(member, rounds)
            require_same_member(f"member {i} of a pack", trained, i, eager, expected)


def in_single_precision(specimen: Specimen) -> None:
    """In float32 each round of a pack equals that in float64, up to rounding."""
    at_rest = [replace(member, g_lr=0.0, d_lr=0.0) for member in specimen.members(3)]
    double, single = (_resumed(specimen, at_rest, dtype) for dtype in (DOUBLE, SINGLE))
    exact, rounded = _round(specimen, double, DOUBLE), _round(specimen, single, SINGLE)
    for i in range(len(at_rest)):
        expected = {player: {n: value[i] for n, value in own.items()} for player, own in exact.items()}
        require_same_terms(rounded, i, expected, "in float64", rtol=1e-3, atol=1e-4)
    for i, parts in enumerate(zip(*_parts_off(specimen), strict=True)):
        require_rounding(f"member {i}, in float32 against float64,", median(parts), ROUNDING)


def independent_of_its_pack(specimen: Specimen) -> None:
    """A member and its samples are the same in any pack and slot."""
    members, reference = specimen.members(3), specimen.reference
    expected = specimen.samples[1]
    for others in (members[1:2], members[:0:-1]):
        trained, slot = specimen.train(others), others.index(members[1])
        what = f"a member trained in slot {slot} of {len(others)}"
        require_same_way(what, trained.end[slot], reference.end[1], reference.start[1], TOLERANCE)
        if not torch.allclose(samples(trained)[slot], expected, rtol=1e-5, atol=1e-7):
            raise ContractBroken(f"{what} draws other samples than in slot 1 of 3")


def floats_are_per_member(specimen: Specimen) -> None:
    """Every float field has an effect, on its own member only."""
    base, reference = specimen.members(1)[0], specimen.reference
    names = ["g_lr", *specimen.own_floats]
    trained = specimen.train([base, *(with_float(base, name, 0.5) for name in names)])
    what = "a member beside others with other floats"
    require_same_way(what, trained.end[0], reference.end[0], reference.start[0], TOLERANCE)
    for i, name in enumerate(names, start=1):
        losses = [value for terms in trained.terms.values() for value in terms.values()]
        same_weights = all(torch.equal(trained.end[i][key], trained.end[0][key]) for key in trained.end[0])
        if same_weights and all(torch.equal(value[i], value[0]) for value in losses):
            raise ContractBroken(f"{name} has no effect: half of it trains the same")


def diverged_neighbour(specimen: Specimen) -> None:
    """A member that becomes NaN does not change its neighbours."""
    reference = specimen.reference
    pack = _resumed(specimen)
    for player in pack.players.values():
        player.params_PN[1] = torch.nan
    _train(specimen, pack)
    if pack.diverged.tolist() != [False, True, False]:
        raise ContractBroken(
            f"with NaN weights in member 1 alone, {pack.diverged.tolist()} count as diverged"
        )
    for i in (0, 2):
        require_bits("beside a diverged member", weights(pack)[i], reference.end[i])


def without_a_member(specimen: Specimen) -> None:
    """A pack continues unchanged when one of three members is removed, or two."""
    reference = specimen.reference
    for left in ([0, 2], [2]):
        pack = _resumed(specimen)
        pack.select(left)
        _train(specimen, pack)
        for slot, i in enumerate(left):
            what = f"member {i}, after {3 - len(left)} of 3 members have left,"
            require_same_way(what, weights(pack)[slot], reference.end[i], reference.start[i], TOLERANCE)


def resumed(specimen: Specimen) -> None:
    """A pack resumed from a checkpoint ends with the bits of an unbroken one."""
    pack = _resumed(specimen)
    _train(specimen, pack)
    for got, expected in zip(weights(pack), specimen.reference.end, strict=True):
        require_bits("resumed", got, expected)


def traced(specimen: Specimen) -> None:
    """A traced round gives the same bits as an untraced one."""
    pack = _resumed(specimen)
    pack.trace()
    _train(specimen, pack)
    for got, expected in zip(weights(pack), specimen.reference.end, strict=True):
        require_bits("traced", got, expected)


def independent_of_chunking(specimen: Specimen) -> None:
    """Samples lie in [0, 1] and do not depend on the chunks they are drawn in."""
    whole = specimen.samples
    if not (whole.min() >= 0 and whole.max() <= 1):
        raise ContractBroken(f"samples must lie in [0, 1], but lie in [{whole.min():.3g}, {whole.max():.3g}]")
    parts = torch.cat([samples(specimen.reference, part) for part in (slice(0, 5), slice(5, 16))], 1)
    if not torch.allclose(parts, whole, rtol=1e-9, atol=1e-12):
        raise ContractBroken("samples differ when their latents are drawn in two chunks")


def conditional(specimen: Specimen) -> None:
    """With labels a pack equals plain PyTorch, and samples depend on the labels."""
    variant = specimen.published.variant
    trained = [specimen.reference] if variant.labels else []
    if not variant.labels:
        kinds = ["concat"] + ["projection"] * (variant.networks.get("D") == "discriminator")
        for kind in kinds:
            trained.append(specimen.train(specimen.members(2, conditional=kind), rounds=1))
            eager, expected = specimen.train_plainly(trained[-1].pack.members[1], rounds=1)
            require_same_member(f"with conditional={kind!r} member 1", trained[-1], 1, eager, expected)
    for each in trained:
        first, second = (samples(each, label=label) for label in (0, 1))
        if any(torch.equal(a, b) for a, b in zip(first, second, strict=True)):
            raise ContractBroken("samples of classes 0 and 1 are the same")


def _parts_off(specimen: Specimen) -> Iterator[list[float]]:
    """How far off each member ends in float32, round by round, each begun from the state in float64.

    Only so does the comparison depend on the arithmetic and not on the processor: a game is chaotic, so two
    ways of rounding lead trainings apart. The first round is left out: Adam's first step is the sign of the
    gradient, and where that is near zero, rounding decides on it. In a later round rounding still decides on
    which side of a kink a number lies, which now and then leads a single round far off, but hardly most of
    them: hence the median of several rounds.
    """
    members = specimen.members(3)
    double, single = (_resumed(specimen, members, dtype) for dtype in (DOUBLE, SINGLE))
    for _ in range(N_COMPARED):
        single.restore([double.state(i) for i in range(len(members))])
        start = weights(double)
        _round(specimen, double, DOUBLE)
        _round(specimen, single, SINGLE)
        yield [part_off(*ways) for ways in zip(weights(single), weights(double), start, strict=True)]


def _resumed(specimen: Specimen, members: list[Member] | None = None, dtype: torch.dtype = DOUBLE) -> Pack:
    """The members of the reference, or such as differ from them in their rates, halfway."""
    with precision(dtype):
        pack = Pack(members or specimen.members(3), specimen.images, CPU)
        pack.randomness = DrawnInDouble(pack.randomness)
        pack.restore(specimen.reference.halfway)
    return pack


def _round(specimen: Specimen, pack: Pack, dtype: torch.dtype) -> Terms:
    with precision(dtype), running(specimen.published.variant, "in a pack"):
        return pack.round()


def _train(specimen: Specimen, pack: Pack) -> None:
    """Train to the end of the reference."""
    for _ in range(HALFWAY, N_ROUNDS):
        _round(specimen, pack, DOUBLE)
