"""What there is: studies, variants, data sets and extractors, as lines for people."""

from gansweep.data import DATASETS
from gansweep.evaluation import EXTRACTORS
from gansweep.study import available
from gansweep.variants import VARIANTS


def studies() -> list[str]:
    """Every study with the question it answers."""
    return _columns([(name, question) for name, question in available().items()])


def variants() -> list[str]:
    """Every variant: name, label, family, the hyperparameters of its wide space, source."""
    rows: list[tuple[str, ...]] = [("NAME", "LABEL", "FAMILY", "SEARCHED", "SOURCE")]
    for name, published in VARIANTS.items():
        rows.append((name, published.label, published.family, " ".join(published.wide), published.source))
    return _columns(rows)


def datasets() -> list[str]:
    """Every data set with its description."""
    return _columns([(name, source.description) for name, source in DATASETS.items()])


def extractors() -> list[str]:
    """Every feature extractor with its description."""
    return _columns([(name, extractor.description) for name, extractor in EXTRACTORS.items()])


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows with their columns aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
