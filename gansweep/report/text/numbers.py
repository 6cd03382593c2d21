"""Numbers as text, with the digits that a reader compares."""

import math
from collections.abc import Iterable


def fid_text(value: float | None, missing: str = "–") -> str:
    """Returns an FID with three digits, or two if it is small.

    >>> fid_text(123.4), fid_text(12.34), fid_text(0.0123), fid_text(None)
    ('123', '12.3', '0.012', '–')
    """
    if value is None or math.isnan(value):
        return missing
    if value < 0.1:
        return f"{value:.2g}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def mean_text(mean: float, sd: float) -> str:
    """Returns a mean of FIDs and its standard deviation, if known, with as many decimals.

    >>> mean_text(21.04, 1.854), mean_text(6.2, 0.9), mean_text(6.2, math.nan), mean_text(math.nan, math.nan)
    ('21.0 ± 1.9', '6.20 ± 0.90', '6.20', '–')
    """
    text = fid_text(mean)
    if math.isnan(sd) or math.isnan(mean):
        return text
    return f"{text} ± {sd:.{len(text.partition('.')[2])}f}"


def range_text(counts: Iterable[int]) -> str:
    """Returns the range of some counts.

    >>> range_text([5, 3, 4]), range_text([3, 3])
    ('3 to 5', '3')
    """
    least, most = min(ends := list(counts)), max(ends)
    return str(least) if least == most else f"{least} to {most}"


def p_text(p: float) -> str:
    """Returns a p-value as text.

    >>> p_text(0.01234), p_text(1e-4)
    ('0.012', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
