"""Every variant keeps every contract; and each contract is broken by a variant made to break it."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import pytest
import torch

from gansweep.cli.scaffold.new_variant import free_look
from gansweep.contracts import CONTRACTS, ContractBroken, Specimen
from gansweep.networks.layers.batchnorm import BatchNorm
from gansweep.report.style import style
from gansweep.space import uniform
from gansweep.training.optimizers import OPTIMIZERS, Adam
from gansweep.variants import NARROW, VARIANTS, WIDE, Published
from gansweep.variants.base import ScoreGAN, Variant
from gansweep.variants.published import HUES, MARKERS

HUE, MARKER = free_look()


@lru_cache(maxsize=1)  # its trainings are shared by its contracts, which are tested one after the other
def specimen(name: str) -> Specimen:
    return Specimen(name, VARIANTS[name])


# One variant of each way to compute: what others of its family add is a formula, which these contracts hold.
OF_FORMULAS = {"game", "source", "spaces", "looks", "terms", "extremes", "in a pack", "as plain PyTorch"}
ONE_OF_EACH = {
    *("ns", "lsgan", "wgan", "wgan_gp", "dragan", "ns_r1", "sngan", "rasgan", "r3gan"),
    *("began", "ebgan", "vae", "acgan", "fgan_alpha"),
}


def examinations():
    """Every variant and every contract; those that train are slow for all but one variant of each way."""
    for name in VARIANTS:
        for contract in CONTRACTS:
            is_slow = name not in ONE_OF_EACH and contract not in OF_FORMULAS
            is_slow |= contract == "traced" and name not in ("ns", "began")
            yield pytest.param(name, contract, marks=[pytest.mark.slow] * is_slow)


@pytest.mark.parametrize(("name", "contract"), list(examinations()))
def test_contract(name, contract):
    CONTRACTS[contract](specimen(name))


@dataclass(frozen=True, kw_only=True)
class Sound(ScoreGAN):
    """Keeps every contract; the classes below break one rule each.

    Source: Someone, "Something", 2020, arXiv:2001.00001, eq. 1.
    Deviations: none.
    """

    weight: float = 1.0

    def discriminator_terms(self, real, fake):
        return {"real": self.weight * (real - 1).square().mean(), "fake": fake.square().mean()}

    def generator_terms(self, fake):
        return {"fake": (fake - 1).square().mean()}


@dataclass(frozen=True, kw_only=True)
class TakesNumbersOut(Sound):
    def generator_terms(self, fake):
        return {"fake": (fake - 1).square().mean() / max(1.0, fake.std().item())}


@dataclass(frozen=True, kw_only=True)
class Branches(Sound):
    def generator_terms(self, fake):
        return {"fake": (fake - 1).square().mean() if self.weight > 0 else -fake.mean()}


@dataclass(frozen=True, kw_only=True)
class DrawsRandomNumbers(Sound):
    def generator_terms(self, fake):
        return {"fake": (fake - torch.rand(len(fake))).square().mean()}


@dataclass(frozen=True, kw_only=True)
class WritesInPlace(Sound):
    def generator_terms(self, fake):
        total = torch.zeros(())
        total += (fake - 1).square().mean()
        return {"fake": total}


@dataclass(frozen=True, kw_only=True)
class CountsInAnInt(Sound):
    """`update` changes a field that is no float, which a pack does not follow."""

    n_rounds: int = 0

    def generator_terms(self, fake):
        return {"fake": (fake - 1 - self.n_rounds).square().mean()}

    def update(self, terms):
        return replace(self, n_rounds=self.n_rounds + 1)


@dataclass(frozen=True, kw_only=True)
class KeepsState(Sound):
    """In odd rounds it is another; it counts them where no checkpoint knows it."""

    is_odd: ClassVar[bool] = False

    def generator_terms(self, fake):
        return {"fake": (fake - (2 if KeepsState.is_odd else 1)).square().mean()}

    def update(self, terms):
        KeepsState.is_odd = not KeepsState.is_odd
        return self


class Across(torch.autograd.Function):
    """The identity; but in a pack it adds what `view` makes of the scores of all members, [P, B]."""

    @staticmethod
    def forward(x, view):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output): ...

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None

    @staticmethod
    def vmap(info, in_dims, x, view):
        x = x.movedim(in_dims[0], 0)
        return x + view(x.detach()), 0


@dataclass(frozen=True, kw_only=True)
class RoundsInAPack(Sound):
    """In single precision a pack of it rounds to 8 bits."""

    def generator_terms(self, fake):
        rounding = (lambda x: x.bfloat16() - x) if fake.dtype == torch.float32 else torch.zeros_like
        return {"fake": (1e3 * Across.apply(fake, rounding)).sin().mean()}


@dataclass(frozen=True, kw_only=True)
class Cancels(Sound):
    """In single precision little is left of scores to which a large number was added."""

    def generator_terms(self, fake):
        return {"fake": (fake + 1e5 - 1e5 - 1).square().mean()}


@dataclass(frozen=True, kw_only=True)
class CancelsInATerm(Sound):
    """Only the value of a term is wrong in single precision, not its slope."""

    def generator_terms(self, fake):
        return {"fake": (fake - 1).square().mean() + 1e5 - 1e5}


@dataclass(frozen=True, kw_only=True)
class StandsStill(Sound):
    def discriminator_terms(self, real, fake):
        return {"real": 0 * real.mean(), "fake": 0 * fake.mean()}

    def generator_terms(self, fake):
        return {"fake": 0 * fake.mean()}


@dataclass(frozen=True, kw_only=True)
class SeesItsSlot(Sound):
    def generator_terms(self, fake):
        return {"fake": (Across.apply(fake, lambda x: torch.arange(len(x))[:, None]) - 1).square().mean()}


@dataclass(frozen=True, kw_only=True)
class SeesNeighbours(Sound):
    def generator_terms(self, fake):
        return {"fake": (Across.apply(fake, lambda x: x - x.mean(0)) - 1).square().mean()}


@dataclass(frozen=True, kw_only=True)
class CatchesDiseases(Sound):
    """Of its neighbours it sees only whether they are NaN."""

    def generator_terms(self, fake):
        return {"fake": (Across.apply(fake, lambda x: 0 * x.sum()) - 1).square().mean()}


@dataclass(frozen=True, kw_only=True)
class Deaf(Sound):
    def discriminator_terms(self, real, fake):
        return {"real": (real - 1).square().mean(), "fake": fake.square().mean()}


@dataclass(frozen=True, kw_only=True)
class ReturnsVectors(Sound):
    def generator_terms(self, fake):
        return {"fake": (fake - 1).square()}


@dataclass(frozen=True, kw_only=True)
class ReturnsNothing(Sound):
    def generator_terms(self, fake):
        return {}


@dataclass(frozen=True, kw_only=True)
class NamesTermsBadly(Sound):
    def generator_terms(self, fake):
        return {"on fakes": (fake - 1).square().mean()}


@dataclass(frozen=True, kw_only=True)
class Infinite(Sound):
    def generator_terms(self, fake):
        return {"fake": (1 - fake.sigmoid()).log().mean()}


@dataclass(frozen=True, kw_only=True)
class Steep(Sound):
    """The value is finite, the slope is infinite times zero."""

    def generator_terms(self, fake):
        return {"fake": torch.where(fake > 0, fake, (fake + 30).sqrt()).mean()}


@dataclass(frozen=True, kw_only=True)
class LeavesItsNetworks(Sound):
    def generator_loss(self, nets, batch):
        return {"real": nets.D(batch.x).mean()}


@dataclass(frozen=True, kw_only=True)
class Explodes(Sound):
    def project(self, player, params):
        return {name: value / 0 for name, value in params.items()} if player == "generator" else params


@dataclass(frozen=True, kw_only=True)
class Silences(Sound):
    def project(self, player, params):
        return {name: value * 0 for name, value in params.items()} if player == "generator" else params


@dataclass(frozen=True, kw_only=True)
class MixesBatches(Sound):
    def discriminator_loss(self, nets, batch):
        scores = nets.D(torch.cat([batch.x, nets.G(batch.z)]))
        return self.discriminator_terms(*scores.chunk(2))


class Undecorated(Sound):
    margin: float = 1.0


@dataclass(frozen=True, kw_only=True)
class HasAList(Sound):
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HasNoLoss(Variant):
    """Has players without a loss."""


@dataclass(frozen=True, kw_only=True)
class SharesANetwork(Sound):
    players: ClassVar = {"discriminator": ("D", "G"), "generator": ("G",)}


@dataclass(frozen=True, kw_only=True)
class HasNoSource(Sound):
    """Its source has no year and no id.

    Source: <authors>, "<title>", <year>, arXiv:<id>, eq. <number>.
    Deviations: none.
    """


@dataclass(frozen=True, kw_only=True)
class HasNoYear(Sound):
    """The digits of the id are no year.

    Source: Someone, "Something", arXiv:2001.00001, eq. 1.
    Deviations: none.
    """


@dataclass(frozen=True, kw_only=True)
class HasNoDeviations(Sound):
    """Says nothing of deviations.

    Source: Someone, "Something", 2020, arXiv:2001.00001, eq. 1.
    """


def published(variant: Variant, **changes) -> Published:
    value = Published(
        variant=variant,
        label="Specimen",
        family="other",
        default={"lr": 1e-4, "beta1": 0.5, "d_norm": "none", "n_critic": 1, "weight": 1.0},
        wide={**WIDE, "weight": uniform(0.5, 2)},
        narrow={**NARROW, "weight": 1.0},
        hue=HUE,
        marker=MARKER,
    )
    return replace(value, **changes)


BAD_VALUES = {
    "beta1 must lie in": {"beta1": 2.0},
    "not a hyperparameter": {"momentum": 0.9},
    "is of type float": {"weight": "heavy"},
}

BREACHES = [
    (TakesNumbersOut(), "in a pack", r"in a pack \(test_contracts.py, line \d+\): it takes a number out"),
    (Branches(), "in a pack", r"in a pack \(test_contracts.py, line \d+\): it branches on the value"),
    (DrawsRandomNumbers(), "in a pack", "it draws random numbers"),
    (WritesInPlace(), "in a pack", "it writes in place"),
    (LeavesItsNetworks(), "in a pack", "a loss does not depend on"),
    (Explodes(), "in a pack", "diverges"),
    (CountsInAnInt(), "as plain PyTorch", "against plain PyTorch, ends .* of its way off; at most 1e-05 is"),
    (RoundsInAPack(), "in single precision", "'fake' is .* in a pack and .* in float64"),
    (Cancels(), "in single precision", "'fake' is .* in a pack and .* in float64"),
    (CancelsInATerm(), "in single precision", "'fake' is .* in a pack and .* in float64"),
    (StandsStill(), "in a pack", "training moves no weight"),
    (StandsStill(), "in single precision", "training moves no weight"),
    (SeesItsSlot(), "independent of its pack", "in slot 0 of 1 ends .* of its way off"),
    (SeesNeighbours(), "floats are per member", "beside others with other floats ends .* of its way off"),
    (CatchesDiseases(), "diverged neighbour", r"in member 1 alone, \[True, True, True\] count as diverged"),
    (SeesItsSlot(), "without a member", "member 2, after 2 of 3 members have left, ends .* of its way off"),
    (KeepsState(), "resumed", "resumed, a member ends with other weights"),
    (KeepsState(), "traced", "traced, a member ends with other weights"),
    (SeesItsSlot(), "conditional", "with conditional='concat' member 1, against plain PyTorch, ends"),
    (Deaf(), "floats are per member", "weight has no effect"),
    (ReturnsVectors(), "terms", r"'fake' must be a scalar, but has shape \(8,\)"),
    (ReturnsNothing(), "terms", "a loss returns no term"),
    (NamesTermsBadly(), "terms", "'on fakes' must be named by a Python identifier"),
    (Infinite(), "extremes", "generator's term 'fake' is -inf at scores of ±30"),
    (Steep(), "extremes", "generator's loss has no finite slope at scores of ±30"),
    (Explodes(), "independent of chunking", r"must lie in \[0, 1\], but lie in \[nan, nan\]"),
    (MixesBatches(), "conditional", r"in a pack \(test_contracts.py, line \d+\)"),
    (Silences(), "conditional", "samples of classes 0 and 1 are the same"),
    (Undecorated(), "game", "Undecorated must be a Variant decorated by @dataclass"),
    (HasAList(), "game", "weights must be a float, int, bool or str"),
    (HasNoLoss(), "game", "'discriminator' needs a method discriminator_loss"),
    (SharesANetwork(), "game", "needs one player"),
    (HasNoSource(), "source", "arXiv id like arXiv:1406.2661, but is '<authors>"),
    (HasNoYear(), "source", "the year of publication"),
    (HasNoDeviations(), "source", 'must be "none." or sentences numbered'),
    *(
        (published(Sound(), **{which: {**getattr(published(Sound()), which), **values}}), "spaces", sentence)
        for which in ("default", "wide", "narrow")
        for sentence, values in BAD_VALUES.items()
    ),
    (published(Sound(), narrow=NARROW), "spaces", r"only one of them sets \['weight'\]"),
    (published(Sound(), hue="pink"), "looks", "hue must be one of .*, but is 'pink'"),
    (published(Sound(), marker="star"), "looks", "marker must be one of .*, but is 'star'"),
    (published(Sound(), label="NS GAN"), "looks", "label 'NS GAN' is that of ns"),
    (published(Sound(), hue="blue", marker="circle"), "looks", "ns is a blue circle already"),
]


@pytest.mark.parametrize(("subject", "contract", "sentence"), BREACHES)
def test_a_contract_is_broken(subject, contract, sentence):
    value = subject if isinstance(subject, Published) else published(subject)
    with pytest.raises(ContractBroken, match=sentence):
        CONTRACTS[contract](Specimen("specimen", value))


# What a member's training depends on, and which contracts see it.
ON_PLACE = {"as plain PyTorch", "independent of its pack", "without a member", "conditional"}
FAULTS = {
    CountsInAnInt(): {"as plain PyTorch"},
    RoundsInAPack(): {"in single precision"},
    CatchesDiseases(): {"diverged neighbour"},
    SeesItsSlot(): ON_PLACE,
    SeesNeighbours(): ON_PLACE | {"floats are per member", "diverged neighbour"},
    # Trainings of two rounds begin alike, those of one round and those that go on do not.
    KeepsState(): ON_PLACE - {"as plain PyTorch", "independent of its pack"}
    | {"in single precision", "resumed", "traced", "diverged neighbour"},
}


@pytest.mark.parametrize(
    "subject",
    [pytest.param(each, marks=[pytest.mark.slow] * (not isinstance(each, KeepsState | CatchesDiseases)))
     for each in FAULTS],
    ids=lambda subject: type(subject).__name__,
)  # fmt: skip
def test_a_fault_breaks_the_contracts_that_it_must_and_no_other(subject):
    broken, examined = set(), Specimen("specimen", published(subject))
    for contract, examine in CONTRACTS.items():
        KeepsState.is_odd = False
        try:
            examine(examined)
        except ContractBroken:
            broken.add(contract)
    assert broken - {"source"} == FAULTS[subject]


class RatesOfAnother(Adam):
    """In single precision a member moves at the rate of the one behind it."""

    def _bind(self):
        super()._bind()
        if self.params_PN.dtype == torch.float32:
            self.lr = self.lr[1:] + self.lr[:1]


class Coarse(Adam):
    """In single precision it takes gradients for what is left of them in bfloat16."""

    def step(self, gradients):
        is_single = self.params_PN.dtype == torch.float32
        super().step([g.bfloat16().float() if is_single else g for g in gradients])


class NoMeans(Adam):
    """In single precision it forgets the gradients of earlier rounds."""

    def step(self, gradients):
        if self.params_PN.dtype == torch.float32:
            self.state["exp_avg"].zero_()
        super().step(gradients)


@pytest.mark.parametrize("optimizer", [RatesOfAnother, Coarse, NoMeans])
def test_a_pack_that_steps_wrongly_in_single_precision_breaks_its_contract(optimizer, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "adam", optimizer)
    off = r"member 0, in float32 against float64, ends .* off; at most 0\.001 is"
    with pytest.raises(ContractBroken, match=off):
        CONTRACTS["in single precision"](Specimen("specimen", published(Sound())))


def test_the_model_of_the_broken_ones_keeps_every_contract():
    subject = Specimen("specimen", published(Sound()))
    for examine in CONTRACTS.values():
        examine(subject)


def test_batch_norm_that_is_not_frozen_makes_samples_depend_on_their_chunk():
    class Unfrozen(BatchNorm):
        def forward(self, x):
            self.training = True
            return super().forward(x)

    examined = Specimen("specimen", published(Sound()))
    for layer in examined.reference.pack.nets["G"].modules():
        if isinstance(layer, BatchNorm):
            layer.__class__ = Unfrozen
    with pytest.raises(ContractBroken, match="samples differ when their latents are drawn in two chunks"):
        CONTRACTS["independent of chunking"](examined)


def test_every_contract_can_be_broken():
    assert {contract for _, contract, _ in BREACHES} == set(CONTRACTS)


def test_the_looks_there_are_can_be_drawn():
    assert set(HUES) == set(style.COLORS) and set(MARKERS) == set(style.SHAPES)


def test_names_looks_and_labels_are_those_of_one_variant_each():
    values = list(VARIANTS.values())
    assert len({(each.hue, each.marker) for each in values}) == len(values)
    assert len({each.label for each in values}) == len(values)
