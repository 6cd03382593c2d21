"""Tables for spreadsheets, which execute nothing of them: CSV files, described by `datapackage.json`, Excel.

Sources: OWASP, "CSV Injection": what a formula begins with, full-width signs included; an apostrophe before
it makes it a text, and can be removed again; what follows a separator begins a cell, too. Commas and line
ends are in quotes, but spreadsheets of many countries take semicolons for separators, whatever a file means.
Frictionless Data, "Tabular Data Package", version 1.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from gansweep.errors import Damaged
from gansweep.files import open_file
from gansweep.results.columns import KEYS, Column, cast, columns
from gansweep.results.decoding import read_record

DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
RULE = (
    "In the CSV files an apostrophe stands before a text or a name of a column that begins with =, +, -, @, "
    "one of their full-width forms, a tab or a line end, also after a semicolon, so that no spreadsheet runs "
    "it as a formula, and before one that begins with apostrophes and then one of these. "
    "gansweep.results.read_csv removes it; the Parquet files have none."
)


def guarded(text: str) -> str:
    """The text as a CSV file holds it.

    >>> guarded("=1+1"), guarded("'=1+1"), guarded("1+1"), guarded("1;=1+1")
    ("'=1+1", "''=1+1", '1+1', "1;'=1+1")
    """
    return ";".join(f"'{cell}" if _is_formula(cell) else cell for cell in text.split(";"))


def unguarded(text: str) -> str:
    """The inverse of `guarded`."""
    cells = text.split(";")
    return ";".join(cell[1:] if cell.startswith("'") and _is_formula(cell) else cell for cell in cells)


def _is_formula(cell: str) -> bool:
    """Whether a spreadsheet may run a cell, without the apostrophes before it."""
    return cell.lstrip("'").startswith(BEGINS)


def each_text(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """The table with every text changed; numbers, times and what is missing stay."""

    def changed(value: object) -> object:
        return change(value) if isinstance(value, str) else value

    texts = [values for _, values in table.items() if values.dtype.kind == "O"]
    return table.assign(**{str(values.name): values.map(changed).astype(values.dtype) for values in texts})


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV: null is nothing between two commas, times are ISO 8601, nothing is a formula."""
    names = [guarded(str(name)) for name in table.columns]
    return each_text(table, guarded).set_axis(names, axis=1).to_csv(index=False, date_format=DATE_FORMAT)


class Table(pd.DataFrame):
    """A table that can be saved as an Excel file, too."""

    @property
    def _constructor(self) -> type["Table"]:
        return Table

    # pandas marks it as final for type checkers, but has no other place to say what Excel cannot hold.
    def to_excel(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[misc]
        """As of pandas; but as Excel knows no time zones, times are UTC without saying so, and no text is a
        formula: see `RULE`."""
        table = each_text(pd.DataFrame(self), guarded)
        for name in table.select_dtypes("datetimetz"):
            table[name] = table[name].dt.tz_localize(None)
        table.to_excel(*args, **kwargs)


def read_csv(file: str | Path) -> pd.DataFrame:
    """A table from its CSV file and the `datapackage.json` beside it, the same as from its Parquet file.

    Raises:
        Damaged: one of the two is damaged, or the other does not describe it.
        OSError: one of the two is missing.
    """
    file = Path(file)
    try:
        return _read(file, _described(file))
    except (ValueError, TypeError, KeyError, StopIteration) as error:
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise Damaged(f"{file} and datapackage.json beside it do not fit together ({what})") from None


def _described(file: Path) -> dict[str, Column]:
    package = read_record(file.parent / "datapackage.json", dict)
    fields = next(r["schema"]["fields"] for r in package["resources"] if r["path"] == file.name)
    return {f["name"]: Column(f["type"], "", f.get("constraints", {}).get("required", False)) for f in fields}


def _read(file: Path, described: dict[str, Column]) -> pd.DataFrame:
    times = [name for name, column in described.items() if column.type == "datetime"]
    dtypes = {guarded(name): "str" if name in times else column.dtype for name, column in described.items()}
    with open_file(file) as content:
        table = pd.read_csv(content, dtype=dtypes, keep_default_na=False, na_values=[""])
    table = each_text(table.rename(columns=unguarded), unguarded)
    for name in times:
        table[name] = cast(table[name], described[name])
    return table


def datapackage(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """A Tabular Data Package of the CSV files of these tables, as JSON values."""
    return {
        "profile": "tabular-data-package",
        "name": "gansweep-results",
        "description": RULE,
        "resources": [_resource(name, table) for name, table in tables.items()],
    }


def _resource(name: str, table: pd.DataFrame) -> dict[str, object]:
    key = KEYS[name]
    schema: dict[str, Any] = {
        "fields": [
            column.field(column_name, unique=[column_name] == key)
            for column_name, column in columns(name, table).items()
        ],
        "missingValues": [""],
        "primaryKey": key,
    }
    if name != "trials":
        reference = {"resource": "trials", "fields": ["trial_id"]}
        schema["foreignKeys"] = [{"fields": ["trial_id"], "reference": reference}]
    return {
        "name": name,
        "path": f"{name}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": schema,
    }
