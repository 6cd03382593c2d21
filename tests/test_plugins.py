"""Variants of other packages: real distributions, with their metadata, on the path."""

import os
import subprocess
import sys
import warnings

import pytest

from gansweep.variants.plugins import offered
from gansweep.variants.table import TABLE

GOOD = """
from gansweep.variants import Published
from gansweep.variants.hinge import Hinge

MY_GAN = Published(variant=Hinge(), label="My GAN", family="mine", default={"lr": 1e-4})
NUMBER = 42
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution on the path: its module and its entry points."""

    def install(package: str, source: str, *points: str) -> None:
        (tmp_path / f"{package}.py").write_text(source)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[gansweep.variants]\n" + "\n".join(points) + "\n")
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


def complaints(known):
    """What is offered, and the warnings that came with it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = offered(known)
    return found, [str(warning.message) for warning in caught]


def test_a_variant_of_another_package_is_offered(install):
    install("plugin_good", GOOD, "my_gan = plugin_good:MY_GAN")
    found = offered(TABLE)
    assert list(found) == ["my_gan"]
    assert found["my_gan"].label == "My GAN"


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("bad = plugin_bad:MISSING", "AttributeError: .*MISSING"),
        ("bad = plugin_nowhere:MY_GAN", "ModuleNotFoundError: .*plugin_nowhere"),
        ("bad = plugin_bad:NUMBER", "plugin_bad:NUMBER is of type int, not Published"),
        ("ns = plugin_bad:MY_GAN", "the name is taken"),
    ],
)
def test_a_broken_one_is_left_out_with_one_warning_and_the_others_stay(install, point, reason):
    install("plugin_bad", GOOD, point)
    install("plugin_good", GOOD, "my_gan = plugin_good:MY_GAN")
    name = point.split()[0]
    with pytest.warns(UserWarning, match=f"variant '{name}' of package 'plugin_bad' is left out: {reason}"):
        found = offered(TABLE)
    assert list(found) == ["my_gan"]
    assert len(complaints(TABLE)[1]) == 1


def test_a_package_that_fails_when_imported_is_left_out(install):
    install("plugin_bad", "1 / 0", "bad = plugin_bad:MY_GAN")
    found, messages = complaints(TABLE)
    assert not found
    assert messages == [
        "variant 'bad' of package 'plugin_bad' is left out: ZeroDivisionError: division by zero"
    ]


def test_of_two_packages_with_one_name_the_first_in_the_alphabet_has_it(install):
    install("plugin_b", GOOD, "my_gan = plugin_b:MY_GAN")
    install("plugin_a", GOOD, "my_gan = plugin_a:MY_GAN")
    found, messages = complaints(TABLE)
    assert found["my_gan"] is sys.modules["plugin_a"].MY_GAN
    assert messages == ["variant 'my_gan' of package 'plugin_b' is left out: the name is taken"]


def test_the_table_has_it_also_where_its_package_is_imported_first(install, tmp_path):
    install("plugin_good", GOOD, "my_gan = plugin_good:MY_GAN")
    program = "import plugin_good, gansweep.variants as v; assert v.VARIANTS['my_gan'] is plugin_good.MY_GAN"
    path = os.pathsep.join([str(tmp_path), os.getcwd()])
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-W", "error", "-c", program], env=environment, check=True)
