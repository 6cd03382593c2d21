"""Variants of other packages: real distributions, with their metadata, on the path."""

import math
import os
import subprocess
import sys
import warnings

import pytest

from gansweep.errors import UserError
from gansweep.space import choice, uniform
from gansweep.study import Study
from gansweep.variants import VARIANTS
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


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('no licence')", "SystemExit: no licence"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("class Mine(BaseException): pass\nraise Mine('a\\x1b[2J\\nb')", "Mine: a�[2J b"),
    ],
)
def test_a_package_that_fails_when_imported_is_left_out(install, source, reason):
    install("plugin_bad", source, "bad = plugin_bad:MY_GAN")
    install("plugin_good", GOOD, "my_gan = plugin_good:MY_GAN")
    found, messages = complaints(TABLE)
    assert list(found) == ["my_gan"]
    assert messages == [f"variant 'bad' of package 'plugin_bad' is left out: {reason}"]


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


RANGED = """
from dataclasses import dataclass
from typing import Annotated

from gansweep.fields import OneOf, Positive
from gansweep.variants import Published
from gansweep.variants.base import Within
from gansweep.variants.hinge import Hinge


@dataclass(frozen=True, kw_only=True)
class Mine(Hinge):
    strength: Annotated[float, Within(0, 5)] = 1.0
    pull: Positive = 1.0
    shape: Annotated[str, OneOf(("round", "square"))] = "round"
    gamma: Annotated[float, Within(0, 100)] = 10.0
    free: float = 0.0


MY_GAN = Published(variant=Mine(), label="My GAN", family="mine", default={"lr": 1e-4, "strength": 1.0})
"""


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"strength": choice(1.0, 9.0)}, r"strength must lie in \[0, 5\], but the space has choice"),
        ({"strength": uniform(-1, 2)}, r"strength must lie in \[0, 5\], but the space has uniform"),
        ({"strength": "high"}, "strength is of type float, but the space has 'high'"),
        ({"strenght": 1.0}, "unknown hyperparameter 'strenght'; did you mean 'strength'"),
        ({"pull": 0.0}, "pull must be above 0 and finite, but the space has 0.0"),
        ({"shape": "sqare"}, "unknown shape 'sqare'; did you mean 'square'"),
        ({"free": math.inf}, r"free must lie in \(-inf, inf\), but the space has inf"),
        ({"gamma": 50.0}, r"gamma must lie in \[0, 1\], but the space has 50.0"),  # that of BEGAN
    ],
)
def test_a_variant_of_another_package_states_the_ranges_of_its_own_fields(
    install, monkeypatch, space, message
):
    install("plugin_ranged", RANGED, "my_gan = plugin_ranged:MY_GAN")
    monkeypatch.setitem(VARIANTS, "my_gan", offered(TABLE)["my_gan"])
    common = {"datasets": ("digits",), "trials": 2, "steps": 5}
    with pytest.raises(UserError, match=message):
        Study(variants=("my_gan", "began"), space=space, **common)
    Study(variants=("my_gan",), space={"strength": uniform(0, 5), "gamma": 50.0, "shape": "square"}, **common)
