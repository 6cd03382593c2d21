"""Data sets by name, as tensors in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gansweep.data.base import Dataset
from gansweep.data.folder import load_folder
from gansweep.data.images import load_celeba, load_cifar10, load_digits, load_mnist
from gansweep.data.mixtures import MIXTURES, Mixture, load_mixture
from gansweep.data.places import data_root
from gansweep.data.polygons import POLYGONS, Polygons, load_polygons
from gansweep.errors import unknown

__all__ = [
    "DATASETS",
    "MIXTURES",
    "POLYGONS",
    "Dataset",
    "Mixture",
    "Polygons",
    "Source",
    "data_root",
    "load",
]

FOLDER = "folder:PATH"


@dataclass(frozen=True)
class Source:
    """The origin of a data set.

    load: (name, root) -> Dataset. folder: the folder of downloaded files under the root; "" if there is none.
    """

    description: str
    load: Callable[[str, Path], Dataset]
    folder: str = ""


DATASETS = {
    "digits": Source("1,797 grey images of digits, 8×8, bundled with scikit-learn", load_digits),
    "mnist": Source("70,000 grey images of digits, 28×28", load_mnist, "MNIST"),
    "fashion_mnist": Source("70,000 grey images of clothes, 28×28", load_mnist, "FashionMNIST"),
    "cifar10": Source("60,000 colour images of 10 classes, 32×32", load_cifar10, "cifar-10-batches-py"),
    "celeba": Source("172,770 colour images of faces, 64×64", load_celeba, "celeba"),
    FOLDER: Source("the images in a folder, 32×32, or 64×64 with folder:PATH@64", load_folder),
    "triangles": Source(
        "70,000 triangles of nearly one orientation, 28×28: the manifold is known", load_polygons
    ),
    "triangles_turned": Source("70,000 triangles of any orientation, 28×28", load_polygons),
    "squares": Source("70,000 convex 4-gons of nearly one orientation, 28×28", load_polygons),
    "ring": Source("8 Gaussians on a circle, 2-D", load_mixture),
    "grid": Source("25 Gaussians on a 5×5 grid, 2-D", load_mixture),
    "gaussian_1d": Source("one standard Gaussian, 1-D", load_mixture),
    "mixture_1d": Source("2 Gaussians, 1-D, for fitting a single one to them", load_mixture),
}


def load(name: str, root: Path | None = None, validation: bool = False) -> Dataset:
    """Load a data set by name from `root`, else from `data_root()`; with a validation set if requested.

    Raises:
        UserError: the name is unknown; the data are missing and cannot be downloaded, or are damaged.
    """
    key = FOLDER if name.startswith("folder:") else name
    if key not in DATASETS:
        raise unknown("data set", name, DATASETS)
    dataset = DATASETS[key].load(name, root or data_root())
    return dataset.with_validation() if validation else dataset
