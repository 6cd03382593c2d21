"""`gansweep new-variant`: what it writes works, in a clone and as a package, as CONTRIBUTING.md tells it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from types import ModuleType

import pytest

from gansweep.cli import main
from gansweep.cli.scaffold.new_variant import free_look
from gansweep.contracts import CONTRACTS, ContractBroken, Specimen
from gansweep.errors import UserError
from gansweep.variants import VARIANTS
from gansweep.variants.published import HUES, MARKERS

ROOT = Path(__file__).parents[2]
SOURCE = 'Me, "Mine", 2026, arXiv:2601.00001'
FILLED_IN = {
    "<The name of the objective.>": "Mine.",
    "<What each player does, in one sentence.>": "Both players regress D's score.",
    '<authors>, "<title>", <year>, arXiv:<id>': SOURCE,
    "eq. <number>.": "eq. 1.",
    '<"none.", or sentences numbered from 1: how this differs from the source.>': "none.",
}


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user types it, with this Python and the gansweep of the folder."""
    words = shlex.split(command)
    words = [sys.executable, "-m", *words] if words[0] == "gansweep" else [sys.executable, *words[1:]]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def fill_in(file: Path) -> None:
    text = file.read_text()
    for placeholder, value in FILLED_IN.items():
        text = text.replace(placeholder, value)
    assert not re.search(r"<[^=]*>", text)  # no placeholder is left
    file.write_text(text)


def section(title: str) -> str:
    """A section of CONTRIBUTING.md."""
    return (ROOT / "CONTRIBUTING.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]


def blocks(text: str, language: str) -> list[list[str]]:
    """The lines of its blocks of code in a language."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [[line.strip() for line in block.splitlines()] for block in found]


def load(file: Path) -> ModuleType:
    spec = spec_from_file_location("written", file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_new_variant_keeps_every_contract_but_for_its_source(tmp_path):
    assert main(["new-variant", "own_gan", "--into", str(tmp_path)]) == 0
    file = tmp_path / "gansweep-own_gan" / "gansweep_own_gan.py"
    specimen = Specimen("own_gan", load(file).PUBLISHED)
    for contract in set(CONTRACTS) - {"source"}:
        CONTRACTS[contract](specimen)
    with pytest.raises(ContractBroken, match=r"must name an arXiv id like .*, but is '<authors>"):
        CONTRACTS["source"](specimen)
    file.write_text(file.read_text().replace('<authors>, "<title>", <year>, arXiv:<id>', SOURCE))
    with pytest.raises(ContractBroken, match="Deviations must be"):
        CONTRACTS["source"](Specimen("own_gan", load(file).PUBLISHED))
    fill_in(file)
    CONTRACTS["source"](Specimen("own_gan", load(file).PUBLISHED))


@pytest.mark.slow  # a process for each command
def test_the_three_steps_of_contributing(tmp_path):
    for name in ("gansweep", "tests", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    text = section("Add a variant in three steps")
    (new,), (check, test) = blocks(text, "sh")
    ((importing, entry),) = blocks(text, "python")
    here = {"PYTHONPATH": str(tmp_path)}

    steps = run(new, tmp_path, **here).stdout
    assert importing in steps and entry in steps and check in steps and test in steps
    fill_in(tmp_path / "gansweep" / "variants" / "my_gan.py")
    table = tmp_path / "gansweep" / "variants" / "table.py"
    content = table.read_text().replace("\nfrom ", f"\n{importing}\nfrom ", 1)
    table.write_text(re.sub(r"(\nTABLE: .*?\{\n)", rf"\g<1>    {entry}\n", content))
    checked = run(check, tmp_path, **here)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = run(test, tmp_path, **here)
    assert tested.returncode == 0 and "2 passed" in tested.stdout


@pytest.mark.slow  # pip, and a process for each command
def test_an_installed_package_is_listed_checked_and_tested(tmp_path, capsys):
    assert main(["new-variant", "own_gan", "--into", str(tmp_path)]) == 0
    project, site = tmp_path / "gansweep-own_gan", tmp_path / "site"
    assert f"pip install -e {project}" in capsys.readouterr().out
    fill_in(project / "gansweep_own_gan.py")
    flags = "--quiet --no-deps --no-build-isolation --no-index --disable-pip-version-check"
    installed = run(f"python -m pip install {flags} --target {site} {project}", tmp_path)
    assert installed.returncode == 0, installed.stderr
    path = {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    listed = run("gansweep list variants", tmp_path, **path).stdout
    assert re.search(r"^  own_gan +Own GAN .* target +Me 2026, arXiv:2601.00001$", listed, re.MULTILINE)
    checked = run("gansweep check own_gan", tmp_path, **path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = run(f"python -m pytest -q {project}/tests", tmp_path, **path)
    assert tested.returncode == 0 and f"{2 + len(CONTRACTS)} passed" in tested.stdout, tested.stdout


def environment_of(folder: Path) -> dict[str, str]:
    """The environment of an activated venv of its own that has this gansweep and all it needs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "beside.pth").write_text(
        "\n".join([str(ROOT), *(p for p in sys.path if p.endswith("site-packages"))])
    )
    program = folder / "bin" / "gansweep"
    program.write_text(
        f"#!{folder}/bin/python\nimport sys\nfrom gansweep.cli import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    without = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}  # 0 is yes
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return plain | without | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.slow  # pip, and a process for each command
def test_the_printed_steps_work_as_they_are_printed_in_the_same_folder(tmp_path):
    environment, place = environment_of(tmp_path / "venv"), tmp_path / "my work"
    place.mkdir()

    def typed(command: str) -> str:
        done = subprocess.run(command, shell=True, cwd=place, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    steps = typed("gansweep new-variant le_cam").splitlines()
    fill_in(place / "gansweep-le_cam" / "gansweep_le_cam.py")
    install, check, test = (line.strip() for line in steps if line.startswith("       "))
    typed(install)
    assert "le_cam keeps" in typed(check)
    assert f"{2 + len(CONTRACTS)} passed" in typed(test)
    assert "le_cam" in typed("python -m gansweep list variants")  # with this folder before all others


@pytest.mark.parametrize("into", ["", "--into=here & there"])
def test_printed_paths_can_be_typed(into, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here & there").mkdir()
    assert main(["new-variant", "le_cam", *([into] if into else [])]) == 0
    (command,) = (line.strip() for line in capsys.readouterr().out.splitlines() if "pip install -e" in line)
    project = Path(shlex.split(command)[-1])
    assert (project / "pyproject.toml").is_file()
    assert not any(path.name.isidentifier() for path in project.parent.glob("gansweep*"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("wgan", "variant 'wgan' exists already (WGAN)"),
        ("my-gan", "a Python identifier in lower case, like my_gan, but is 'my-gan'"),
        ("MyGAN", "but is 'MyGAN'"),
        ("lambda", "but is 'lambda'"),
        ("none", "a variant cannot be named 'none': the name of its class, None,"),
        ("published", "the name of its class, Published, has another use"),
        ("tensor", "its class, Tensor, has"),
    ],
)
def test_a_name_that_cannot_be_taken(name, sentence, capsys, tmp_path):
    assert main(["new-variant", name, "--into", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(capsys, tmp_path):
    mine = tmp_path / "gansweep-my_gan" / "README.md"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert main(["new-variant", "my_gan", "--into", str(tmp_path)]) == 2
    assert f"{mine} exists already and is not overwritten" in capsys.readouterr().err
    assert list(mine.parent.iterdir()) == [mine] and mine.read_text() == "mine"


def test_the_look_of_a_new_variant_is_free():
    looks = {(published.hue, published.marker) for published in VARIANTS.values()}
    assert free_look() not in looks
    pairs = list(product(HUES, MARKERS))
    full = {f"{h}-{m}": replace(VARIANTS["ns"], hue=h, marker=m) for h, m in pairs}
    with pytest.raises(UserError, match="all 48 pairs of a hue and a marker are taken"):
        free_look(full)
    full.pop("green-plus")
    assert free_look(full) == ("green", "plus")


def test_a_folder_that_cannot_be_written_is_named(capsys):
    assert main(["new-variant", "own_gan", "--into", "/proc/x"]) == 2
    assert "gansweep: files cannot be written to /proc/x: " in capsys.readouterr().err
