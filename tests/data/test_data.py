"""Data sets: what is in them, and what is said when they are missing or damaged."""

import os

import numpy as np
import pytest
import torch
from idx_files import write_mnist
from pictures import IMAGE, write_images
from PIL import Image

from gansweep import data
from gansweep.data.base import content_hash, make, split
from gansweep.data.decode import decode
from gansweep.errors import UserError
from gansweep.theory import FGAN_MIXTURE


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No download can succeed: a proxy that nobody answers for; and a home of its own."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_digits():
    digits = data.load("digits")
    assert (digits.kind, digits.shape, digits.label) == ("image", (1, 8, 8), "Digits 8×8")
    assert (len(digits.train), len(digits.test)) == (1197, 600)
    assert digits.train.dtype == torch.uint8 and int(digits.train.max()) == 255
    assert digits.train_labels.bincount(minlength=10).min() > 100
    assert digits.sha256 == data.load("digits").sha256


def test_a_batch_has_the_shape_of_its_index_and_images_between_0_and_1():
    digits, index = data.load("digits"), torch.tensor([[0, 1, 2], [3, 4, 0]])
    x = digits.batch(index)
    assert x.shape == (2, 3, 1, 8, 8)
    torch.testing.assert_close(x[1, 2], digits.train[0].float() / 255)
    ring = data.load("ring")
    torch.testing.assert_close(ring.batch(index), ring.train[index], rtol=0, atol=0)


def test_moving_a_data_set_moves_all_its_tensors():
    moved = data.load("digits").to("meta")
    tensors = (moved.train, moved.test, moved.train_labels, moved.test_labels)
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize(
    ("name", "n", "sd", "sha256"),
    [
        ("ring", 8, 0.01, "268a3957"),
        ("grid", 25, 0.05, "afd8f531"),
        ("gaussian_1d", 1, 1.0, "bfc25d15"),
    ],
)
def test_mixtures_have_their_means_and_spread(name, n, sd, sha256):
    mixture, dataset = data.MIXTURES[name], data.load(name)
    assert dataset.kind == "vector" and dataset.train.dtype == torch.float32
    assert (len(dataset.train), len(dataset.test), len(mixture.means)) == (50_000, 10_000, n)
    residual = dataset.train - mixture.means[dataset.train_labels]
    torch.testing.assert_close(residual.std(0), torch.full_like(residual[0], sd), rtol=0.02, atol=0)
    share = dataset.train_labels.bincount() / len(dataset.train)
    torch.testing.assert_close(share, torch.full_like(share, 1 / n), rtol=0.1, atol=0)
    assert dataset.sha256.startswith(sha256)  # published scores are of these very samples


def test_a_mixture_of_unlike_components_has_its_weights_and_spreads():
    mixture, dataset = data.MIXTURES["mixture_1d"], data.load("mixture_1d")
    share = dataset.train_labels.bincount() / len(dataset.train)
    torch.testing.assert_close(share, torch.tensor(mixture.weights), rtol=0, atol=0.01)
    for k in range(2):
        part = dataset.train[dataset.train_labels == k]
        torch.testing.assert_close(part.mean(0), mixture.means[k], rtol=0, atol=0.02)
        torch.testing.assert_close(part.std(), mixture.sds[k], rtol=0.02, atol=0)


def test_the_one_dimensional_mixture_is_the_target_of_the_f_gan_study():
    mixture = data.MIXTURES["mixture_1d"]
    assert mixture.weights == FGAN_MIXTURE.weights
    torch.testing.assert_close(mixture.means.flatten(), torch.tensor(FGAN_MIXTURE.means))
    torch.testing.assert_close(mixture.sds, torch.tensor(FGAN_MIXTURE.sds))


@pytest.mark.parametrize(("name", "n"), [("digits", 10), ("ring", 8), ("gaussian_1d", 1)])
def test_classes_are_counted(name, n):
    assert data.load(name).n_classes == n


def test_without_labels_there_are_no_classes():
    images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    assert make("x", "X", images, images, "None.").n_classes == 0


def test_ring_and_grid_lie_where_the_literature_has_them():
    torch.testing.assert_close(data.MIXTURES["ring"].means.norm(dim=1), torch.ones(8))
    grid = data.MIXTURES["grid"].means
    assert sorted(grid[:, 0].unique().tolist()) == sorted(grid[:, 1].unique().tolist()) == [-4, -2, 0, 2, 4]


def test_the_hash_sees_every_value_type_and_shape():
    base = torch.arange(6, dtype=torch.uint8)
    changed = base.clone()
    changed[5] = 0
    variants = [base, changed, base.long(), base.view(2, 3), base.view(3, 2)]
    assert len({content_hash([tensor]) for tensor in variants}) == len(variants)
    images = base.view(2, 1, 1, 3)
    labels = torch.tensor([0, 1]), torch.tensor([1, 0])
    one, other = (make("x", "X", images, images, "None.", pair) for pair in (labels, labels[::-1]))
    assert one.sha256 != other.sha256


def test_a_split_is_fixed_and_covers_all():
    train, test = split(100, n_test=30)
    assert len(test) == 30
    torch.testing.assert_close(torch.cat([train, test]).sort().values, torch.arange(100))
    torch.testing.assert_close(split(100, n_test=30)[1], test)


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(UserError, match="unknown data set 'minst'; did you mean 'mnist'"):
        data.load("minst")


def test_mnist_reads_the_published_format(tmp_path, capfd):
    write_mnist(tmp_path)
    mnist = data.load("mnist", tmp_path)
    assert (mnist.shape, len(mnist.train), len(mnist.test)) == ((1, 28, 28), 5, 3)
    assert mnist.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert mnist.train.flatten()[:3].tolist() == [0, 1, 2]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("kept", [0, 6, 9])
def test_a_truncated_mnist_file_is_named(tmp_path, file, kept):
    path = write_mnist(tmp_path) / file
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=f"{file} is truncated or damaged: delete it"):
        data.load("mnist", tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "celeba"])
def test_missing_data_without_a_network_say_where_they_belong(tmp_path, name, offline, capfd):
    with pytest.raises(UserError, match=f"data set '{name}' is not complete in {tmp_path}.*GANSWEEP_DATA"):
        data.load(name, tmp_path)
    assert capfd.readouterr().out == ""


def test_a_damaged_cifar10_file_is_named(tmp_path, offline):
    path = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    path.parent.mkdir()
    path.write_bytes(b"half a file")
    with pytest.raises(UserError, match="data_batch_3 is truncated or damaged"):
        data.load("cifar10", tmp_path)


def test_the_data_root_is_the_environments_or_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GANSWEEP_DATA", str(tmp_path))
    assert data.data_root() == tmp_path
    monkeypatch.delenv("GANSWEEP_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data.data_root() == tmp_path / ".cache" / "gansweep" / "data"


def test_a_folder_with_classes_is_split_and_labelled(tmp_path):
    for name in ("cat", "dog"):
        write_images(tmp_path / "pets" / name, 9)
    pets = data.load("folder:pets", tmp_path)
    assert (pets.label, pets.shape, len(pets.train), len(pets.test)) == ("pets", (3, 32, 32), 15, 3)
    assert torch.cat([pets.train_labels, pets.test_labels]).bincount().tolist() == [9, 9]
    assert data.load(f"folder:{tmp_path / 'pets'}@64", tmp_path).shape == (3, 64, 64)


def test_a_folder_with_train_and_test_keeps_them(tmp_path):
    for part, n in (("train", 3), ("test", 2)):
        for name in ("a", "b"):
            write_images(tmp_path / "set" / part / name, n)
    dataset = data.load("folder:set", tmp_path)
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.test_labels.tolist() == [0, 0, 1, 1]


def test_images_outside_class_folders_have_no_labels(tmp_path):
    write_images(tmp_path / "flat", 6)
    assert data.load("folder:flat", tmp_path).train_labels is None


def test_images_stay_grey_only_if_all_are(tmp_path):
    write_images(tmp_path / "grey", 6, mode="L")
    assert data.load("folder:grey", tmp_path).shape == (1, 32, 32)
    Image.fromarray(IMAGE).save(tmp_path / "grey" / "colour.png")
    mixed = data.load("folder:grey", tmp_path)
    assert mixed.shape == (3, 32, 32)
    pixels = torch.cat([mixed.train, mixed.test])
    assert sum(bool((image == image[:1]).all()) for image in pixels) == 6


def test_the_centre_square_is_kept_and_small_images_are_not_changed(tmp_path):
    write_images(tmp_path / "set", 2)
    wide = Image.fromarray(np.pad(IMAGE[:32, :32], ((0, 0), (9, 9), (0, 0))))
    wide.save(tmp_path / "set" / "0.png")
    images = decode([tmp_path / "set" / "0.png"], 32, tmp_path)
    np.testing.assert_array_equal(images[0].permute(1, 2, 0).numpy(), IMAGE[:32, :32])


def test_a_fixed_crop_ignores_the_rest(tmp_path):
    image = np.zeros((218, 178, 3), dtype=np.uint8)
    image[29:189, 9:169] = 200
    Image.fromarray(image).save(tmp_path / "face.png")
    assert decode([tmp_path / "face.png"], 64, tmp_path, crop=160).unique().tolist() == [200]


def test_decoded_images_are_cached_until_a_file_changes(tmp_path):
    write_images(tmp_path / "set", 6)
    first = data.load("folder:set", tmp_path)
    (cache,) = (tmp_path / "decoded").iterdir()
    written = cache.stat().st_mtime_ns
    assert data.load("folder:set", tmp_path).sha256 == first.sha256
    assert cache.stat().st_mtime_ns == written
    Image.fromarray(255 - IMAGE).save(tmp_path / "set" / "0.png")
    assert data.load("folder:set", tmp_path).sha256 != first.sha256


def test_a_cache_that_cannot_be_written_beside_the_data_is_kept_with_the_others(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSWEEP_CACHE", str(tmp_path / "cache"))
    write_images(tmp_path / "set", 6)
    (tmp_path / "decoded").write_text("a file where the folder should be")
    first = data.load("folder:set", tmp_path)
    assert len(os.listdir(tmp_path / "cache" / "decoded")) == 1
    assert data.load("folder:set", tmp_path).sha256 == first.sha256


def test_a_truncated_image_is_named(tmp_path):
    write_images(tmp_path / "set", 6, suffix="jpg")
    path = tmp_path / "set" / "3.jpg"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"3\.jpg is not an image, or is truncated"):
        data.load("folder:set", tmp_path)


def test_images_of_sixteen_bits_are_refused(tmp_path):
    write_images(tmp_path / "set", 6)
    Image.fromarray(np.full((8, 8), 4000, dtype=np.uint16)).save(tmp_path / "set" / "deep.png")
    with pytest.raises(UserError, match=r"deep\.png has more than 8 bits"):
        data.load("folder:set", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder:nowhere", "there is no folder .*nowhere"),
        ("folder:", "'folder:' names no folder: give it a path"),
        ("folder:empty", "holds 0 images"),
        ("folder:empty@48", "must be 32 or 64 pixels, but 'folder:empty@48' says '48'"),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        data.load(name, tmp_path)
