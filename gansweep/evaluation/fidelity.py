"""The extractors and torch-fidelity: its Inception and VGG-16 built for us, and ours registered with it.

`torch_fidelity.calculate_metrics` accepts all of them. It imports torchvision, which takes longer than torch
itself: only where an extractor of torch-fidelity's own is used.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor
from torch_fidelity.utils import create_feature_extractor

from gansweep.errors import UserError
from gansweep.evaluation.extractors import OWN
from gansweep.evaluation.settings import EXTRACTORS
from gansweep.evaluation.weights import PUBLISHED, Weights, file_hash, weights_file


class Published(nn.Module):
    """An extractor of torch-fidelity, with its layers by name. Grey images get three equal channels."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        layers: dict[str, Tensor] = self.network.convert_features_tuple_to_dict(
            self.network(x.expand(-1, 3, -1, -1))
        )
        return layers


def published(extractor: str, layers: Sequence[str], weights: Path) -> Published:
    """Returns an extractor of PUBLISHED with the weights of a file.

    Raises:
        UserError: the file does not hold the weights of the published network.
    """
    network = PUBLISHED[extractor]
    try:
        return Published(_built(network, layers, weights))
    except (UserError, OSError):
        raise
    except Exception:  # whatever unpickling and building a network raise for another file
        raise UserError(
            f"{weights} does not hold {network.owner}'s weights in the form that torch-fidelity takes"
        ) from None


def _built(network: Weights, layers: Sequence[str], weights: Path) -> Any:
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


class Registered(FeatureExtractorBase):
    """The interface of extractors in torch-fidelity for one of ours, which a subclass names."""

    key: ClassVar[str]

    def __init__(self, name: str, features_list: list[str], **options: Any) -> None:
        super().__init__(name, features_list)
        self.network = OWN[self.key](self.key, features_list)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        # torch-fidelity reads the tuple in the order of features_list, which comes from a set and differs
        # between processes. A fixed order would swap features and logits without an error.
        layers = self.network(x)
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


def registered_name(extractor: str) -> str:
    """Returns torch-fidelity's name of an extractor; a process registers it at its first call."""
    if extractor in PUBLISHED:
        return PUBLISHED[extractor].fidelity_name
    weights = weights_file(extractor, None)
    name = f"gansweep-{extractor}" + (f"-{file_hash(weights)[:12]}" if weights else "")
    if name not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(name, type(extractor, (Registered,), {"key": extractor}))
    return name
