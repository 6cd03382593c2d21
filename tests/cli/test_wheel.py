"""What a wheel of this checkout holds: it is built, unpacked, and used from an empty folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
SOURCES = ("gansweep", "studies", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder as pip fills it with the wheel."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in (*SOURCES, *(path.name for path in ROOT.glob("cluster*.yaml")), "run_study.py"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-c", BUILD, str(place)], cwd=source, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def used(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the unpacked wheel, in a folder."""
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "gansweep", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_wheel_carries_studies_templates_and_files_of_clusters(site, tmp_path):
    assert {path.name for path in (site / "gansweep" / "shipped").iterdir()} >= {
        *("studies", "run_study.py"),
        *(path.name for path in ROOT.glob("cluster*.yaml")),
    }
    listed = used(site, tmp_path, "list")
    assert listed.returncode == 0 and "quickstart" in listed.stdout and "mnist_all_losses" in listed.stdout
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "quickstart.py").write_text('"""Mine?"""\n')
    assert "cannot be used" in used(site, tmp_path, "list").stdout  # those of the folder come first
    written = used(site, tmp_path, "new-variant", "own_gan")
    assert written.returncode == 0 and (tmp_path / "gansweep-own_gan" / "gansweep_own_gan.py").is_file()
    code = "import gansweep; print(gansweep.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert found.stdout.startswith(str(site))


@pytest.mark.slow
def test_a_study_of_the_wheel_runs_from_an_empty_folder(site, tmp_path):
    done = used(site, tmp_path, "run", "quickstart", "--smoke")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "quickstart-smoke" / "report" / "index.html").is_file()
