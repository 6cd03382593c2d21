"""What a user is told: lines on the terminal, mistakes, and what stopped a run, each in one sentence."""

import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TextIO

MANY = 40  # names: more are not listed
# Controls but tab and newline; separators of lines and paragraphs; embedding, override and isolation of
# direction; surrogates; noncharacters.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


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


def readable(text: str) -> str:
    """The text with � for every character that does something instead of being seen.

    Labels, messages and names of a study are untrusted: what they hold may move the cursor of a terminal,
    turn the direction of writing, or be half a character, which no file and no terminal takes.

    >>> readable("a\\x00b\\u202ec")
    'a�b�c'
    """
    return _UNREADABLE.sub("�", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The text as one readable line.

    >>> one_line("loss is NaN\\n  at step 3\\x1b[2J")
    'loss is NaN at step 3�[2J'
    """
    return re.sub(r"\s*\n\s*", " ", readable(text).strip("\n"))


def say(*lines: str, stream: TextIO | None = None) -> None:
    """Print each text as one readable line, at once even through a pipe.

    stream: None is the standard output. What its encoding has no sign for becomes a question mark.
    """
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    text = "".join(f"{one_line(line)}\n" for line in lines)
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def complain(text: str) -> None:
    """Print a sentence on the standard error stream, beside the results."""
    say(f"gansweep: {text}", stream=sys.stderr)
