"""Files of weights: bundled with the package, named by the user, or downloaded."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from gansweep.data.reading import readable
from gansweep.errors import UserError
from gansweep.files import file_lock

BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class Weights:
    """Published weights of a network."""

    owner: str  # name in sentences
    fidelity_name: str  # name in torch-fidelity
    url: str
    sha256: str  # of the whole file; the name of the published file has its first digits
    variable: str  # environment variable that names another file


PUBLISHED = {
    "inception": Weights(
        "Inception",
        "inception-v3-compat",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "GANSWEEP_INCEPTION_WEIGHTS",
    ),
    "vgg16": Weights(
        "VGG-16",
        "vgg16",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "GANSWEEP_VGG16_WEIGHTS",
    ),
}
WITHOUT_WEIGHTS = ("raw", "pixels")  # extractors without weights


def weights_file(extractor: str, given: str | None) -> Path | None:
    """Returns the file of an extractor's weights; None if it has no weights.

    The file of published weights is `given`, else that of the environment variable, else downloaded. Files
    that are bundled or downloaded have the hash of the published ones.

    Raises:
        UserError: the file does not exist, is damaged, or the download failed.
    """
    if extractor in WITHOUT_WEIGHTS:
        return None
    if extractor not in PUBLISHED:
        return _bundled(extractor)
    network = PUBLISHED[extractor]
    chosen = given or os.environ.get(network.variable)
    path = Path(chosen) if chosen else _download(network)
    if not path.is_file():
        raise UserError(f"there is no file of {network.owner}'s weights at {path}")
    return path


def _bundled(extractor: str) -> Path:
    path = BUNDLED / f"{extractor}.pt"
    if file_hash(path) != json.loads(path.with_suffix(".json").read_text())["sha256"]:
        raise UserError(f"{path} is damaged: install gansweep again")
    return path


def _download(network: Weights) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / network.url.rpartition("/")[2]
    if not path.exists():
        try:
            with file_lock(path.with_name(f".{path.name}.lock")):
                if not path.exists():  # no other process has downloaded it since
                    torch.hub.download_url_to_file(network.url, str(path), network.sha256, progress=False)
        except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong hash is a RuntimeError
            raise UserError(f"{network.owner}'s weights could not be downloaded ({error})") from None
    if file_hash(path) != network.sha256:
        raise UserError(
            f"{path} is not the published file of {network.owner}'s weights (its SHA-256 differs): "
            "delete it, and it is downloaded again"
        )
    return path


def file_hash(path: Path) -> str:
    """Returns the SHA-256 of a file in hex.

    Raises:
        UserError: the file cannot be read.
    """
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
