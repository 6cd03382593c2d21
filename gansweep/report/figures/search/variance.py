"""What decides a result, the configuration or the seed?

Random configurations of each search were run again on fresh seeds, which splits the variance of log FID in
two (one-way random effects).
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gansweep.report import statistics
from gansweep.report.comparison import Comparison, listing
from gansweep.report.figures.base import FINISHED, Cell, Plot, Table, linked, where
from gansweep.report.figures.search.distribution import overall_order
from gansweep.report.style import style
from gansweep.report.style.panels import large_panels
from gansweep.report.style.style import Look
from gansweep.report.text.numbers import range_text
from gansweep.results.row import FAILED, Phase, Status

_VARIANCE_COLUMNS = [
    "dataset",
    "variant",
    "configurations",
    "runs",
    "failed",
    "share",
    "low",
    "high",
    "sd_seed",
    "sd_configuration",
    "is_log",
]


def variance_data(comparison: Comparison) -> pd.DataFrame:
    """A line per data set and variant with replicates: numbers of configurations, of runs and of failed
    runs, the share of the variance of log FID that the configuration explains with its 95 % interval, and
    the standard deviations of log FID between seeds (sd_seed) and configurations (sd_configuration); NaN
    where the runs that did not fail are too few, the share also where all are equal. is_log: False on a data
    set with an FID that is not above 0; there the variances are of FID itself."""
    lines = []
    scores = comparison.replicates.groupby("dataset")["score"]
    is_log = {str(name): statistics.all_positive(mine.to_numpy(float)) for name, mine in scores}
    for (dataset, variant), runs in comparison.replicates.groupby(["dataset", "variant"]):
        groups = [mine["score"].to_numpy(float) for _, mine in runs.groupby("config_id")]
        split = statistics.variance_split(groups, log=is_log[str(dataset)])
        known = {
            "share": split.share.value if split else math.nan,
            "low": split.share.low if split else math.nan,
            "high": split.share.high if split else math.nan,
            "sd_seed": math.sqrt(split.seed) if split else math.nan,
            "sd_configuration": math.sqrt(split.configuration) if split else math.nan,
        }
        failed = int(runs["outcome"].isin(FAILED).sum())
        count = {"configurations": len(groups), "runs": len(runs), "failed": failed}
        lines.append(
            {"dataset": dataset, "variant": variant} | count | known | {"is_log": is_log[str(dataset)]}
        )
    return pd.DataFrame(lines, columns=_VARIANCE_COLUMNS)


def plot_variance(
    splits: pd.DataFrame, order: list[str], looks: dict[str, Look], ax: Axes | None = None
) -> Axes:
    """Draw the shares of one data set, in %, a row for each variant of `order`."""
    ax = ax or style.new_figure(0.6 + 0.27 * len(order), 3.4).subplots()
    shares = splits.set_index("variant")[["share", "low", "high"]].mul(100).T.to_dict("list")
    sds = splits.set_index("variant")["sd_seed"].to_dict()
    for row, variant in enumerate(order):
        look, (share, low, high) = looks[variant], shares.get(variant, [math.nan] * 3)
        if math.isnan(share):
            why = "all runs are equal" if sds.get(variant) == 0 else "too few runs"
            ax.text(2, row, why, color=style.MUTE, fontsize=6.5, va="center")
            continue
        ax.barh(row, share, height=0.62, color=look.color, alpha=0.22, linewidth=0)
        ax.barh(row, 100 - share, left=share, height=0.62, color=style.BAND, linewidth=0)
        ax.plot([low, high], [row, row], color=look.color, linewidth=1.4, solid_capstyle="butt", zorder=3)
        ax.plot(share, row, zorder=4, clip_on=False, **look.marker(5))
    ax.set_yticks(range(len(order)), [looks[variant].label for variant in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlim(0, 100)
    ax.set_xticks([0, 25, 50, 75, 100])
    first, *_, last = ax.get_xticklabels()
    first.set_horizontalalignment("left")  # or it touches that of the neighbouring panel
    last.set_horizontalalignment("right")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


def _variance_figure(comparison: Comparison, splits: pd.DataFrame) -> Figure:
    """A panel for each data set, the rows in common."""
    order = [name for name in overall_order(comparison) if (splits["variant"] == name).any()]
    shown = [name for name in comparison.datasets if (splits["dataset"] == name).any()]
    panels = large_panels(len(shown), height=0.7 + 0.25 * len(order), share_y=True)
    for ax, dataset in zip(panels.axes, shown, strict=True):
        plot_variance(splits[splits["dataset"] == dataset], order, style.looks(comparison.manifest), ax)
        ax.set_title(comparison.dataset_label(dataset))
        of = "log FID" if splits.loc[splits["dataset"] == dataset, "is_log"].all() else "FID"
        ax.set_xlabel(f"% of the variance of {of}\ncolour: configuration; grey: seed")
    panels.hide_unused()
    return panels.figure


def variance_plot(comparison: Comparison) -> Plot | None:
    """The split of variance of a study; None where no configuration was run on several seeds."""
    splits = variance_data(comparison)
    if splits.empty:
        return None
    drawn = bool(splits["share"].notna().any())
    with style.house_style():
        figure = _variance_figure(comparison, splits) if drawn else None
    return Plot(
        name="variance",
        question="What decides a result, the configuration or the seed?",
        headline=_headline(splits),
        takeaway=_takeaway(comparison, splits)
        if drawn
        else "No figure: no variant has two configurations with two runs each that did not fail and are not "
        "all equal.",
        caption="Random configurations of each search, run again on fresh seeds: "
        f"{range_text(splits['configurations'])} configurations, {range_text(splits['runs'])} runs a variant "
        "and data set. Coloured: the share of the variance of log FID between configurations, with its "
        "95 % interval (Thomas and Hultquist, 1978, allowing for the kurtosis of configurations); the "
        "remainder lies between seeds of one configuration. An interval is of one variant alone. "
        f"{_additive(comparison, splits)}Failed runs have no FID and are omitted, "
        f"{int(splits['failed'].sum())} of {int(splits['runs'].sum())}; the table counts them.",
        alt="Bar chart, a row per variant: share of the variance of FID that the configuration explains, and "
        "its interval.",
        figure=figure,
        data=splits,
        table=_table(comparison, splits),
    )


def _headline(splits: pd.DataFrame) -> str:
    shares = 100 * splits["share"].dropna()
    if shares.empty:
        return "Configuration or seed: too few runs to say"
    ends = list(dict.fromkeys(f"{end:.0f}" for end in (shares.min(), shares.max())))
    return f"Configuration or seed: the configuration decides {' to '.join(ends)} % of the variance"


def _additive(comparison: Comparison, splits: pd.DataFrame) -> str:
    """A sentence on the data sets whose variances are of FID, for an FID that is not above 0 has no log."""
    names = list(dict.fromkeys(splits.loc[~splits["is_log"].astype(bool), "dataset"]))
    if not names:
        return ""
    found = listing([comparison.dataset_label(name) for name in names])
    return f"On {found} an FID is not above 0 and has no logarithm: there the variances are of FID itself. "


def _difference(sd: float, is_log: bool) -> str:
    """A standard deviation of log FID as a relative difference of FID; of FID as it is."""
    if not is_log:
        return f"{sd:.2g}"
    return f"{100 * math.expm1(sd):.2g} %" if sd < math.log(2) else f"{100 * math.expm1(sd):.0f} %"


def _table(comparison: Comparison, splits: pd.DataFrame) -> Table:
    """A line per variant and data set; a difference below one sd between seeds is not worth printing."""
    columns = ["Variant", "Data set", "Configuration, % [95 %]", "Smallest difference worth printing"]
    columns += ["Sd between two single runs", "Configurations", "Runs", "Failed runs"]
    rows = []
    for _, split in splits.iterrows():
        cells = [Cell(comparison.label(split["variant"]), variant=split["variant"])]
        cells.append(Cell(comparison.dataset_label(split["dataset"])))
        if math.isnan(split["share"]):
            cells += [Cell("–", value=math.inf)] * 3
        else:
            note = f"[{100 * split['low']:.0f}, {100 * split['high']:.0f}]"
            cells.append(Cell(f"{100 * split['share']:.0f}", note, split["share"]))
            both = math.sqrt(2) * split["sd_seed"]  # the sd of a difference of two
            cells += [Cell(_difference(sd, split["is_log"]), value=sd) for sd in (split["sd_seed"], both)]
        counts = [int(split[name]) for name in ("configurations", "runs", "failed")]
        finite = linked(cells, _runs(comparison, split, Status.COMPLETED))
        rows.append(
            (*finite, *linked([Cell(str(n), value=n) for n in counts], _runs(comparison, split, FINISHED)))
        )
    return Table(tuple(columns), tuple(rows))


def _runs(comparison: Comparison, split: pd.Series, status: str | tuple[str, ...]) -> str:
    """The filter of the runs of a data set and variant: of the search, and again on fresh seeds."""
    cell = {name: str(split[name]) for name in ("dataset", "variant")}
    runs = comparison.replicates
    mine = runs[(runs["dataset"] == cell["dataset"]) & (runs["variant"] == cell["variant"])]
    both = (Phase.SEARCH, Phase.REPLICATE)
    return where(**cell, phase=both, is_default=False, status=status, config_id=mine["config_id"].unique())


def _share_of(comparison: Comparison, split: pd.Series) -> str:
    share, low, high = (f"{100 * split[name]:.0f}" for name in ("share", "low", "high"))
    return f"{share} [{low}, {high}] % ({comparison.label(split['variant'])})"


def _takeaway(comparison: Comparison, splits: pd.DataFrame) -> str:
    known, sentences = splits[splits["share"].notna()], []
    for dataset, here in known.groupby("dataset", sort=False):
        ordered = here.sort_values("share", kind="stable")
        least, most = ordered.iloc[0], ordered.iloc[-1]
        text = _share_of(comparison, most)
        if len(here) > 1:
            text = f"from {_share_of(comparison, least)} to {text}"
        middle = _difference(float(np.median(here["sd_seed"])), bool(here["is_log"].all()))
        of = ", median of variants" if len(here) > 1 else ""
        sentences.append(
            f"{comparison.dataset_label(str(dataset))}: the configuration decides {text} of the variance; "
            f"seeds of one configuration differ by {middle} (one standard deviation{of})."
        )
    return " ".join(sentences)
