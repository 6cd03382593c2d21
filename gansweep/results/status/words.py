"""Durations, counts and messages in words, as displays and reports show them."""

from collections import Counter
from collections.abc import Container


def duration(seconds: float) -> str:
    """Returns a time span in the unit that suits it.

    >>> duration(0.034), duration(42), duration(150), duration(9000), duration(200_000)
    ('0.034 s', '42 s', '2.5 min', '2.5 h', '2.3 days')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.1f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def time_left(seconds: tuple[float, float] | None) -> str:
    """Returns an estimate of the remaining time. seconds: the least and the most; None: not known yet.

    >>> time_left((7300.0, 9000.0)), time_left((50.0, 150.0)), time_left((60.0, 60.0))
    ('2.0 to 2.5 h left', '50 s to 2.5 min left', 'about 60 s left')
    >>> time_left(None)
    'no estimate yet'
    """
    if seconds is None:
        return "no estimate yet"
    low, high = map(duration, seconds)
    if low == high:
        return f"about {low} left"
    number, unit = low.split()
    return f"{number if high.endswith(f' {unit}') else low} to {high} left"


def counted(counts: Counter[str], skip: Container[str] = ()) -> str:
    """Returns counts as a list, the largest first.

    >>> counted(Counter(ok=9, diverged=1, crashed=2), skip=("ok",))
    '2 crashed, 1 diverged'
    """
    return ", ".join(f"{n} {name}" for name, n in counts.most_common() if name not in skip)


def first_line(message: object) -> str:
    """Returns the first line of an error message; an empty text if there is none.

    >>> first_line("loss is NaN\\nTraceback ..."), first_line(""), first_line(None)
    ('loss is NaN', '', '')
    """
    lines = message.strip().splitlines() if isinstance(message, str) else []
    return lines[0] if lines else ""
