"""Lists of studies, variants, data sets, architectures and extractors, as lines of text."""

import re

from gansweep.data import DATASETS
from gansweep.evaluation import EXTRACTORS
from gansweep.networks import ARCHITECTURES
from gansweep.space import Choice, Uniform
from gansweep.study.library import available
from gansweep.variants import VARIANTS, Published


def studies() -> list[str]:
    """Every study with the question it answers."""
    return _columns([(name, question) for name, question in available().items()])


def variants() -> list[str]:
    """Every variant by family: name, label, the hyperparameters that its wide space searches, its sources."""
    rows: list[tuple[str, ...]] = [("NAME", "LABEL", "SEARCHED", "SOURCE")]
    for family in dict.fromkeys(published.family for published in VARIANTS.values()):
        rows += [("", "", "", ""), (family.upper(), "", "", "")]
        for name, published in VARIANTS.items():
            if published.family == family:
                rows += _variant(name, published)
    return _columns(rows)


def _variant(name: str, published: Published) -> list[tuple[str, ...]]:
    """A row for a variant and its first source; one more for each other source."""
    searched = [key for key, value in published.wide.items() if isinstance(value, Uniform | Choice)]
    first, *others = [reference for source in published.sources for reference in _references(source)]
    return [
        (f"  {name}", published.label, " ".join(searched), first),
        *(("", "", "", other) for other in others),
    ]


def _references(source: str) -> list[str]:
    """Returns authors, year and arXiv id of each publication that a source names; else the whole source.

    >>> _references('Mao et al., "Least Squares GANs", 2017, arXiv:1611.04076, eq. 2')
    ['Mao et al. 2017, arXiv:1611.04076']
    """
    found = re.findall(r'([^";]+), "[^"]+", (\d{4}), (arXiv:[^\s,;]+)', source)
    return [f"{authors.strip()} {year}, {number}" for authors, year, number in found] or [source]


def datasets() -> list[str]:
    """Every data set with its description."""
    return _columns([(name, source.description) for name, source in DATASETS.items()])


def architectures() -> list[str]:
    """Every architecture with the data it fits and the length of its latents."""
    rows: list[tuple[str, ...]] = []
    for name, architecture in ARCHITECTURES.items():
        sizes = architecture.sides or architecture.dims or ("any",)
        kind = "images of side" if architecture.sides else "vectors of length"
        rows.append((name, f"{kind} {', '.join(map(str, sizes))}", f"z_dim {architecture.z_dim}"))
    return _columns(rows)


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
