"""Which hyperparameters matter: two questions, two answers.

fANOVA shows what explains the ranks of trials anywhere in the space; PED-ANOVA shows what separates the best
quarter from the others. Sources and deviations: `statistics.importance`.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table, dependence, draws, linked
from gansweep.report.statistics.importance import N_TRIAL_RESAMPLES, Method, importance
from gansweep.report.style import style
from gansweep.report.style.scales import searched
from gansweep.results.row import slug

_CHANCE_SHARE = 0.1  # that a hyperparameter may have by chance
_MAX_OPACITY = 0.6  # opacity of a cell of all importance: text stays readable on it
_METHODS: dict[Method, str] = {"fanova": "anywhere (fANOVA)", "ped_anova": "among the best (PED-ANOVA)"}


def importance_data(comparison: Comparison, dataset: str) -> pd.DataFrame:
    """One line per variant, method and hyperparameter: its share with low and high, the range of
    bootstrap resamples; or `refusal`, a sentence."""
    finished = comparison.finished[comparison.finished["dataset"] == dataset]
    lines: list[dict[str, Any]] = []
    for variant in comparison.ranked(dataset):
        mine = finished[finished["variant"] == variant]
        space = comparison.manifest.space(variant)
        for method in _METHODS:
            shares = importance(mine, mine["score"].to_numpy(float), space, method)
            line = {"variant": variant, "method": method, "trials": len(mine)}
            if isinstance(shares, str):
                lines.append(line | {"refusal": shares})
                continue
            for name, share in shares.items():
                estimate = {"share": share.value, "low": share.low, "high": share.high}
                lines.append(line | {"parameter": name} | estimate)
    columns = ["variant", "method", "parameter", "share", "low", "high", "trials", "refusal"]
    return pd.DataFrame(lines, columns=columns)


def plot_importance(
    data: pd.DataFrame, names: list[str], order: list[str], labels: list[str], ax: Axes | None = None
) -> Axes:
    """Draw the shares in % by one method: a row for each variant of `order`, a column for each of `names`.

    Hatched: the range holds shares below a tenth.
    """
    ax = ax or style.new_figure(0.6 + 0.25 * len(order), 0.8 + 0.5 * len(names)).subplots()
    for line in data.dropna(subset=["share"]).to_dict("records"):
        x, y = names.index(line["parameter"]), order.index(line["variant"])
        shade = to_rgba(style.DIVERGED, _MAX_OPACITY * line["share"])
        edge: dict[str, Any] = {"edgecolor": style.FAINT, "linewidth": 0.4}
        ax.add_patch(Rectangle((x - 0.5, y - 0.45), 1, 0.9, facecolor=shade, **edge))
        if line["low"] < _CHANCE_SHARE:
            hatch: dict[str, Any] = {"hatch": "////", "edgecolor": style.MUTE, "linewidth": 0}
            ax.add_patch(Rectangle((x - 0.5, y - 0.45), 1, 0.9, fill=False, alpha=0.55, **hatch))
        text = f"{100 * line['share']:.0f}"
        ax.text(x, y, text, ha="center", va="center_baseline", fontsize=6.3)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="left", rotation_mode="anchor", fontsize=6.8)
    ax.set_yticks(range(len(order)), labels)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    return ax


def _importance_figure(comparison: Comparison, data: pd.DataFrame) -> Figure:
    """A panel for each question, the rows in common; hyperparameters of most importance first."""
    shares = data.dropna(subset=["share"])
    names = list(shares.groupby("parameter")["share"].sum().sort_values(ascending=False).index)
    order = [variant for variant in data["variant"].unique() if (shares["variant"] == variant).any()]
    looks = style.looks(comparison.manifest)
    width = min(style.WIDTH, 1.6 + 2 * 0.55 * len(names))
    figure = style.new_figure(1.35 + 0.25 * len(order), max(4.6, width))
    axes = figure.subplots(1, len(_METHODS), sharey=True)
    for ax, (method, title) in zip(axes, _METHODS.items(), strict=True):
        mine = shares[shares["method"] == method]
        plot_importance(mine, names, order, [looks[variant].label for variant in order], ax)
        ax.set_xlabel(title)
    entries = [
        Patch(
            facecolor=to_rgba(style.DIVERGED, _MAX_OPACITY * share),
            edgecolor=style.FAINT,
            label=f"{100 * share:.0f} %",
        )
        for share in (0.0, 0.5, 1.0)
    ]
    entries.append(
        Patch(fill=False, hatch="////", edgecolor=style.MUTE, alpha=0.55, label="may be below 10 %")
    )
    figure.legend(handles=entries, loc="outside lower center", ncol=4)
    return figure


def importance_plot(comparison: Comparison, dataset: str) -> Plot | None:
    """Which hyperparameters matter on one data set; None where nothing is searched, or finished."""
    if not searched(comparison) or not comparison.started(dataset):
        return None
    data, label = importance_data(comparison, dataset), comparison.dataset_label(dataset)
    drawn = data["share"].notna().any()
    with style.house_style():
        figure = _importance_figure(comparison, data) if drawn else None
    return Plot(
        name=f"importance-{slug(dataset)}",
        question=f"Which hyperparameters decide on {label}?",
        headline=_headline(data),
        takeaway=_takeaway(comparison, data) if drawn else _left_out(comparison, data),
        caption=_caption(comparison, data),
        alt=f"Two heat maps, variants in rows and hyperparameters in columns: importance for FID on {label}.",
        figure=figure,
        data=data,
        table=_table(comparison, dataset, data) if drawn else None,
    )


def _headline(data: pd.DataFrame) -> str:
    shares = data[data["method"] == "fanova"].dropna(subset=["share"])
    if shares.empty:
        return "Which hyperparameters decide: too few trials to say"
    table = shares.pivot(index="variant", columns="parameter", values="share").fillna(0.0)
    return f"Which hyperparameters decide: {table.mean().idxmax()} explains most"


def _caption(comparison: Comparison, data: pd.DataFrame) -> str:
    text = (
        "Shares in % that add up to 100 for a variant, of ranks in which failed trials come last. Left: what "
        "explains the ranks anywhere in the space (fANOVA); right: what separates the best quarter of the "
        "trials from the others (PED-ANOVA). The two may differ: a hyperparameter that causes failures "
        "matters anywhere, and less among the successful trials. Hatched: the range of "
        f"{N_TRIAL_RESAMPLES} bootstrap resamples reaches below {100 * _CHANCE_SHARE:.0f} %."
    )
    return " ".join(filter(None, (text, _left_out(comparison, data), dependence(comparison))))


def _left_out(comparison: Comparison, data: pd.DataFrame) -> str:
    """The variants for which a question is refused, and why."""
    refused = data.dropna(subset=["refusal"])
    reasons = {
        str(reason): comparison.labels(list(mine["variant"].unique()))
        for reason, mine in refused.groupby("refusal", sort=False)
    }
    return " ".join(f"{reason.removesuffix('.')} ({names})." for reason, names in reasons.items())


def _takeaway(comparison: Comparison, data: pd.DataFrame) -> str:
    """What has the largest share by each question, and where the two disagree."""
    shares = data.dropna(subset=["share"]).sort_values("share", ascending=False, kind="stable")
    first = shares.drop_duplicates(["variant", "method"])
    words = {"fanova": "anywhere in the space", "ped_anova": "among the best"}
    parts = []
    for method, mine in shares.groupby("method"):
        table = mine.pivot(index="variant", columns="parameter", values="share").fillna(0.0)
        name = table.mean().idxmax()
        wins = int((first.loc[first["method"] == method, "parameter"] == name).sum())
        share = f"{100 * table[name].mean():.0f} %, the largest for {wins} of {len(table)} variants"
        parts.append(f"{name} {words[str(method)]} ({share})")
    answers = first.groupby("variant")["parameter"].nunique()
    differ = [str(variant) for variant in answers.index[answers > 1]]
    text = f"The largest mean share has {' and '.join(parts)}."
    return f"{text} The two disagree on {comparison.labels(differ)}." if differ else text


def _table(comparison: Comparison, dataset: str, data: pd.DataFrame) -> Table:
    """A line per variant and hyperparameter: both shares with their ranges."""
    shares = data.dropna(subset=["share"]).set_index(["variant", "parameter", "method"])
    rows = []
    for variant, name in dict.fromkeys((key[0], key[1]) for key in shares.index):
        cells = [_share(shares, (variant, name, method)) for method in _METHODS]
        names = Cell(comparison.label(variant), variant=variant), Cell(name)
        rows.append((*names, *linked(cells, draws(dataset=dataset, variant=variant))))
    return Table(
        ("Variant", "Hyperparameter", "Anywhere, % [range]", "Among the best, % [range]"), tuple(rows)
    )


def _share(shares: pd.DataFrame, key: tuple[str, str, str]) -> Cell:
    if key not in shares.index:
        return Cell("–")
    value, low, high = shares.loc[key, ["share", "low", "high"]].to_numpy(float)
    return Cell(f"{100 * value:.0f}", f"[{100 * low:.0f}, {100 * high:.0f}]", float(value))
