"""Numbers as a reader compares them."""

import math


def fid_text(value: float | None, missing: str = "–") -> str:
    """Three digits, as a reader compares FIDs; two of small ones.

    >>> fid_text(123.4), fid_text(12.34), fid_text(0.0123), fid_text(None)
    ('123', '12.3', '0.012', '–')
    """
    if value is None or math.isnan(value):
        return missing
    if value < 0.1:
        return f"{value:.2g}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def p_text(p: float) -> str:
    """A p-value.

    >>> p_text(0.01234), p_text(1e-4)
    ('0.012', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
