"""A user's mistake, or what stopped a run, in one sentence."""

from collections.abc import Iterable
from difflib import get_close_matches

MANY = 40  # names: more are not listed


class UserError(Exception):
    """A user's mistake. The command line prints its message and exits with code 2, without a traceback."""


class Damaged(UserError):
    """A file does not hold what was written to it, or belongs to something else."""


class Stopped(Exception):
    """Something outside a run stopped it: a full disk, a cluster that is gone. Nothing is lost.

    The command line says to run the same command to resume, and exits with code 3.
    """


def unknown(kind: str, name: object, known: Iterable[str]) -> UserError:
    """`name` is not a `kind`: say which is nearest and which there are.

    >>> print(unknown("variant", "wgan_pg", ["ns", "wgan_gp", "wgan_lp"]))
    unknown variant 'wgan_pg'; did you mean 'wgan_gp'? There are: ns, wgan_gp, wgan_lp
    """
    names = sorted(known)
    near = get_close_matches(str(name), names)
    near.sort(key=lambda found: sorted(found) != sorted(str(name)))  # letters in another order come first
    hint = f"; did you mean {near[0]!r}?" if near else "."
    listed = f"There are: {', '.join(names) or 'none'}" if len(names) <= MANY else f"There are {len(names)}"
    return UserError(f"unknown {kind} {name!r}{hint} {listed}")
