"""Which images of a folder are for training and which for testing, and of which class each is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gansweep.data.base import split
from gansweep.data.listing import (
    BESIDE_SETS,
    EMPTY_FOLDER,
    VALIDATION_IMAGE,
    Entries,
    LeftOut,
    entries_of,
    images_below,
    require_different,
)
from gansweep.data.picture import suffixes
from gansweep.data.reading import shown
from gansweep.errors import UserError

SET_NAME = re.compile(
    "(?:(?P<training>train(?:ing)?)|(?P<validation>val(?:id(?:ation)?)?)|(?P<test>test(?:ing)?))"
    "(?:[-_ ]?(?:set|data|images|[0-9]{4}))?",
    re.IGNORECASE,
)
N_NAMED = 3  # classes


@dataclass(frozen=True)
class Images:
    """The images of a set: files, and the class of each; "" if it lies in no class folder."""

    files: list[Path]
    classes: list[str]

    def __len__(self) -> int:
        return len(self.files)

    def at(self, index: Sequence[int]) -> "Images":
        """Returns some of them."""
        return Images([self.files[i] for i in index], [self.classes[i] for i in index])


def find_sets(folder: Path, left_out: LeftOut) -> tuple[Images, Images, str]:
    """Returns the training set and the test set of a folder, and how they were found.

    Folders with the name of a set are sets: `train`, `training`; `val`, `valid`, `validation`; `test`,
    `testing`; in any letter case, also with `set`, `data`, `images` or a year behind. Without a test set, the
    validation set tests; beside one, it is left out. Without sets, or with a training set alone, a fixed
    random sixth of the images tests.

    Raises:
        UserError: a set is lacking, empty or ambiguous; a class has no images for training, or is in one set
            alone; a folder cannot be read.
    """
    entries = entries_of(folder, left_out)
    sets = _sets(entries.folders)
    beside = [path for path in (*entries.images, *entries.folders) if path not in sets.values()]
    if not sets:
        return _at_random(_images(folder, entries, left_out))
    if "training" not in sets:
        names = ", ".join(shown(path.name) for path in sets.values())
        raise UserError(f"{shown(folder)} has the folder {names}, but no training set: name one 'train'")
    training, test = sets["training"], sets.get("test") or sets.get("validation")
    if test is None:
        _require_alone(training, beside)
        return _at_random(_images(training, entries_of(training, left_out), left_out))
    require_different(list(sets.values()))
    for path in beside:
        left_out.add(BESIDE_SETS, path)
    if "test" in sets and "validation" in sets:
        for path in images_below(sets["validation"], left_out):
            left_out.add(VALIDATION_IMAGE, path)
    found, tested = (_images(path, entries_of(path, left_out), left_out) for path in (training, test))
    _require_equal_classes(found, tested, folder)
    return found, tested, f"the sub-folders {shown(training.name)} and {shown(test.name)}"


def _sets(folders: Sequence[Path]) -> dict[str, Path]:
    """Returns the folders with the name of a set: training, validation, test."""
    found: dict[str, Path] = {}
    for folder in folders:
        if match := SET_NAME.fullmatch(folder.name):
            name = next(name for name, text in match.groupdict().items() if text)
            other = found.setdefault(name, folder)
            if other != folder:
                raise UserError(
                    f"{shown(other)} and {shown(folder)} are both named as the {name} set: keep one"
                )
    return found


def _require_alone(training: Path, beside: Sequence[Path]) -> None:
    for path in beside:
        if path.is_file() or next(images_below(path, LeftOut()), None):
            raise UserError(
                f"{shown(training)} is named as a training set, but there is no test set, and images stand "
                f"beside it in '{shown(path.name)}': if it is a class, rename it; if it is the training set, "
                "add a folder 'test', or move the other images away"
            )


def _images(folder: Path, entries: Entries, left_out: LeftOut) -> Images:
    """Returns the images of one set in the order of their paths. Its sub-folders are the classes."""
    require_different(entries.folders)
    found = [(image, "") for image in entries.images]
    for below in entries.folders:
        images = list(images_below(below, left_out))
        found += [(image, below.name) for image in images]
        if not images:
            left_out.add(EMPTY_FOLDER, below)
    found.sort(key=lambda pair: pair[0].relative_to(folder).as_posix())
    if len(found) < 2:
        known = ", ".join(sorted(suffixes()))
        raise UserError(
            f"{shown(folder)} holds {len(found)} images, but 2 or more are needed ({known}){left_out}"
        )
    for parent in sorted({image.parent for image, _ in found}):
        _require_no_set_inside(folder, parent.relative_to(folder).parts[:2])
    return Images([image for image, _ in found], [name for _, name in found])


def _require_no_set_inside(folder: Path, parts: Sequence[str]) -> None:
    """Refuse a class, or a folder directly in one, with the name of a set: training and test would mix."""
    for depth, name in enumerate(parts, 1):
        if SET_NAME.fullmatch(name):
            inside = folder.joinpath(*parts[:depth])
            raise UserError(
                f"{shown(inside)} has the name of a set, but is inside of a class or a set: give the folder "
                f"that holds the sets, such as folder:{shown(inside.parent)}, or rename it"
            )


def _at_random(images: Images) -> tuple[Images, Images, str]:
    """Splits images into five parts for training and one for testing, the same at every call."""
    index = split(len(images), n_test=-(-len(images) // 6))
    training, test = (images.at(part.tolist()) for part in index)
    lacking = sorted({*test.classes} - {*training.classes})
    if lacking and all(images.classes):
        raise UserError(
            f"all images of the class {_names(lacking)} fall into the test set of the random split: give it "
            "more images, or make folders 'train' and 'test'"
        )
    return training, test, "a fixed random split, one sixth of the files for testing"


def _require_equal_classes(training: Images, test: Images, folder: Path) -> None:
    if not all(training.classes + test.classes):
        return
    for one, other, where in ((training, test, "testing"), (test, training, "training")):
        if lacking := sorted({*one.classes} - {*other.classes}):
            raise UserError(
                f"{shown(folder)} has no images for {where} of the class {_names(lacking)}: both sets must "
                "have the same classes"
            )


def _names(classes: Sequence[str]) -> str:
    names = [f"'{shown(name)}'" for name in classes[:N_NAMED]]
    return ", ".join(names) + (f" and {len(classes) - N_NAMED} others" if len(classes) > N_NAMED else "")
