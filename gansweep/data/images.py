"""The standard image sets, as scikit-learn and torchvision provide them.

Both libraries are imported where they are used: each costs a second that listing data sets should not pay.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gansweep.data.base import Dataset, make, split
from gansweep.data.decode import decode
from gansweep.data.downloads import download
from gansweep.data.reading import readable, shown
from gansweep.errors import UserError

LABELS = {
    "digits": "Digits 8×8",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "celeba": "CelebA 64×64",
}
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
IDX_CLASSES = 10
CELEBA_CROP, CELEBA_SIZE, CELEBA_TEST = 160, 64, 10_000


def load_digits(name: str, root: Path) -> Dataset:
    """Optical recognition of handwritten digits (Alpaydin and Kaynak, 1998), bundled with scikit-learn."""
    from sklearn import datasets

    bundle = datasets.load_digits()
    images = torch.tensor(np.rint(bundle.images * (255 / 16)), dtype=torch.uint8).unsqueeze(1)
    labels = torch.tensor(bundle.target, dtype=torch.int64)
    train, test = split(len(images), n_test=600)
    return make(
        name,
        LABELS[name],
        images[train],
        images[test],
        "Values 0..16 scaled to 0..255; a fixed random split into 1,197 training and 600 test images.",
        labels=(labels[train], labels[test]),
    )


def load_mnist(name: str, root: Path) -> Dataset:
    """MNIST (LeCun et al., 1998) or Fashion-MNIST (Xiao et al., 2017, arXiv:1708.07747)."""
    from torchvision.datasets import MNIST, FashionMNIST
    from torchvision.datasets.mnist import read_image_file, read_label_file

    source = {"mnist": MNIST, "fashion_mnist": FashionMNIST}[name]
    folder = f"{source.__name__}/raw"
    paths = [root / folder / file for file in IDX_FILES]
    download(
        name,
        root,
        folder,
        is_there=lambda: all(path.exists() for path in paths),
        fetch=lambda scratch: source(scratch, download=True),
    )
    readers = (read_image_file, read_label_file) * 2
    train, train_labels, test, test_labels = (_idx(*pair) for pair in zip(paths, readers, strict=True))
    for path, images in ((paths[0], train), (paths[2], test)):
        if images.shape[1:] != (28, 28):
            raise UserError(
                f"{path} has images of {images.shape[1]}×{images.shape[2]} pixels, but {name} has 28×28"
            )
    for path, labels in ((paths[1], train_labels), (paths[3], test_labels)):
        if labels.max() >= IDX_CLASSES:
            raise UserError(
                f"{shown(path)} has the label {labels.max()}, but {name} has 0 to {IDX_CLASSES - 1}"
            )
    return make(
        name,
        LABELS[name],
        train.unsqueeze(1),
        test.unsqueeze(1),
        "28×28 grey images as published, 0..255; the published training and test sets.",
        labels=(train_labels, test_labels),
    )


def load_cifar10(name: str, root: Path) -> Dataset:
    """CIFAR-10 (Krizhevsky, "Learning multiple layers of features from tiny images", 2009)."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    folder = root / CIFAR10.base_folder
    present = [(folder / file, md5) for file, md5 in CIFAR10.train_list + CIFAR10.test_list]
    for path, md5 in present:
        with readable(path):
            if path.exists() and not check_integrity(path, md5):
                raise _damaged(path)
    download(
        name,
        root,
        CIFAR10.base_folder,
        is_there=lambda: all(path.exists() for path, _ in present),
        fetch=lambda scratch: CIFAR10(scratch, download=True),
    )
    parts = [CIFAR10(root, train=train) for train in (True, False)]
    train, test = (torch.tensor(part.data).permute(0, 3, 1, 2).contiguous() for part in parts)
    return make(
        name,
        LABELS[name],
        train,
        test,
        "32×32 colour images as published, 0..255; the published training and test sets.",
        labels=(torch.tensor(parts[0].targets), torch.tensor(parts[1].targets)),
    )


def load_celeba(name: str, root: Path) -> Dataset:
    """CelebA (Liu et al., 2015, arXiv:1411.7766), aligned and cropped, as Lucic et al. (2018) use it.

    Source: Lucic et al., arXiv:1711.10337. Deviations: (1) the resize is antialiased; (2) the official
        training partition, 162,770 images, where the paper's copy has about 162,000.
    """
    from torchvision.datasets import CelebA
    from torchvision.datasets.utils import check_integrity

    folder = root / CelebA.base_folder
    lists = [(folder / file, md5) for _, md5, file in CelebA.file_list if file.endswith(".txt")]
    download(
        name,
        root,
        CelebA.base_folder,
        is_there=lambda: (
            (folder / "img_align_celeba").is_dir() and all(check_integrity(*each) for each in lists)
        ),
        fetch=lambda scratch: CelebA(scratch, download=True),
    )
    parts = [CelebA(root, split=part) for part in ("train", "valid")]
    files = [[folder / "img_align_celeba" / file for file in part.filename] for part in parts]
    files[1] = files[1][:CELEBA_TEST]
    images = decode(files[0] + files[1], CELEBA_SIZE, root, crop=CELEBA_CROP)
    return make(
        name,
        LABELS[name],
        images[: len(files[0])],
        images[len(files[0]) :],
        "Centre crop of 160×160, antialiased bilinear resize to 64×64; the official training partition, and "
        "the first 10,000 images of the validation partition as test set.",
    )


def _idx(path: Path, read: Callable[[str], Tensor]) -> Tensor:
    try:
        with readable(path):
            return read(str(path))
    except (UserError, OSError):
        raise
    except Exception:  # whatever torchvision's reader raises for a file that is damaged in some way
        raise _damaged(path) from None


def _damaged(path: Path) -> UserError:
    return UserError(
        f"{shown(path)} is truncated or damaged: delete it, and it is downloaded again if possible"
    )
