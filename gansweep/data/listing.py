"""The images in a folder, and what else is there and is left out."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gansweep.data.picture import suffixes
from gansweep.data.reading import readable, shown
from gansweep.errors import UserError

# Besides names that begin with a dot: what systems and programs put beside images; in lower case.
HIDDEN = {"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "$recycle.bin", "@eadir", "lost+found"}
N_NAMED = 3  # entries of one kind that are named

HIDDEN_ENTRY = "hidden entry", "hidden entries"
NO_IMAGE = "file that is no image", "files that are no images"
NO_FILE = "special file", "special files"
BROKEN_LINK = "link to nothing", "links to nothing"
KNOWN_FOLDER = "link to a folder that is read already", "links to folders that are read already"
EMPTY_FOLDER = "folder without images", "folders without images"
BESIDE_SETS = "entry beside the sets", "entries beside the sets"
VALIDATION_IMAGE = "validation image beside a test set", "validation images beside a test set"

Kind = tuple[str, str]  # what is left out, in the singular and in the plural


@dataclass
class LeftOut:
    """What is left out of a folder, by kind."""

    entries: defaultdict[Kind, list[Path]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: Kind, path: Path) -> None:
        self.entries[kind].append(path)

    def __str__(self) -> str:
        """What is left out and how often, with some names; "" if nothing is.

        >>> left_out = LeftOut()
        >>> left_out.add(HIDDEN_ENTRY, Path(".git"))
        >>> left_out.add(NO_IMAGE, Path("cats/notes.txt"))
        >>> print(left_out)
        ; left out: 1 hidden entry (.git), 1 file that is no image (notes.txt)
        """
        parts = []
        for (one, many), paths in self.entries.items():
            different = list(dict.fromkeys(path.name for path in paths))
            names = [shown(name) for name in different[:N_NAMED]] + ["..."] * (len(different) > N_NAMED)
            parts.append(f"{len(paths):,} {one if len(paths) == 1 else many} ({', '.join(names)})")
        return f"; left out: {', '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Entries:
    """What stands directly in a folder: images and folders, each in the order of their names."""

    images: list[Path]
    folders: list[Path]


def entries_of(folder: Path, left_out: LeftOut) -> Entries:
    """Returns the images and folders directly in a folder. Links are followed, hidden entries left out.

    Raises:
        UserError: the folder cannot be read.
    """
    found = Entries([], [])
    with readable(folder), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = folder / entry.name
            if entry.name.startswith(".") or entry.name.lower() in HIDDEN:
                left_out.add(HIDDEN_ENTRY, path)
            elif entry.is_symlink() and not path.exists():
                left_out.add(BROKEN_LINK, path)
            elif entry.is_dir():
                found.folders.append(path)
            elif not entry.is_file():
                left_out.add(NO_FILE, path)
            elif path.suffix.lower() in suffixes():
                found.images.append(path)
            else:
                left_out.add(NO_IMAGE, path)
    return found


def images_below(folder: Path, left_out: LeftOut) -> Iterator[Path]:
    """Yields the images in a folder and in the folders below it, each real folder once.

    Raises:
        UserError: one of the folders cannot be read.
    """
    known = {identity(above) for above in (folder, *folder.parents, *folder.resolve().parents)}
    left = [folder]
    while left:
        entries = entries_of(left.pop(), left_out)
        yield from entries.images
        for below in entries.folders:
            if identity(below) in known:
                left_out.add(KNOWN_FOLDER, below)
            else:
                known.add(identity(below))
                left.append(below)


def identity(folder: Path) -> tuple[int, int]:
    """Returns what tells a real folder from others, whatever links lead to it.

    Raises:
        UserError: the folder cannot be read.
    """
    with readable(folder):
        status = folder.stat()
    return status.st_dev, status.st_ino


def require_different(folders: list[Path]) -> None:
    """Refuse two names of one folder, whose images would be in two classes or in two sets."""
    names: dict[tuple[int, int], Path] = {}
    for folder in folders:
        other = names.setdefault(identity(folder), folder)
        if other != folder:
            raise UserError(f"{shown(other)} and {shown(folder)} are one folder: remove one of the names")
