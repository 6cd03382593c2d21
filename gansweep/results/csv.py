"""CSV files of the tables that no spreadsheet executes, and the `datapackage.json` that describes them.

Sources: OWASP, "CSV Injection": an apostrophe before a text that a spreadsheet would run as a formula makes
it a text, and can be removed again. Frictionless Data, "Tabular Data Package", version 1.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from gansweep.results.columns import KEYS, Column, cast, columns

DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
BEGINS = ("=", "+", "-", "@", "\t", "\r")
RULE = (
    "In the CSV files an apostrophe stands before a text that begins with =, +, -, @ or a tab, so that no "
    "spreadsheet runs it as a formula, and before one that begins with apostrophes and then one of these. "
    "gansweep.results.read_csv removes it; the Parquet files have none."
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


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV: null is nothing between two commas, times are ISO 8601, no text is a formula."""
    return each_text(table, guarded).to_csv(index=False, date_format=DATE_FORMAT)


def read_csv(file: str | Path) -> pd.DataFrame:
    """A table from its CSV file and the `datapackage.json` beside it, the same as from its Parquet file."""
    file = Path(file)
    package = json.loads((file.parent / "datapackage.json").read_text())
    fields = next(r["schema"]["fields"] for r in package["resources"] if r["path"] == file.name)
    described = {
        f["name"]: Column(f["type"], "", f.get("constraints", {}).get("required", False)) for f in fields
    }
    times = [name for name, column in described.items() if column.type == "datetime"]
    dtypes = {name: column.dtype for name, column in described.items() if name not in times}
    table = pd.read_csv(
        file, dtype=dtypes | dict.fromkeys(times, "str"), keep_default_na=False, na_values=[""]
    )
    table = each_text(table, unguarded)
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
