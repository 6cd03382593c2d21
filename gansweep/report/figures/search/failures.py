"""How often each variant fails, and how."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from gansweep.report.style import style
from gansweep.results.row import Outcome

FAILURE_LOOKS: dict[str, dict[str, Any]] = {
    "diverged or frozen": {"facecolor": style.DIVERGED},
    "collapsed": {"facecolor": style.COLLAPSED},
    "crashed or timed out": {"facecolor": style.PAPER, "hatch": "/////"},
}
_OUTCOMES = {
    "diverged or frozen": (Outcome.DIVERGED, Outcome.FROZEN),
    "collapsed": (Outcome.COLLAPSED,),
    "crashed or timed out": (Outcome.CRASHED, Outcome.TIMEOUT),
}


def failures_among(outcomes: pd.Series) -> list[str]:
    """The keys of FAILURE_LOOKS that occur."""
    return [name for name in FAILURE_LOOKS if outcomes.isin(_OUTCOMES[name]).any()]


def plot_failures(points: pd.DataFrame, order: list[str], ax: Axes | None = None) -> Axes:
    """Draw the shares of diverged, collapsed and crashed trials of one data set, stacked, in %."""
    ax = ax or style.new_figure(0.6 + 0.3 * len(order), 2.0).subplots()
    longest = 0.0
    for row, variant in enumerate(order):
        outcomes = points.loc[(points["variant"] == variant) & ~points["is_default"], "outcome"]
        if outcomes.empty:
            continue
        left = 0.0
        for share, look in zip(_bad_shares(outcomes), FAILURE_LOOKS.values(), strict=True):
            ax.barh(
                row,
                share,
                left=left,
                height=0.62,
                edgecolor=style.DIVERGED,
                linewidth=0.5 if share else 0,
                **look,
            )
            left += share
        ax.text(left + 2, row, f"{left:.0f}", va="center", fontsize=6.6)
        longest = max(longest, left)
    ax.set_xlim(0, min(128.0, max(20.0, longest * 1.28)))
    ax.set_xticks(
        [tick for tick in (0, 10, 25, 50, 100) if tick <= ax.get_xlim()[1] and _fits(tick, longest)]
    )
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(True, axis="x")
    return ax


def _fits(tick: int, longest: float) -> bool:
    """Keep ticks apart: 10 is shown only on a short axis, 25 not on a long one."""
    return (tick != 10 or longest < 20) and (tick != 25 or longest < 80)


def _bad_shares(outcomes: pd.Series) -> tuple[float, float, float]:
    share = {outcome: 100 * float((outcomes == outcome).mean()) for outcome in Outcome}
    ended_early = share[Outcome.DIVERGED] + share[Outcome.FROZEN]
    return ended_early, share[Outcome.COLLAPSED], share[Outcome.CRASHED] + share[Outcome.TIMEOUT]
