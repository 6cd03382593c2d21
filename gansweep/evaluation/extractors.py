"""Feature extractors: the bundled classifiers, plain values, torch-fidelity's Inception and VGG-16.

Those of torch-fidelity are built by `gansweep.evaluation.fidelity`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.evaluation.settings import EXTRACTORS, Evaluation
from gansweep.evaluation.weights import BUNDLED, PUBLISHED

LOGIT_BOUND = 300.0  # a gap above 745 gives a probability of 0 in float64 and an Inception Score of NaN


class Classifier(nn.Module):
    """Two convolutions of stride 2, a layer of features, ten classes; fast enough to score every trial.

    The features are those before their nonlinearity, which are closer to the Gaussian that FID assumes. They
    have mean 0 and standard deviation 1 over the training images: the unit of a FID is that variance.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, side: int, n_features: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.Conv2d(16, 32, 3, stride=2, padding=1)]
        )
        self.features = nn.Linear(32 * (side // 4) ** 2, n_features)
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("sd", torch.ones(n_features))
        self.head = nn.Linear(n_features, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: uint8 [B, 1, side, side]. Returns features [B, n_features] and logits [B, 10]."""
        x = x.float() / 255
        for convolution in self.convolutions:
            x = leaky_relu(convolution(x), 0.1)
        raw = self.features(x.flatten(1))
        return (raw - self.mean) / self.sd, self.head(leaky_relu(raw, 0.1))


CLASSIFIERS = {"digits": (8, 32), "mnist": (28, 64)}  # name: (side in pixels, number of features)


class Own(nn.Module):
    """An extractor that is not of torch-fidelity: from samples to its layers by name."""

    def __init__(self, key: str, layers: Sequence[str]) -> None:
        """key: of EXTRACTORS. layers: those that are wanted."""
        super().__init__()
        self.key, self.wanted = key, tuple(layers)


class BundledExtractor(Own):
    """A bundled classifier."""

    def __init__(self, key: str, layers: Sequence[str]) -> None:
        super().__init__(key, layers)
        self.network = Classifier(*CLASSIFIERS[key])
        self.network.load_state_dict(torch.load(BUNDLED / f"{key}.pt", weights_only=True))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        expected = EXTRACTORS[self.key].shape
        if x.dtype != torch.uint8 or tuple(x.shape[1:]) != expected:
            raise ValueError(f"uint8 images {expected} are expected, but got {x.dtype} {tuple(x.shape[1:])}")
        features, logits = self.network(x)
        layers = {"features": features, "logits": logits.clamp(-LOGIT_BOUND, LOGIT_BOUND)}
        return {name: layers[name] for name in self.wanted}


class RawExtractor(Own):
    """The coordinates of vectors."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        if not x.is_floating_point() or x.dim() != 2:
            raise ValueError(f"vectors [N, d] of floats are expected, but got {x.dtype} {tuple(x.shape)}")
        return {"features": x}


class PixelExtractor(Own):
    """The values of images, in [0, 1]."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        if x.dtype != torch.uint8 or x.dim() != 4:
            raise ValueError(f"uint8 images [N, C, H, W] are expected, but got {x.dtype} {tuple(x.shape)}")
        return {"features": x.flatten(1).float() / 255}


OWN: dict[str, type[Own]] = {
    "raw": RawExtractor,
    "pixels": PixelExtractor,
    **dict.fromkeys(CLASSIFIERS, BundledExtractor),
}


def extractor_for(dataset: Dataset) -> str:
    """Returns a data set's default extractor: its own classifier, `raw` for vectors, else `inception`."""
    if dataset.kind == "vector":
        return "raw"
    return dataset.name if dataset.name in CLASSIFIERS else "inception"


def resolve(dataset: Dataset, evaluation: Evaluation) -> str:
    """Returns the name of the extractor that an evaluation uses on a data set.

    Raises:
        UserError: the extractor does not fit the samples of the data set, or has no weights to choose.
    """
    name = extractor_for(dataset) if evaluation.extractor == "auto" else evaluation.extractor
    if not EXTRACTORS[name].fits(dataset.shape):
        fitting = ", ".join(key for key, spec in EXTRACTORS.items() if spec.fits(dataset.shape))
        raise UserError(
            f"feature extractor {name!r} does not fit data set {dataset.name!r} of shape {dataset.shape}: "
            f"use one of {fitting}"
        )
    if evaluation.weights is not None and name not in PUBLISHED:
        raise UserError(
            f"weights are for the extractors {' and '.join(map(repr, PUBLISHED))} alone, but "
            f"{dataset.name!r} uses {name!r}"
        )
    return name


def build(
    extractor: str, layers: Sequence[str], weights: Path | None, device: str | torch.device
) -> nn.Module:
    """Returns an extractor on a device: from samples to the wanted layers by name. The global random state is
    unchanged.

    Raises:
        UserError: the file does not hold the weights of the published network.
    """
    with torch.random.fork_rng(devices=[]):
        if weights is not None and extractor in PUBLISHED:
            from gansweep.evaluation.fidelity import published

            network: nn.Module = published(extractor, layers, weights)
        else:
            network = OWN[extractor](extractor, layers).requires_grad_(False).eval()
    # channels_last makes large convolutions 1.5 times as fast on a CPU, and those of classifiers slower.
    layout = torch.channels_last if extractor in PUBLISHED else torch.contiguous_format
    return network.to(device=device, memory_format=layout)  # type: ignore[call-overload,no-any-return]


def features_by(
    extractor: str, weights: Path | None, device: str | torch.device, precision: str = "float32"
) -> Callable[[Tensor], Tensor]:
    """Returns the function from uint8 images or float vectors [N, ...] to float64 features [N, D] on the CPU.

    Raises:
        UserError: as `build`.
    """
    spec = EXTRACTORS[extractor]
    network = build(extractor, [spec.features], weights, device)
    return lambda samples: extract(network, samples, spec.batch_size, device, precision)[spec.features].cpu()


@torch.no_grad()
def extract(
    network: nn.Module,
    samples: Tensor,
    batch_size: int,
    device: str | torch.device,
    precision: str = "float32",
) -> dict[str, Tensor]:
    """Returns every wanted layer of an extractor, float64 [N, D] on the device.

    precision: of PRECISIONS, for convolutions and matrix products; `torch.autocast` chooses for other layers.
    """
    with torch.autocast(torch.device(device).type, getattr(torch, precision), precision != "float32"):
        parts = [network(part.to(device)) for part in samples.split(batch_size)]
    return {name: torch.cat([part[name] for part in parts]).double() for name in parts[0]}
