"""What a folder of images is read as, and what is said of it."""

import os
import re
import shutil
from pathlib import Path

import pytest
from pictures import IMAGE, as_nobody, write_images
from PIL import Image, features

from gansweep import data
from gansweep.cli import main
from gansweep.data.picture import suffixes
from gansweep.errors import UserError


def counts(dataset: data.Dataset) -> tuple[list[int], list[int]]:
    """Images of each class, in the training and in the test set."""
    labels = dataset.train_labels, dataset.test_labels
    return tuple(part.bincount(minlength=dataset.n_classes).tolist() for part in labels)


def said(capfd: pytest.CaptureFixture[str]) -> str:
    out, err = capfd.readouterr()
    assert out == ""
    return err


def write_sets(root: Path, *names: str, classes: tuple[str, ...] = ("a", "b"), n: int = 2) -> None:
    for name in names:
        for label in classes:
            write_images(root / "set" / name / label, n)


def test_hidden_entries_are_no_classes_and_no_images(tmp_path, capfd):
    write_images(tmp_path / "set" / "cat", 6)
    for name in (".ipynb_checkpoints", ".git", "__MACOSX", "@eaDir"):
        write_images(tmp_path / "set" / name, 2)
        write_images(tmp_path / "set" / "cat" / name, 1)
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._0.png"):
        shutil.copy(tmp_path / "set" / "cat" / "0.png", tmp_path / "set" / "cat" / name)
    dataset = data.load("folder:set", tmp_path)
    assert counts(dataset) == ([5], [1])
    line = "gansweep: data 'set': 6 images in 1 class, 1 of them for testing; left out: 12 hidden entries ("
    assert said(capfd).startswith(line)


def test_links_to_folders_and_files_are_followed(tmp_path, capfd):
    write_images(tmp_path / "store" / "cat", 6)
    write_images(tmp_path / "set" / "dog", 5)
    (tmp_path / "set" / "cat").symlink_to(tmp_path / "store" / "cat", target_is_directory=True)
    (tmp_path / "set" / "dog" / "more.png").symlink_to(tmp_path / "store" / "cat" / "0.png")
    dataset = data.load("folder:set", tmp_path)
    assert [sum(n) for n in zip(*counts(dataset), strict=True)] == [6, 6]
    assert said(capfd) == "gansweep: data 'set': 12 images in 2 classes, 2 of them for testing\n"


def test_links_into_themselves_and_to_nothing_are_left_out_with_a_word(tmp_path, capfd):
    write_images(tmp_path / "set" / "cat", 6)
    (tmp_path / "set" / "cat" / "up").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "cat" / "root").symlink_to("/", target_is_directory=True)
    (tmp_path / "set" / "cat" / "gone.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "set" / "cat" / "self").symlink_to("self")
    assert len(data.load("folder:set", tmp_path).train) == 5
    assert said(capfd).endswith(
        "; left out: 2 links to nothing (gone.png, self), "
        "2 links to folders that are read already (root, up)\n"
    )


def test_folders_that_hold_one_another_by_links_end(tmp_path):
    for name in "abcdefgh":
        write_images(tmp_path / "store" / name, 1)
    for one in "abcdefgh":
        for other in "abcdefgh":
            (tmp_path / "store" / one / f"to-{other}").symlink_to(tmp_path / "store" / other)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "class").symlink_to(tmp_path / "store" / "a")
    dataset = data.load("folder:set", tmp_path)
    assert len(dataset.train) + len(dataset.test) == 8


def test_two_names_of_one_class_are_refused(tmp_path):
    write_images(tmp_path / "set" / "cat", 6)
    (tmp_path / "set" / "kitten").symlink_to("cat")
    with pytest.raises(UserError, match=r"set/cat and .*set/kitten are one folder: remove one"):
        data.load("folder:set", tmp_path)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Train", "Test"),
        ("TRAINING", "testing"),
        ("train", "val"),
        ("train", "Valid"),
        ("train", "validation"),
        ("training_set", "test_set"),
        ("train2017", "val2017"),
        ("train-images", "test-images"),
    ],
)
def test_folders_named_as_sets_are_sets_and_never_classes(tmp_path, train, test, capfd):
    write_sets(tmp_path, train, n=3)
    write_sets(tmp_path, test, n=2)
    dataset = data.load("folder:set", tmp_path)
    assert counts(dataset) == ([3, 3], [2, 2])
    assert f"the sub-folders {train} and {test}" in dataset.preprocessing
    assert said(capfd) == "gansweep: data 'set': 10 images in 2 classes, 4 of them for testing\n"


def test_of_three_sets_the_validation_set_is_left_out_with_a_word(tmp_path, capfd):
    write_sets(tmp_path, "train", "val", n=3)
    write_sets(tmp_path, "test", n=1)
    assert counts(data.load("folder:set", tmp_path)) == ([3, 3], [1, 1])
    assert "; left out: 6 validation images beside a test set (" in said(capfd)


def test_a_training_set_alone_is_split_at_random(tmp_path):
    write_sets(tmp_path, "train", n=6)
    dataset = data.load("folder:set", tmp_path)
    assert dataset.n_classes == 2 and (len(dataset.train), len(dataset.test)) == (10, 2)
    assert "one sixth of the files" in dataset.preprocessing


def test_entries_beside_the_sets_are_left_out_with_a_word(tmp_path, capfd):
    write_sets(tmp_path, "train", "test", "extra")
    write_images(tmp_path / "set", 1)
    assert counts(data.load("folder:set", tmp_path)) == ([2, 2], [2, 2])
    assert said(capfd).endswith("; left out: 2 entries beside the sets (0.png, extra)\n")


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("test/a", "val/a"), "has the folder test, val, but no training set: name one 'train'"),
        (("test/a", "car/a"), "has the folder test, but no training set"),
        (("train/a", "car"), "named as a training set, but there is no test set, and images stand beside it"),
        (("Train/a", "train/a", "test/a"), "Train and .*train are both named as the training set"),
        (("train/a", "val/a", "valid/a"), "are both named as the validation set: keep one"),
        (("train/a", "train/b", "test/a"), "has no images for testing of the class 'b': both sets must"),
        (("train/a", "test/a", "test/b"), "has no images for training of the class 'b': both sets must"),
        (("train/Cat", "test/cat"), "has no images for testing of the class 'Cat'"),
        (("cat/train", "cat/test"), "set/cat/test has the name of a set, but is inside of a class or a set"),
        (("pets/train/a", "pets/test/a"), "such as folder:.*set/pets, or rename it"),
        (("train/train/a", "train/test/a"), "train/test has the name of a set, but is inside"),
    ],
)
def test_sets_that_cannot_be_told_are_refused(tmp_path, folders, message):
    for folder in folders:
        write_images(tmp_path / "set" / folder, 2)
    with pytest.raises(UserError, match=message):
        data.load("folder:set", tmp_path)


def test_the_same_folder_for_training_and_testing_is_refused(tmp_path):
    write_sets(tmp_path, "train")
    (tmp_path / "set" / "test").symlink_to("train")
    with pytest.raises(UserError, match="are one folder"):
        data.load("folder:set", tmp_path)


def test_a_class_that_the_random_split_takes_from_training_is_refused(tmp_path):
    write_images(tmp_path / "set" / "a", 11)
    for i in range(11):  # one of these alone falls into the test set
        write_images(tmp_path / "set" / f"b{i:02}", 1)
    with pytest.raises(UserError, match="fall into the test set of the random split: give it more images"):
        data.load("folder:set", tmp_path)


def test_images_below_a_class_are_of_that_class(tmp_path):
    write_images(tmp_path / "set" / "cat" / "black" / "small", 4)
    write_images(tmp_path / "set" / "cat", 2)
    write_images(tmp_path / "set" / "dog" / "black", 6)
    dataset = data.load("folder:set", tmp_path)
    assert [sum(n) for n in zip(*counts(dataset), strict=True)] == [6, 6]


def test_folders_without_images_are_no_classes(tmp_path, capfd):
    write_images(tmp_path / "set" / "cat", 6)
    (tmp_path / "set" / "empty").mkdir()
    (tmp_path / "set" / "texts").mkdir()
    (tmp_path / "set" / "texts" / "notes.txt").touch()
    assert data.load("folder:set", tmp_path).n_classes == 1
    assert said(capfd).endswith(
        "; left out: 2 folders without images (empty, texts), 1 file that is no image (notes.txt)\n"
    )


def test_images_beside_class_folders_take_the_classes_away_with_a_word(tmp_path, capfd):
    write_images(tmp_path / "set" / "cat", 6)
    Image.fromarray(IMAGE).save(tmp_path / "set" / "preview.png")
    dataset = data.load("folder:set", tmp_path)
    assert dataset.train_labels is None and len(dataset.train) + len(dataset.test) == 7
    line = "7 images without classes, as 1 lies in no class folder (preview.png), 2 of them"
    assert line in said(capfd)


def test_every_suffix_that_pillow_decodes_counts(tmp_path, capfd):
    kinds = ["jfif", "JPG", "tga", "webp", "gif", "tiff", "bmp", "pgm", "jp2", "ico", "pcx"]
    kinds += ["avif"] if features.check("avif") else []
    (tmp_path / "set").mkdir()
    for suffix in kinds:
        kind = {"jfif": "JPEG", "jp2": "JPEG2000"}.get(suffix)
        Image.fromarray(IMAGE).save(tmp_path / "set" / f"image.{suffix}", kind)
    (tmp_path / "set" / "notes.txt").touch()
    (tmp_path / "set" / "no_suffix").touch()
    os.mkfifo(tmp_path / "set" / "pipe.png")
    dataset = data.load("folder:set", tmp_path)
    assert len(dataset.train) + len(dataset.test) == len(kinds)
    assert said(capfd).endswith(
        "; left out: 2 files that are no images (no_suffix, notes.txt), 1 special file (pipe.png)\n"
    )


def test_formats_that_another_program_draws_or_nobody_decodes_are_no_images():
    assert {".png", ".jpg", ".jfif", ".webp", ".tga", ".avif"} <= suffixes()
    assert not {".eps", ".ps", ".pdf", ".wmf", ".emf", ".h5", ".hdf", ".mpg", ".mpeg", ".grib"} & suffixes()


def test_a_folder_without_permission_is_a_sentence():
    with as_nobody() as folder:
        write_images(folder / "set" / "cat", 3)
        write_images(folder / "set" / "dog", 3)
        (folder / "set" / "dog").chmod(0)
        with pytest.raises(UserError, match=r"set/dog cannot be read: Permission denied: give yourself"):
            data.load("folder:set", folder)


def test_a_folder_that_cannot_be_entered_is_a_sentence():
    with as_nobody() as folder:
        write_images(folder / "set" / "cat", 3)
        (folder / "set" / "cat").chmod(0o444)  # names can be listed, files not be opened
        with pytest.raises(UserError, match="cannot be read: Permission denied"):
            data.load("folder:set", folder)
        (folder / "set").chmod(0)
        with pytest.raises(UserError, match="cannot be read: Permission denied"):
            data.load("folder:set/cat", folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder:" + "x" * 300, "cannot be read: File name too long"),
        ("folder:" + "x/" * 3000, "cannot be read: File name too long"),
        ("folder:set\0", r"data set 'folder:set\\x00' has characters in its name that cannot be printed"),
        ("folder:set\udcff", r"data set 'folder:set\\xff' has characters in its name that cannot be printed"),
        ("folder:set\x1b[2J", "cannot be printed: rename it"),
        ("folder:loop", "there is no folder .*loop"),
        ("folder:file.png", "there is no folder .*file.png"),
        ("folder:set@0", "must be 32 or 64 pixels, but 'folder:set@0' says '0'"),
        ("folder:set@100000000", "must be 32 or 64 pixels"),
        ("folder:set@-32", "must be 32 or 64 pixels"),
        ("folder:set@", "must be 32 or 64 pixels"),
    ],
)
def test_a_path_that_names_no_folder_is_a_sentence(tmp_path, name, message):
    write_images(tmp_path / "set", 2)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file.png").touch()
    with pytest.raises(UserError, match=message):
        data.load(name, tmp_path)


def test_a_folder_may_have_an_at_in_its_name(tmp_path):
    for path in ("me@home/set", "cats@home"):
        write_images(tmp_path / path, 2)
        assert data.load(f"folder:{path}", tmp_path).shape == (3, 32, 32)
        assert data.load(f"folder:{path}@64", tmp_path).shape == (3, 64, 64)


def test_too_few_images_say_what_was_left_out(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "photo.heic").touch()
    message = r"holds 0 images, but 2 or more .*; left out: 1 file that is no image \(photo.heic\)"
    with pytest.raises(UserError, match=message):
        data.load("folder:set", tmp_path)


def test_names_that_are_not_utf8_are_read_and_written_as_escapes(tmp_path, capfd):
    write_images(tmp_path / "set" / "a", 6)
    odd = os.fsencode(tmp_path / "set") + b"/caf\xe9"
    shutil.copytree(tmp_path / "set" / "a", os.fsdecode(odd))
    Path(os.fsdecode(odd + b"/\xff\x1b[2J.txt")).touch()
    dataset = data.load("folder:set", tmp_path)
    assert [sum(n) for n in zip(*counts(dataset), strict=True)] == [6, 6]
    assert said(capfd).endswith(r"; left out: 1 file that is no image (\xff\x1b[2J.txt)" + "\n")
    Path(os.fsdecode(odd + b"/0.png")).write_bytes(b"no image")
    with pytest.raises(UserError) as caught:
        data.load("folder:set", tmp_path)
    assert re.search(r"caf\\xe9/0\.png is not an image", str(caught.value))
    str(caught.value).encode()


def test_a_path_of_280_bytes_is_read_and_cached(tmp_path):
    path = "/".join(["a_folder_of_a_long_path"] * 12)
    assert len(path) > 280
    write_images(tmp_path / path, 3)
    first = data.load(f"folder:{path}", tmp_path)
    assert data.load(f"folder:{path}", tmp_path).sha256 == first.sha256
    assert len(os.listdir(tmp_path / "decoded")) == 1


def test_the_command_line_says_what_was_read_or_what_is_wrong(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("GANSWEEP_DATA", str(tmp_path))
    write_images(tmp_path / "set" / "cat", 6)
    (tmp_path / "set" / "notes.txt").touch()
    assert main(["fetch", f"folder:{tmp_path}/set"]) == 0
    out, err = capfd.readouterr()
    assert out == f"data set folder:{tmp_path}/set: 6 samples of 3×32×32\n"
    assert err == (
        f"gansweep: data '{tmp_path}/set': 6 images in 1 class, 1 of them for testing; left out: "
        "1 file that is no image (notes.txt)\n"
    )
    write_images(tmp_path / "set" / "test", 2)
    assert main(["fetch", f"folder:{tmp_path}/set"]) == 2
    assert said(capfd) == (
        f"gansweep: {tmp_path}/set has the folder test, but no training set: name one 'train'\n"
    )


def test_a_data_root_without_permission_is_a_sentence():
    with as_nobody() as folder:
        (folder / "MNIST").mkdir(mode=0)
        with pytest.raises(UserError, match="MNIST/raw cannot be read: Permission denied"):
            data.load("mnist", folder)


def test_a_folder_in_a_hidden_one_is_read(tmp_path):
    write_images(tmp_path / ".cache" / "set" / "cat", 6)
    assert data.load("folder:.cache/set", tmp_path).n_classes == 1
