"""Checks results: tables follow from rows, and rows are consistent with the study."""

import io
import json
import math
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gansweep.errors import UserError
from gansweep.files import open_file, read_bytes
from gansweep.report.comparison import read_comparison
from gansweep.report.summary import summary_table
from gansweep.report.text.escaping import readable_csv
from gansweep.report.verify.row_checks import check_rows
from gansweep.results import columns, csv, row_file
from gansweep.results.decoding import read_record
from gansweep.results.folder import StudyFolder
from gansweep.results.records import Manifest, read_manifest
from gansweep.results.row import config_id
from gansweep.results.study_file import ResolvedStudy, read_study
from gansweep.results.tables import read_tables

_MAX_DIFFERENCES = 10  # reported for each file; the others are counted
_RELATIVE_TOLERANCE = 1e-9  # a sum may round differently on another machine


def verify_study(folder: Path) -> list[str]:
    """Recompute every table of a study from its rows, and check the rows against the plan and each other.

    Returns a sentence for each error, an empty list if the results are sound. An unfinished study is not
    sound, nor is a study with a report older than its rows.

    Raises:
        UserError: the folder holds no results, or its manifest or study are damaged.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    wrong = [*_check_manifest(folder, manifest), *_check_generators(folder)]
    try:
        rows = list(row_file.read_rows(folder))
    except UserError as error:
        return [*wrong, str(error)]
    if not rows:
        return [*wrong, "rows.jsonl is missing or empty"]
    broken = check_rows(rows, manifest)
    try:
        return [*wrong, *broken, *_check_tables(folder, manifest)]
    except UserError as error:  # a damaged file, which `broken` may have reported already
        return [*wrong, *(broken or [str(error)])]


def _check_manifest(folder: Path, manifest: Manifest) -> Iterator[str]:
    """The manifest against its own hashes, the resolved study and the references."""
    files = StudyFolder(folder)
    for metric_id, known in manifest.metrics.items():
        description = known.description()
        if config_id(description) != metric_id:  # metric_id is made by the same hash
            yield f"manifest.json: metric {metric_id} is not the hash of its description"
        dataset = manifest.datasets.get(known.dataset)
        if dataset is None or known.dataset_sha256 != dataset.sha256:
            yield f"manifest.json: metric {metric_id} has other data than data set {known.dataset}"
        file = files.reference(known.dataset)
        if file.exists() and _reference(file) != {"description": description, "floor": known.floor}:
            yield f"{file.relative_to(folder)} is not the reference of metric {metric_id} in manifest.json"
    if files.study.exists():
        names = _differing(manifest, read_study(folder))
        yield from (f"manifest.json and study.json differ in {name}" for name in names)


def _differing(manifest: Manifest, study: ResolvedStudy) -> Iterator[str]:
    """Yields the fields in which a manifest and a study differ."""
    plan = manifest.plan
    expected = {name: getattr(plan, name) for name in plan.__struct_fields__}
    expected |= {name: sorted(expected[name]) for name in ("datasets", "variants")}
    expected |= {"data_sha256": {name: dataset.sha256 for name, dataset in manifest.datasets.items()}}
    expected |= {"name": manifest.study}
    for name in ("sampler", "spaces", "defaults", "same_configurations"):
        expected[name] = getattr(manifest, name)
    for name, value in expected.items():
        found = getattr(study, name)
        if value != (sorted(found) if name in ("datasets", "variants") else found):
            yield name


def _reference(file: Path) -> Any:
    """Returns the description inside a reference, a pickle that is parsed here without executing it."""
    try:
        with open_file(file) as content, zipfile.ZipFile(content) as archive:
            if archive.testzip():
                return None
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            values = [argument for _, argument, _ in pickletools.genops(archive.read(name))]
        return next(json.loads(v) for v in values if isinstance(v, str) and v.startswith("{"))
    except Exception:  # there is no list of what damaged bytes make of these readers
        return None


def _check_generators(folder: Path) -> Iterator[str]:
    """The trained generators against the checksums in their files."""
    for file in sorted(StudyFolder(folder).checkpoints.glob("*/generator.pt")):
        name = file.relative_to(folder)
        try:
            inside = StudyFolder(folder).inside(*name.parts)
            with open_file(inside) as content, zipfile.ZipFile(content) as archive:
                sound = archive.testzip() is None
        except Exception:  # as above
            sound = False
        if not sound:
            yield f"{name} is damaged"


def _check_tables(folder: Path, manifest: Manifest) -> Iterator[str]:
    tables = read_tables(folder, manifest.collapse_above)
    for name, table in tables.items():
        yield from columns.violations(name, table)
        for suffix in ("csv", "parquet"):
            yield from _check_file(folder, f"{name}.{suffix}", csv.to_csv(table), columns.KEYS[name])
    package = StudyFolder(folder).datapackage
    if not package.exists():
        yield "datapackage.json is missing"
    elif _structure(read_record(package, dict).get("resources")) != _structure(
        csv.datapackage(tables)["resources"]
    ):
        yield "datapackage.json does not describe the tables that follow from the rows"
    summary = readable_csv(summary_table(read_comparison(folder)))
    for suffix in ("csv", "parquet"):
        yield from _check_file(folder, f"report/data/summary.{suffix}", summary, ["dataset", "variant"])


def _structure(value: Any) -> Any:
    """Returns JSON values without descriptions, whose wording may change between versions."""
    if isinstance(value, dict):
        return {name: _structure(each) for name, each in value.items() if name != "description"}
    return [_structure(each) for each in value] if isinstance(value, list) else value


def _check_file(folder: Path, name: str, expected: str, key: list[str]) -> Iterator[str]:
    """A file of a table against its expected content, as CSV; key: the columns that identify a line."""
    file = StudyFolder(folder).inside(*name.split("/"))
    if not file.exists():
        yield f"{name} is missing"
        return
    try:
        found = read_bytes(file).decode() if name.endswith("csv") else _as_csv(file)
        table = _texts(found)
    except Exception as error:  # there is no list of what the readers of tables raise for a damaged file
        yield f"{name} cannot be read: {error}"
        return
    if found == expected:
        return
    differences = list(_differences(table, _texts(expected), key))
    yield from (f"{name}{sentence}" for sentence in differences[:_MAX_DIFFERENCES])
    if len(differences) > _MAX_DIFFERENCES:
        yield f"{name}: {len(differences) - _MAX_DIFFERENCES} more differences"


def _as_csv(file: Path) -> str:
    table = pd.read_parquet(file)
    return readable_csv(table) if file.stem == "summary" else csv.to_csv(table)


def _texts(table: str) -> pd.DataFrame:
    """A CSV file with every value as it is written there."""
    return pd.read_csv(io.StringIO(table), dtype=str, keep_default_na=False)


def _differences(found: pd.DataFrame, expected: pd.DataFrame, key: list[str]) -> Iterator[str]:
    for column in expected.columns.symmetric_difference(found.columns):
        yield f": column {column} {'is missing' if column in expected else 'does not follow from the rows'}"
    if not set(key) <= set(found.columns):
        return
    found, expected = found.set_index(key), expected.set_index(key)
    for line in found.index[found.index.duplicated()].unique():
        yield f", {_line(key, line)} occurs more than once"
    found, expected = found[~found.index.duplicated()], expected[~expected.index.duplicated()]
    for line in expected.index.difference(found.index):
        yield f", {_line(key, line)} is missing"
    for line in found.index.difference(expected.index):
        yield f", {_line(key, line)} does not follow from the rows"
    lines = expected.index.intersection(found.index)
    for column in expected.columns.intersection(found.columns):
        here, there = found.loc[lines, column], expected.loc[lines, column]
        for line in lines[here != there]:
            if not _close(here[line], there[line]):
                values = f"the file has {here[line] or 'null'}, the rows give {there[line] or 'null'}"
                yield f", {_line(key, line)}, column {column}: {values}"


def _line(key: list[str], values: Any) -> str:
    """Returns the name of a line: "trial_id digits-ns-0003, step 100"."""
    return ", ".join(f"{name} {v}" for name, v in zip(key, values if len(key) > 1 else [values], strict=True))


def _close(a: str, b: str) -> bool:
    """Whether two texts are equal fractions except for rounding; whole numbers must be equal."""
    if not ("." in a and "." in b):
        return False
    try:
        return math.isclose(float(a), float(b), rel_tol=_RELATIVE_TOLERANCE)
    except ValueError:
        return False
