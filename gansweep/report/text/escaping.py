"""Text that others wrote, as text and nothing more: in HTML, Markdown, LaTeX and CSV.

Labels, error messages, names and questions of a study are untrusted: they may hold markup, formulas of a
spreadsheet, characters that turn the direction of writing, or halves of characters.
"""

import re
import unicodedata

import pandas as pd

from gansweep.errors import readable
from gansweep.results.csv import each_text, to_csv

_ACCENTS = set("\u0300\u0301\u0302\u0303\u0308\u030c")  # grave, acute, hat, tilde, diaeresis, caron
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "\u2060": "{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "÷": r"$\div$",
    "−": "$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "→": r"$\to$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "λ": r"$\lambda$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "●": r"$\bullet$",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "°": r"$^\circ$",
    "²": "$^2$",
    "³": "$^3$",
}


def markdown(text: str) -> str:
    """One line of GitHub's Markdown that shows the text: no markup, no HTML, no link, no column of a table.

    >>> markdown("a|b *c* <i>")
    'a\\\\|b \\\\*c\\\\* &lt;i&gt;'
    """
    line = " ".join(readable(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", line)
    line = line.replace("://", "&#58;//").replace("www.", "www&#46;")  # an address alone becomes a link
    # What would begin a heading, a list or a rule.
    return re.sub(r"^(\d+(?=[.)](?:\s|$))|(?=[#=]|[+\-](?:[\s\-]|$)))", r"\1\\", line)


def latex(text: str) -> str:
    """The text for LaTeX; what pdfLaTeX cannot set without further packages becomes a question mark.

    >>> latex("50 % of n_critic — naïve")
    '50 \\\\% of n\\\\_critic --- naïve'
    """
    line = re.sub("-(?=-)", "-\u2060", " ".join(text.split()))  # two hyphens would be a dash
    line = re.sub(r"^(?=[\[*])", "\u2060", line)  # after the end of a row it would be an option
    return "".join(_LATEX.get(c) or (c if _is_latin(c) else "?") for c in line)


def _is_latin(character: str) -> bool:
    """Whether it is ASCII, or such a letter of Latin that LaTeX's oldest fonts have."""
    parts = unicodedata.normalize("NFD", character)
    known = character < "\u0180" and parts[0].isascii() and set(parts[1:]) <= _ACCENTS
    return (known and parts[0].isprintable()) or character in "åÅæÆøØœŒłŁß"


def readable_csv(table: pd.DataFrame) -> str:
    """The table as CSV of readable text, of which a spreadsheet takes none for a formula, also no name."""
    shown = each_text(table, readable)
    return to_csv(shown.rename(columns=lambda name: readable(str(name))))
