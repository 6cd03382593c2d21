"""What a user is told: lines on the terminal, mistakes, and what stopped a run, each in one sentence."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from typing import TextIO

MANY = 40  # names: more are not listed
# Controls but tab and newline; separators of lines and paragraphs; embedding, override and isolation of
# direction; surrogates; noncharacters.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


class UserError(Exception):
    """A user's mistake, or several: a sentence each.

    The command line prints each on a line of its own and exits with code 2, without a traceback.
    """

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(map(str, self.args))

    def __str__(self) -> str:
        return "\n".join(self.sentences)


class Damaged(UserError):
    """A file does not hold what was written to it, or belongs to something else."""


class Stopped(Exception):
    """Something outside a run stopped it: a full disk, a cluster that is gone. Nothing is lost.

    The command line says to run the same command to resume, and exits with code 3.
    """


_noted: ContextVar[list[str] | None] = ContextVar("noted", default=None)  # a list only inside `together`


def refuse(*sentences: str) -> None:
    """Raise a UserError of these sentences, if there are any; inside `together`, note them and go on."""
    noted = _noted.get()
    if noted is not None:
        noted += sentences
    elif sentences:
        raise UserError(*sentences)


@contextmanager
def together() -> Iterator[None]:
    """Let what is refused inside go on, and raise all of it at the end, or with what ends it before.

    Raises:
        UserError: all sentences that were noted, each once; last those of the UserError that ended it.
    """
    noted: list[str] = []
    token = _noted.set(noted)
    try:
        yield
    except UserError as error:
        raise UserError(*dict.fromkeys([*noted, *error.sentences])) from None
    finally:
        _noted.reset(token)
    if noted:
        raise UserError(*dict.fromkeys(noted))


@contextmanager
def noting(found: list[str]) -> Iterator[None]:
    """Add the sentences of a UserError that ends what is inside to `found`, and go on after it."""
    try:
        yield
    except UserError as error:
        found += error.sentences


def unknown(kind: str, name: object, known: Iterable[str]) -> UserError:
    """`name` is not a `kind`: say which is nearest, whatever its case, and which there are.

    >>> print(unknown("variant", "wgan_pg", ["ns", "wgan_gp", "wgan_lp"]))
    unknown variant 'wgan_pg'; did you mean 'wgan_gp'? There are: ns, wgan_gp, wgan_lp
    >>> print(unknown("sampler", "TPE", ["random", "tpe"]))
    unknown sampler 'TPE'; did you mean 'tpe'? There are: random, tpe
    """
    names = sorted(known)
    near = _nearest(str(name), names)
    hint = f"; did you mean {near!r}?" if near else "."
    listed = f"There are: {', '.join(names) or 'none'}" if len(names) <= MANY else f"There are {len(names)}"
    return UserError(f"unknown {kind} {name!r}{hint} {listed}")


def one_of(names: Sequence[str]) -> str:
    """The names as a choice.

    >>> one_of(["infogan", "dcgan", "resnet"])
    "'infogan', 'dcgan' or 'resnet'"
    """
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last


def _nearest(name: str, names: list[str]) -> str | None:
    """The name that was probably meant; None: none is near."""
    folded: dict[str, str] = {}
    for one in names:
        folded.setdefault(_folded(one), one)
    key = _folded(name)
    # First letters in another order, then one end of a name, if no other name has it.
    near = get_close_matches(key, folded)
    near.sort(key=lambda found: sorted(found) != sorted(key))
    ends = [found for found in folded if len(key) > 1 and found.startswith(key)]
    return folded[near[0]] if near else folded[ends[0]] if len(ends) == 1 else None


def _folded(name: str) -> str:
    """The name without case and marks between words, which are easily mistaken.

    >>> _folded("WGAN-GP") == _folded("wgan_gp")
    True
    """
    return re.sub(r"[\s_.-]+", "", name).casefold() or name


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
    """Print a sentence on the standard error stream: a mistake, or what is to be known beside results."""
    say(f"gansweep: {text}", stream=sys.stderr)
