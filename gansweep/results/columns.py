"""The columns of the tables: of what type each is, what it means, and what it may hold.

A CSV file says none of this, so `datapackage.json` beside the tables says it, and Parquet and CSV give the
same table. Standard: Frictionless Data, "Table Schema" and "Tabular Data Package", version 1.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import pandas as pd

from gansweep.results.metrics import METRICS
from gansweep.results.row import Outcome, Phase, Status

Type: TypeAlias = Literal["string", "integer", "number", "boolean", "datetime"]

DTYPES: dict[str, str] = {
    "string": "str",
    "integer": "Int64",
    "number": "float64",
    "boolean": "boolean",
    "datetime": "datetime64[us, UTC]",
}
WHOLE = {"integer": "int64", "boolean": "bool"}  # of columns in which nothing may be missing


@dataclass(frozen=True)
class Column:
    """A column. `values`: all that it may hold; `minimum`: the least number; `required`: never null."""

    type: Type
    description: str
    required: bool = False
    minimum: float | None = None
    values: tuple[str, ...] = ()

    @property
    def dtype(self) -> str:
        return WHOLE.get(self.type, DTYPES[self.type]) if self.required else DTYPES[self.type]

    def field(self, name: str, unique: bool = False) -> dict[str, object]:
        """The field descriptor of a Table Schema."""
        constraints: dict[str, Any] = {"required": True} if self.required else {}
        constraints |= {"unique": True} if unique else {}
        constraints |= {"minimum": self.minimum} if self.minimum is not None else {}
        constraints |= {"enum": list(self.values)} if self.values else {}
        described = {"name": name, "type": self.type, "description": self.description}
        return described | ({"constraints": constraints} if constraints else {})


def _text(description: str, *values: str) -> Column:
    return Column("string", description, required=True, values=values)


def _count(description: str, required: bool = True) -> Column:
    return Column("integer", description, required, minimum=0)


def _seconds(description: str) -> Column:
    return Column("number", description, required=True, minimum=0)


SELDOM = (Outcome.FROZEN, Outcome.PRUNED)  # described where they occur, so that other tables need not know
OUTCOMES = tuple(outcome for outcome in Outcome if outcome not in SELDOM)
SHARED = {
    "study": _text("name of the study"),
    "phase": _text("part of the study that the trial belongs to", *Phase),
    "dataset": _text("name of the data set"),
    "variant": _text("key of the GAN objective"),
    "trial_id": _text("name of the trial, unique in the study"),
    "images_seen": _count("real images that D has been shown, with repetitions"),
    "metric_id": Column("string", "hash of how it was measured: only equal ones may be compared"),
    "n_images": _count("generated images that a measurement takes"),
    "train_seconds": _seconds("the trial's own share of the time its pack has trained, since its start"),
    "eval_seconds": _seconds("the trial's own share of the time its pack was measured, since its start"),
}
TRIALS = {
    "schema_version": _text("version of this table's schema"),
    **SHARED,
    "architecture": _text("architecture of the networks"),
    "trial_number": _count("number of the configuration in the search of its cell; 0 is the default"),
    "config_id": _text("hash of the hyperparameters: equal for equal configurations"),
    "seed": _count("seed of the training"),
    "sampler": _text("what chose the configurations of the search"),
    "sampler_seed": _count("seed of the search"),
    "is_default": Column("boolean", "whether it is the default, which no search drew", required=True),
    "status": _text("how far the trial has come", *Status),
    "outcome": Column("string", "how the trial ended; null while it runs", values=OUTCOMES),
    "failure_kind": Column("string", "kind of the failure; null if there was none"),
    "failure_message": Column("string", "what was said of the failure"),
    "failed_step": _count("step of the failure", required=False),
    "fid_best": Column("number", "the lowest FID of the trial, which selects a checkpoint"),
    "fid_best_step": _count("step of that checkpoint", required=False),
    "fid_reported": Column("number", "FID to the test set at that checkpoint"),
    "steps": _count("updates of D (of the only player, for a VAE) at the last row"),
    "steps_planned": _count("updates that a whole trial has"),
    "pack": _text("name of the pack that it trained in"),
    "pack_size": Column("integer", "number of trials in that pack", minimum=1),
    "host": Column("string", "machine that trained it"),
    "device": Column("string", "device that trained it"),
    "gpus": Column("number", "share of a GPU that its pack held; 0 on a CPU, null if unknown", minimum=0),
    "gpu_kind": Column("string", "kind of that GPU; null on a CPU"),
    "started_at": Column("datetime", "when its first row's training began, UTC"),
    "finished_at": Column("datetime", "when it ended, UTC; null while it runs"),
    "sample_path": Column("string", "file of samples, relative to the study's folder"),
    "log_path": Column("string", "log of its pack, relative to the study's folder"),
    "hparams_json": _text("all hyperparameters as one JSON object"),
}
EVALUATIONS = {
    **SHARED,
    "step": _count("updates of D (of the only player, for a VAE) so far"),
    "is_final": Column("boolean", "whether it is the last one of its trial", required=True),
}
KNOWN = {"trials": TRIALS, "evaluations": EVALUATIONS}
KEYS = {"trials": ["trial_id"], "evaluations": ["trial_id", "step"]}


def columns(name: str, table: pd.DataFrame) -> dict[str, Column]:
    """The columns of a table, in order. name: "trials" or "evaluations".

    A hyperparameter has the type of its values, whatever else is unknown is a metric.
    """
    return {str(column): _column(name, str(column), table[column]) for column in table}


def _column(name: str, column: str, values: pd.Series) -> Column:
    if column in ("status", "outcome"):
        seldom = [outcome for outcome in SELDOM if (values == outcome).any()]
        return replace(KNOWN[name][column], values=(*KNOWN[name][column].values, *seldom))
    if column in KNOWN[name]:
        return KNOWN[name][column]
    if column.startswith("hp_"):
        description = f"hyperparameter {column.removeprefix('hp_')}; null where the variant has none"
        return Column(_type(values), description, required=bool(values.notna().all()))
    if column.startswith("loss_"):
        player, _, term = column.removeprefix("loss_").partition("_")
        return Column("number", f"term {term!r} of the loss of the {player} at that step")
    return Column("number", METRICS[column].column if column in METRICS else f"metric {column!r}")


def _type(values: pd.Series) -> Type:
    """The one type of a hyperparameter; text where there are several."""
    kinds = {type(value) for value in values.dropna().tolist()}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "integer"
    return "number" if kinds and kinds <= {int, float} else "string"


def typed(name: str, lines: list[dict[str, object]]) -> pd.DataFrame:
    """A table of these lines whose columns have their types, also where all values are missing."""
    names = dict.fromkeys(column for line in lines for column in line) or KNOWN[name]
    table = pd.DataFrame({c: pd.Series([line.get(c) for line in lines], dtype=object) for c in names})
    for column, described in columns(name, table).items():
        table[column] = cast(table[column], described)
    return table


def cast(values: pd.Series, column: Column) -> pd.Series:
    if column.type == "datetime":
        return pd.to_datetime(values, utc=True, format="ISO8601").dt.as_unit("us")
    if column.type == "string":
        values = values.map(_text_of, na_action="ignore")
    return values.astype(pd.api.types.pandas_dtype(column.dtype))


def _text_of(value: Any) -> str | None:
    """A value as text that CSV and Parquet can hold: no empty text, no lone carriage return or surrogate."""
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    return text.encode(errors="replace").decode() or None


def violations(name: str, table: pd.DataFrame) -> list[str]:
    """What a table holds that its schema does not allow, one sentence for each column and rule."""
    found = []
    for column, described in columns(name, table).items():
        values = table[column].dropna()
        if described.required and len(values) < len(table):
            found.append(f"{name}, column {column}: a value is missing")
        if described.minimum is not None and (values < described.minimum).any():
            found.append(f"{name}, column {column}: {values.min()} is below {described.minimum}")
        if described.values and not values.isin(described.values).all():
            odd = values[~values.isin(described.values)].iloc[0]
            found.append(f"{name}, column {column}: {odd!r} is none of {', '.join(described.values)}")
    return found
