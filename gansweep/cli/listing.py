"""Lists of studies, variants, data sets, architectures and extractors, as lines of text."""

import re

from gansweep.evaluation import EXTRACTORS
from gansweep.study.known import Listed, known, listed_variants
from gansweep.study.library import available


def studies() -> list[str]:
    """Every study with the question it answers."""
    return _columns([(name, question) for name, question in available().items()])


def variants() -> list[str]:
    """Every variant by family: name, label, the hyperparameters that its wide space searches, its sources."""
    rows: list[tuple[str, ...]] = [("NAME", "LABEL", "SEARCHED", "SOURCE")]
    every = listed_variants()
    for family in dict.fromkeys(variant.family for variant in every.values()):
        rows += [("", "", "", ""), (family.upper(), "", "", "")]
        for name, variant in every.items():
            if variant.family == family:
                rows += _variant(name, variant)
    return _columns(rows)


def _variant(name: str, variant: Listed) -> list[tuple[str, ...]]:
    """A row for a variant and its first source; one more for each other source."""
    first, *others = [reference for source in variant.sources for reference in _references(source)]
    return [
        (f"  {name}", variant.label, " ".join(variant.searched), first),
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
    return _columns(list(known().datasets.items()))


def architectures() -> list[str]:
    """Every architecture with the data it fits and the length of its latents."""
    rows: list[tuple[str, ...]] = []
    for name, fit in known().architectures.items():
        sizes = ", ".join(map(str, fit.sizes)) or "any"
        rows.append((name, f"{fit.kind} {sizes}", f"z_dim {fit.z_dim}"))
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
