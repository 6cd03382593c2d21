"""Two studies compared: is the new one better or worse than the baseline, and by how much?"""

import math
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from gansweep.errors import UserError
from gansweep.report import statistics
from gansweep.report.compare.matching import SEEDS, TRIALS, CommonCell, common_cells, effort
from gansweep.report.comparison import Comparison, listing, read_comparison
from gansweep.report.statistics import ALPHA, Effect
from gansweep.report.text.numbers import fid_text

_HEADS = ("data set", "variant", "compared", "FID A", "FID B", "B/A [95 %]", "B better", "Holm p", "verdict")
_WIDTH = 100  # of the sentences below the table
_LEFT = (0, 1, 2, 8)  # the columns of words
_WORSE, _BETTER, _SAME, _UNLIKE = "worse", "better", "no difference seen", "cannot be compared"


def compare_studies(a: Path, b: Path, worse_by: float = 0.0) -> tuple[list[str], bool]:
    """What study b has done to the FIDs of study a, the baseline, in lines of text; and whether it is a
    regression.

    Cells are compared by the fresh seeds of their confirmed configurations if both have them after equal
    searches, else by the trials of the searches, as many of each. A cell is worse if its p-value, adjusted
    for all compared cells (Holm), is below 0.05; that is a regression if the 95 % interval of the ratio b/a
    lies above 1 + worse_by, too. A failed trial counts as worse than any score.

    Raises:
        UserError: a folder holds no results, the studies have no cell in common, or none can be compared.
    """
    if not 0 <= worse_by < math.inf:
        raise UserError(f"worse_by must be at least 0 and finite, but got {worse_by}")
    before, after = read_comparison(Path(a)), read_comparison(Path(b))
    cells = list(common_cells(before, after))
    compared = [cell for cell in cells if not cell.obstacle]
    if not compared:
        reason = cells[0].obstacle if cells else _nothing_shared(before, after)
        raise UserError(f"{b} cannot be compared with {a}: {reason}")
    effects = _effects(compared)
    verdicts = [_verdict(effects.get(cell.name), worse_by) for cell in cells]
    rows = [_fields(cell, effects.get(cell.name), v) for cell, v in zip(cells, verdicts, strict=True)]
    lines = [_headline(before, after, verdicts), "", *_aligned([_HEADS, *rows]), ""]
    words = [*_method(compared), *_remarks(before, after, compared)]
    return lines + [line for text in words for line in wrap(text, _WIDTH)], _WORSE in verdicts


def _effects(cells: list[CommonCell]) -> dict[str, Effect]:
    """The effect of the new study on each cell, the p-values adjusted for each other (Holm)."""
    tests = [statistics.improvement(cell.after, cell.before) for cell in cells]
    adjusted = statistics.holm([p for _, p in tests])
    ratios = [statistics.hodges_lehmann(cell.after, cell.before) for cell in cells]
    return {
        cell.name: Effect(ratio, share, p, q)
        for cell, ratio, (share, p), q in zip(cells, ratios, tests, adjusted, strict=True)
    }


def _verdict(effect: Effect | None, worse_by: float) -> str:
    if effect is None:
        return _UNLIKE
    if effect.adjusted >= ALPHA:
        return _SAME
    if effect.improvement > 0.5:
        return _BETTER
    return _WORSE if effect.ratio.low > 1 + worse_by else f"worse, but perhaps by no more than {worse_by:.0%}"


def _fields(cell: CommonCell, effect: Effect | None, verdict: str) -> tuple[str, ...]:
    """A line of the table."""
    if effect is None:
        return cell.dataset, cell.variant, "–", "–", "–", "–", "–", "–", f"{verdict}: {cell.obstacle}"
    n, m = len(cell.before), len(cell.after)
    ratio = effect.ratio
    return (
        cell.dataset,
        cell.variant,
        f"{n} {cell.kind}" if n == m else f"{n} and {m} {cell.kind}",
        _number(statistics.quantile(cell.before, 0.5)),
        _number(statistics.quantile(cell.after, 0.5)),
        f"{_ratio(ratio.value)} [{_ratio(ratio.low)}, {_ratio(ratio.high)}]",
        f"{100 * effect.improvement:.0f} %",
        f"{effect.adjusted:.3f}" if effect.adjusted >= 0.001 else "<0.001",
        verdict,
    )


def _number(fid: float) -> str:
    return "fail" if math.isinf(fid) else fid_text(fid)


def _ratio(value: float) -> str:
    return "inf" if math.isinf(value) else f"{value:.2f}"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """The rows with their columns below each other, a rule under the first."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = max(len(row[-1]) for row in rows[:1])  # nothing stands to the right of it
    lines = [
        "  ".join(
            text.ljust(width) if i in _LEFT else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _headline(before: Comparison, after: Comparison, verdicts: list[str]) -> str:
    names = [study.folder.resolve().name for study in (before, after)]
    if names[0] == names[1]:
        names = [str(study.folder) for study in (before, after)]
    counts = [
        (verdict, sum(v.startswith(verdict) for v in verdicts))
        for verdict in (_WORSE, _BETTER, _SAME, _UNLIKE)
    ]
    words = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    return f"B = {names[1]} against the baseline A = {names[0]}, {len(verdicts)} cells: {words}."


def _method(compared: list[CommonCell]) -> Iterator[str]:
    """How to read the table."""
    n = f"{len(compared)} compared cell{'s' * (len(compared) > 1)}"
    yield (
        "FID A and FID B are medians. B/A is the ratio of a FID of B to one of A (Hodges-Lehmann) with the "
        "95 % interval of its cell alone, B better the probability that a run of B has the lower FID. A "
        f"failed run counts as worse than any FID. p-values are adjusted for {n} (Holm)."
    )
    kinds = {cell.kind for cell in compared}
    if SEEDS in kinds:
        yield "Seeds are the fresh seeds of the configuration that each study has confirmed."
    if TRIALS in kinds:
        yield "Trials are the first of each search, as many of A as of B, without the default configuration."


def _remarks(before: Comparison, after: Comparison, compared: list[CommonCell]) -> Iterator[str]:
    """What a reader must know to trust the table."""
    if TRIALS in {cell.kind for cell in compared}:
        if len(before.confirmed) and len(after.confirmed) and effort(before) != effort(after):
            yield "Fresh seeds are not compared where unequal searches have chosen the configurations."
        if any(_configurations(before, cell) & _configurations(after, cell) for cell in compared):
            yield (
                "Both searches have drawn the same configurations; the test compares them as independent "
                "ones, so that small differences stay unseen."
            )
    few = [
        cell.name
        for cell in compared
        if 2 / math.comb(len(cell.before) + len(cell.after), len(cell.before)) >= ALPHA
    ]
    if few:
        yield f"Too few runs to show any difference: {listing(few)}."
    for letter, here, there in (("A", before, after), ("B", after, before)):
        for kind, mine, theirs in (
            ("variants", here.variants, there.variants),
            ("data sets", here.datasets, there.datasets),
        ):
            if only := [name for name in mine if name not in theirs]:
                yield f"{kind.capitalize()} only in {letter}: {listing(only)}."


def _configurations(study: Comparison, cell: CommonCell) -> set[str]:
    mine = (study.finished["dataset"] == cell.dataset) & (study.finished["variant"] == cell.variant)
    return set(study.finished.loc[mine, "config_id"])


def _nothing_shared(before: Comparison, after: Comparison) -> str:
    parts = [
        f"{listing(list(study.variants))} on {listing(list(study.datasets))}" for study in (before, after)
    ]
    return (
        f"they have no variant on one data set in common: the baseline has {parts[0]}, the other {parts[1]}"
    )
