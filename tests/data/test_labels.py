"""Every sample has one label, and every class is one of the data set's."""

import struct

import numpy as np
import pytest
import torch
from idx_files import write_idx, write_mnist
from pictures import write_images

from gansweep import data
from gansweep.data.base import make
from gansweep.errors import UserError

IMAGES = torch.zeros(6, 1, 4, 4, dtype=torch.uint8)


def labels(*values: int) -> torch.Tensor:
    return torch.tensor(values)


@pytest.mark.parametrize("samples", [IMAGES, IMAGES.flatten(1).float()], ids=["images", "vectors"])
@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (labels(0, 1, 0, 1, 0), labels(0, 1, 0), "'x' has 6 training samples, but 5 labels for them"),
        (labels(0, 1, 0, 1, 0, 1, 0), labels(0, 1, 0), "'x' has 6 training samples, but 7 labels"),
        (labels(0, 1, 0, 1, 0, 1), labels(0, 1), "'x' has 3 test samples, but 2 labels for them"),
        (labels(0, 1, 0, 1, 0, -1), labels(0, 1, 0), "has the label -1, but labels must be at least 0"),
        (labels(0, 1, 0, 1, 0, 1), labels(0, 1, -2), "has the label -2"),
        (labels(0, 1, 0, 1, 0, 3), labels(0, 1, 0), "labels up to 3, but no training sample of class 2"),
        (labels(0, 1, 0, 1, 0, 1), labels(0, 1, 2), "labels up to 2, but no training sample of class 2"),
        (labels(1, 2, 1, 2, 1, 2), labels(1, 2, 1), "labels up to 2, but no training sample of class 0"),
        (labels(0, 1, 0, 1, 0, 10**15), labels(0, 1, 0), "no training sample of class 2"),
    ],
)
def test_labels_that_cannot_be_are_refused(samples, train, test, message):
    with pytest.raises(UserError, match=message):
        make("x", "X", samples, samples[:3], "None.", (train, test))


def test_right_labels_are_taken():
    dataset = make("x", "X", IMAGES, IMAGES[:3], "None.", (labels(0, 1, 2, 2, 1, 0), labels(1, 1, 1)))
    assert dataset.n_classes == 3


def test_a_class_stays_one_when_all_its_samples_are_held_out():
    n = 400
    train = torch.zeros(n, dtype=torch.int64)
    images = torch.zeros(n, 1, 4, 4, dtype=torch.uint8)
    for rare in range(n):
        train.zero_()[rare] = 1
        dataset = make("x", "X", images, images[:100], "None.", (train.clone(), labels(*[0] * 100)))
        held_out = dataset.with_validation()
        if held_out.train_labels.max() == 0:
            break
    assert held_out.validation_labels.max() == 1 and held_out.n_classes == 2


FILES = ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("change", [-1, 1, 10])
def test_mnist_files_of_other_lengths_are_refused(tmp_path, file, change):
    raw = write_mnist(tmp_path)
    n = {"t": 5, "0": 3}[file[0 if file.startswith("train") else 2]]
    write_idx(raw / file, np.arange(n + change).astype(np.uint8) % 3)
    which = "training" if n == 5 else "test"
    with pytest.raises(UserError, match=f"'mnist' has {n} {which} samples, but {n + change} labels for them"):
        data.load("mnist", tmp_path)


def test_the_labels_of_the_other_set_are_refused(tmp_path):
    raw = write_mnist(tmp_path)
    (raw / FILES[0]).write_bytes((raw / FILES[1]).read_bytes())
    with pytest.raises(UserError, match="'mnist' has 5 training samples, but 3 labels for them"):
        data.load("mnist", tmp_path)


@pytest.mark.parametrize("file", FILES)
def test_mnist_labels_that_are_no_digits_are_refused(tmp_path, file):
    path = write_mnist(tmp_path) / file
    content = bytearray(path.read_bytes())
    content[-1] = 200
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{file} has the label 200, but mnist has 0 to 9"):
        data.load("mnist", tmp_path)


def test_mnist_images_of_another_size_are_refused(tmp_path):
    raw = write_mnist(tmp_path)
    write_idx(raw / "train-images-idx3-ubyte", np.zeros((5, 32, 32), dtype=np.uint8))
    with pytest.raises(
        UserError, match=r"train-images-idx3-ubyte has images of 32×32 pixels, but mnist has 28×28"
    ):
        data.load("mnist", tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4,
        b"\xff" * 40,
        struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 28, 28) + bytes(784),
        struct.pack(">4B3I", 0, 0, 8, 3, 0, 28, 28),
        struct.pack(">4B3I", 0, 0, 13, 3, 1, 28, 28) + bytes(4 * 784),
        struct.pack(">4B1I", 0, 0, 8, 1, 5) + bytes(5),
    ],
)
def test_whatever_stands_in_a_file_of_mnist_is_a_sentence(tmp_path, content):
    (write_mnist(tmp_path) / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(UserError, match="train-images-idx3-ubyte is truncated or damaged: delete it"):
        data.load("mnist", tmp_path)


def test_a_folder_in_place_of_a_file_of_mnist_is_a_sentence(tmp_path):
    path = write_mnist(tmp_path) / "train-images-idx3-ubyte"
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="train-images-idx3-ubyte cannot be read: Is a directory"):
        data.load("mnist", tmp_path)


def test_the_labels_of_a_folder_are_those_of_its_images(tmp_path):
    for i, name in enumerate(("c", "a", "b")):
        write_images(tmp_path / "set" / "train" / name, 2 + i)
        write_images(tmp_path / "set" / "test" / name, 1 + i)
    dataset = data.load("folder:set", tmp_path)
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert dataset.test_labels.tolist() == [0, 0, 1, 1, 1, 2]
