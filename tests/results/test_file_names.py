"""Names of files made from names of data sets fit into the 255 bytes of a file system."""

import re

import pytest

from gansweep.files import write_atomically
from gansweep.results.folder import StudyFolder
from gansweep.results.row import FILE_NAME, LONGEST_SLUG, slug

LONG = "folder:/" + "/".join(["some_long_folder"] * 17)  # 280 bytes and more, none of its parts too long


@pytest.mark.parametrize(
    "name",
    [LONG, LONG + "@64", "folder:" + "ä" * 200, "folder:" + "猫/" * 90, "folder:" + "\udcff" * 200],
)
def test_a_long_path_gives_a_short_name(name):
    short = slug(name)
    assert len(short.encode()) <= LONGEST_SLUG and re.fullmatch(FILE_NAME, short)
    assert slug(name) == short
    assert short[13:] and short[13:] in "".join(c if c.isalnum() or c in "_-.@" else "_" for c in name)


def test_long_paths_that_differ_at_any_place_give_different_names():
    others = {LONG[:i] + "x" + LONG[i + 1 :] for i in range(0, len(LONG), 7)} | {LONG, LONG + "@64"}
    assert len({slug(name) for name in others}) == len(others)


@pytest.mark.parametrize("name", ["mnist", "folder:/data/cats@64", "folder:" + "x" * (LONGEST_SLUG - 7)])
def test_names_that_fit_stay_as_they_are(name):
    assert slug(name) == name.replace(":", "_").replace("/", "_")


def test_all_files_of_a_long_name_can_be_written(tmp_path):
    study, name = StudyFolder(tmp_path), slug(LONG)
    trial = f"{name}-fgan_squared_hellinger-12345-replicate-123"
    for file in (
        study.reference(LONG),
        study.samples / f"real-{name}.png",
        study.samples / f"{trial}.png",
        study.log(f"{trial}-pack"),
        study.report / f"cross-divergences-{name}.parquet",
    ):
        write_atomically(file, b"")  # under a longer name, first
        assert file.exists()
