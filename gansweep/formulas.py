"""Texts that a spreadsheet would run as formulas, and how CSV files hold them so that it does not.

Source: OWASP, "CSV Injection". An apostrophe before the text makes it one; it can be taken away again.
"""

from collections.abc import Callable

import pandas as pd

BEGINS = ("=", "+", "-", "@", "\t", "\r")
RULE = (
    "In the CSV files an apostrophe stands before a text that begins with =, +, -, @ or a tab, so that no "
    "spreadsheet runs it as a formula, and before one that begins with apostrophes and then one of these. "
    "gansweep.schema.read_csv takes it away; the Parquet files have none."
)


def guarded(text: str) -> str:
    """The text as a CSV file holds it.

    >>> guarded("=1+1"), guarded("'=1+1"), guarded("1+1")
    ("'=1+1", "''=1+1", '1+1')
    """
    return f"'{text}" if text.lstrip("'").startswith(BEGINS) else text


def unguarded(text: str) -> str:
    """The inverse of `guarded`."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(BEGINS) else text


def each_text(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """The table with every text changed; numbers, times and what is missing stay."""

    def changed(value: object) -> object:
        return change(value) if isinstance(value, str) else value

    texts = [values for _, values in table.items() if values.dtype.kind == "O"]
    return table.assign(**{str(values.name): values.map(changed).astype(values.dtype) for values in texts})
