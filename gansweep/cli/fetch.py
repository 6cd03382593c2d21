"""The command fetch: everything that is downloaded, before a study needs it."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gansweep.cli.options import command
from gansweep.errors import UserError, unknown

if TYPE_CHECKING:
    from gansweep.data import Dataset


def add(commands: Any) -> None:
    """Add the command to a parser's."""
    parser = command(commands, "fetch", fetch)
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="a study, with all that it needs; a data set; an extractor"
    )


def fetch(options: argparse.Namespace) -> int:
    """Download what studies need, unless it is there: data sets, and the weights of feature extractors."""
    from gansweep.data import DATASETS
    from gansweep.evaluation import EXTRACTORS
    from gansweep.study import library

    known = {*DATASETS, *EXTRACTORS, *library.available()}
    for name in options.names:
        if not (name in known or name.startswith("folder:") or name.endswith(".py")):
            raise unknown("study, data set or extractor", name, known)
    told = set()
    for line in (line for name in options.names for line in _fetched(name)):
        if line not in told:
            print(line, flush=True)
        told.add(line)
    return 0


def _fetched(name: str) -> Iterator[str]:
    """A sentence for each thing that a name stands for; `mnist` is a data set, and an extractor too."""
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
        raise UserError(f"extractor {extractor}: {error}: give their file in ${variable}") from None
    return f"extractor {extractor}: {f'weights in {file}' if file else 'without weights'}"
