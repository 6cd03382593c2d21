"""Fonts for names in scripts that DejaVu Sans does not have, as far as this machine has any."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from gansweep.errors import complain

MAIN = "DejaVu Sans"  # comes with matplotlib
# Letters of one script each, all of which a font of that script has: Han, kana, Hangul, those of India, of
# South-East Asia and of Ethiopia; emoji.
SCRIPTS = (
    *("中文国語學", "のアをン", "한국어글", "नमहक", "বকমন", "ਪਕਮਨ", "ગકમન", "ଓକମନ", "தகமன"),
    *("తకమన", "ಕಗಮನ", "മകനപ", "සකමන", "กขคง", "ກຂຄງ", "ကခဂင", "កខគង", "አለመነ", "😀🤖🚀"),
)
_MISSING = re.compile(r"Glyph (\d+) .*missing from")
_said: set[str] = set()


@cache
def families() -> list[str]:
    """The fonts of figures, the first that has a letter draws it: the main one, then one for each script.

    A script that no installed font has is left out.
    """
    chosen = {MAIN: FT2Font(font_manager.findfont(MAIN))}
    left = [script for script in SCRIPTS if not _has(chosen[MAIN], script)]
    for name, file in _installed():
        if not left:
            break
        try:
            font = FT2Font(file)
        except (OSError, RuntimeError):  # removed since matplotlib listed it, or of a kind that it cannot use
            continue
        if any(_has(font, script) for script in left):
            chosen[name] = font
            left = [script for script in left if not _has(font, script)]
    return list(chosen)


def _installed() -> list[tuple[str, str]]:
    """Name and file of each installed upright font: those without serifs first, then by name."""
    fonts = {
        entry.name: entry.fname
        for entry in font_manager.fontManager.ttflist
        if (entry.style, entry.stretch) == ("normal", "normal")
        and not entry.name.startswith("Last Resort")  # it draws a box for every letter
    }
    return sorted(fonts.items(), key=lambda font: ("Sans" not in font[0], font[0]))


def _has(font: FT2Font, letters: str) -> bool:
    return all(font.get_char_index(ord(letter)) for letter in letters)


@contextmanager
def missing_letters_said() -> Iterator[None]:
    """Say once, in place of matplotlib's warnings, which letters no font has."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)  # that a font for another script is not bold is no news
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        log.setLevel(level)
    missing = set()
    for warning in caught:
        if found := _MISSING.match(str(warning.message)):
            missing.add(chr(int(found[1])))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if new := sorted(missing - _said):
        _said.update(new)
        letters = " ".join(new[:20]) + " ..." * (len(new) > 20)
        complain(
            f"no font installed here has {letters}: figures as PDF and PNG show boxes in their place (those "
            "on the page do not): install a font that has them, such as Noto Sans, and write the report again"
        )
