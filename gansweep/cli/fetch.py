"""The command fetch: downloads everything that a study needs before the study runs."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gansweep.cli.options import command
from gansweep.errors import UserError, say

if TYPE_CHECKING:
    from gansweep.data import Dataset


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    parser = command(commands, "fetch", fetch)
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="a study (everything it needs), a data set, or an extractor"
    )


def fetch(options: argparse.Namespace) -> int:
    """Download data sets and weights of feature extractors that studies need, unless they are present."""
    from gansweep.evaluation import EXTRACTORS
    from gansweep.study import library
    from gansweep.study.known import known as tabulated

    known = {*tabulated().datasets, *EXTRACTORS, *library.available()}
    for name in options.names:
        if not (name in known or name.startswith("folder:") or name.endswith(".py")):
            raise library.unknown_name("study, data set or extractor", name, known)
    printed = set()
    for line in (line for name in options.names for line in _fetched(name)):
        if line not in printed:
            say(line)
        printed.add(line)
    return 0


def _fetched(name: str) -> Iterator[str]:
    """Yields a sentence for each thing with this name; `mnist` is both a data set and an extractor."""
    from gansweep import data
    from gansweep.evaluation import EXTRACTORS

    key = data.FOLDER if name.startswith("folder:") else name
    if key in data.DATASETS:
        yield _data_set(data.load(name))
    if name in EXTRACTORS:
        yield _weights(name, None)
    if key not in data.DATASETS and name not in EXTRACTORS:
        yield from _of_study(name)


def _of_study(name: str) -> Iterator[str]:
    from gansweep import data
    from gansweep.evaluation.extractors import resolve
    from gansweep.study import library

    _, _, study = library.load(name)
    for key in study.datasets:
        dataset = data.load(key)
        yield _data_set(dataset)
        yield _weights(resolve(dataset, study.evaluation), study.evaluation.weights)
    if study.evaluation.second:
        yield _weights(study.evaluation.second.extractor, None)


def _data_set(dataset: "Dataset") -> str:
    from gansweep import data

    n, size = len(dataset.train) + len(dataset.test), "×".join(map(str, dataset.shape))
    source = data.DATASETS.get(dataset.name)
    place = f", in {data.data_root() / source.folder}" if source and source.folder else ""
    return f"data set {dataset.name}: {n:,} samples of {size}{place}"


def _weights(extractor: str, given: str | None) -> str:
    from gansweep.evaluation.weights import PUBLISHED, weights_file

    try:
        file = weights_file(extractor, given)
    except UserError as error:
        variable = PUBLISHED[extractor].variable
        raise UserError(
            f"extractor {extractor}: {error}: set ${variable} to the file of its weights"
        ) from None
    return f"extractor {extractor}: {f'weights in {file}' if file else 'without weights'}"
