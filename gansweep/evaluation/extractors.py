"""Feature extractors: torch-fidelity's Inception and VGG-16, the bundled classifiers, plain values.

All of them are registered with torch-fidelity, so `torch_fidelity.calculate_metrics` accepts them, too.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor
from torch_fidelity.utils import create_feature_extractor

from gansweep.data import Dataset
from gansweep.errors import UserError
from gansweep.evaluation.settings import EXTRACTORS, Evaluation
from gansweep.evaluation.weights import BUNDLED, PUBLISHED, Weights, file_hash, weights_file

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


class Registered(FeatureExtractorBase):
    """The interface of extractors in torch-fidelity, filled from the table EXTRACTORS."""

    key: ClassVar[str]

    def __init__(self, name: str, features_list: list[str], **options: Any) -> None:
        super().__init__(name, features_list)

    def in_order(self, layers: dict[str, Tensor]) -> tuple[Tensor, ...]:
        # torch-fidelity reads the tuple in the order of features_list, which comes from a set and differs
        # between processes. A fixed order would swap features and logits without an error.
        return tuple(layers[name] for name in self.features_list)

    @classmethod
    def get_provided_features_list(cls) -> tuple[str, ...]:
        spec = EXTRACTORS[cls.key]
        return (spec.features,) if not spec.logits else (spec.features, spec.logits)

    @classmethod
    def get_default_feature_layer_for_metric(cls, metric: str) -> str:
        spec = EXTRACTORS[cls.key]
        return spec.logits if metric == "isc" else spec.features

    @staticmethod
    def can_be_compiled() -> bool:
        return False


class BundledExtractor(Registered):
    """A bundled classifier; a subclass names it."""

    def __init__(self, name: str, features_list: list[str], **options: Any) -> None:
        super().__init__(name, features_list)
        self.network = Classifier(*CLASSIFIERS[self.key])
        self.network.load_state_dict(torch.load(BUNDLED / f"{self.key}.pt", weights_only=True))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        expected = EXTRACTORS[self.key].shape
        if x.dtype != torch.uint8 or tuple(x.shape[1:]) != expected:
            raise ValueError(f"uint8 images {expected} are expected, but got {x.dtype} {tuple(x.shape[1:])}")
        features, logits = self.network(x)
        return self.in_order({"features": features, "logits": logits.clamp(-LOGIT_BOUND, LOGIT_BOUND)})


class RawExtractor(Registered):
    """The coordinates of vectors."""

    key = "raw"

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if not x.is_floating_point() or x.dim() != 2:
            raise ValueError(f"vectors [N, d] of floats are expected, but got {x.dtype} {tuple(x.shape)}")
        return self.in_order({"features": x})


class PixelExtractor(Registered):
    """The values of images, in [0, 1]."""

    key = "pixels"

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if x.dtype != torch.uint8 or x.dim() != 4:
            raise ValueError(f"uint8 images [N, C, H, W] are expected, but got {x.dtype} {tuple(x.shape)}")
        return self.in_order({"features": x.flatten(1).float() / 255})


CLASSES_WITHOUT_WEIGHTS: dict[str, type[Registered]] = {"raw": RawExtractor, "pixels": PixelExtractor}


def registered_name(extractor: str) -> str:
    """Returns torch-fidelity's name of an extractor; a process registers it at its first call."""
    if extractor in PUBLISHED:
        return PUBLISHED[extractor].fidelity_name
    weights = weights_file(extractor, None)
    name = f"gansweep-{extractor}" + (f"-{file_hash(weights)[:12]}" if weights else "")
    if name not in FEATURE_EXTRACTORS_REGISTRY:
        base = CLASSES_WITHOUT_WEIGHTS.get(extractor, BundledExtractor)
        register_feature_extractor(name, type(base.__name__, (base,), {"key": extractor}))
    return name


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


def build(extractor: str, layers: Sequence[str], weights: Path | None, device: str | torch.device) -> Any:
    """Returns the extractor as torch-fidelity builds it, on a device. The global random state is unchanged.

    Raises:
        UserError: the file does not hold the weights of the published network.
    """
    with torch.random.fork_rng(devices=[]):
        if weights is not None and extractor in PUBLISHED:
            network = _published(PUBLISHED[extractor], layers, weights)
        else:
            network = create_feature_extractor(
                registered_name(extractor), list(layers), cuda=False, verbose=False
            )
    # channels_last makes large convolutions 1.5 times as fast on a CPU, and those of classifiers slower.
    layout = torch.channels_last if extractor in PUBLISHED else torch.contiguous_format
    return network.to(device=device, memory_format=layout)


def _published(network: Weights, layers: Sequence[str], weights: Path) -> Any:
    try:
        # torch-fidelity unpickles the file. So it must be the published one (weights_only may refuse its old
        # format) or hold nothing but tensors.
        if file_hash(weights) != network.sha256:
            torch.load(weights, weights_only=True)
        return create_feature_extractor(
            network.fidelity_name,
            list(layers),
            cuda=False,
            verbose=False,
            feature_extractor_weights_path=str(weights),
        )
    except (UserError, OSError):
        raise
    except Exception:  # whatever unpickling and building a network raise for another file
        raise UserError(
            f"{weights} does not hold {network.owner}'s weights in the form that torch-fidelity takes"
        ) from None


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
    network: Any, samples: Tensor, batch_size: int, device: str | torch.device, precision: str = "float32"
) -> dict[str, Tensor]:
    """Returns every layer of an extractor, float64 [N, D] on the device.

    Extractors of PUBLISHED get grey images with three equal channels.
    precision: of PRECISIONS, for convolutions and matrix products; `torch.autocast` chooses for other layers.
    """
    if network.get_name() in {published.fidelity_name for published in PUBLISHED.values()}:
        samples = samples.expand(-1, 3, -1, -1)
    with torch.autocast(torch.device(device).type, getattr(torch, precision), precision != "float32"):
        parts = [network(part.to(device)) for part in samples.split(batch_size)]
    layers = network.convert_features_tuple_to_dict(
        tuple(torch.cat(layer) for layer in zip(*parts, strict=True))
    )
    return {name: value.double() for name, value in layers.items()}
