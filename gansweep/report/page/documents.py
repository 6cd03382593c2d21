"""The report in formats besides the page: Markdown to read anywhere, LaTeX tables for a paper, CSV."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from gansweep.files import write_atomically
from gansweep.report import statistics
from gansweep.report import summary as tables
from gansweep.report.comparison import Comparison
from gansweep.report.figures.base import Cell, Plot, Table
from gansweep.report.statistics import Scores
from gansweep.report.text import verdict
from gansweep.report.text.escaping import latex, markdown, readable_csv
from gansweep.report.text.numbers import fid_text, mean_text
from gansweep.results.row import Outcome

FORMATS = ("html", "md", "latex", "csv", "pdf", "png")


def write_documents(
    comparison: Comparison,
    plots: Sequence[Plot],
    summary: pd.DataFrame,
    target: Path,
    formats: Iterable[str],
) -> dict[str, Path]:
    """Write Markdown, LaTeX and CSV into the folder of the report and return their paths.

    Markdown refers to figures/<name>.png, which `style.save` writes.
    """
    writers: dict[str, Callable[[], Path]] = {
        "md": lambda: _write_markdown(comparison, plots, summary, target),
        "latex": lambda: _write_latex(comparison, plots, summary, target),
        "csv": lambda: _write_csv(plots, summary, target),
    }
    return {name: writers[name]() for name in formats if name in writers}


def _write_markdown(
    comparison: Comparison, plots: Sequence[Plot], summary: pd.DataFrame, target: Path
) -> Path:
    path = target / "report.md"
    write_atomically(path, _markdown_report(comparison, plots, summary))
    return path


def _write_latex(comparison: Comparison, plots: Sequence[Plot], summary: pd.DataFrame, target: Path) -> Path:
    folder = target / "tables"
    content = {"summary": tables.summary_cells(comparison, summary), "best-fid": _best_fid(comparison)}
    content |= {plot.name: plot.table for plot in plots}
    for name, table in content.items():
        if table and table.rows:
            write_atomically(folder / f"{name}.tex", _latex_table(table))
    return folder


def _write_csv(plots: Sequence[Plot], summary: pd.DataFrame, target: Path) -> Path:
    for plot in plots:
        write_atomically(target / "data" / f"{plot.name}.csv", readable_csv(plot.data))
    tables.write_summary(target, summary)
    return target / "data"


def _markdown_report(comparison: Comparison, plots: Sequence[Plot], summary: pd.DataFrame) -> str:
    """The verdict, the cautions, the summary, and every figure with its words and its table."""
    manifest = comparison.manifest
    lines = [f"# {markdown(manifest.study)}", markdown(manifest.question), "## Verdict"]
    lines += [
        f"**{markdown(heading)}:** {markdown(sentence)}" for heading, sentence in verdict.verdict(comparison)
    ]
    if cautions := verdict.cautions(comparison):
        lines += ["Not comparable, or weak:", "\n".join(f"- {markdown(text)}" for text in cautions)]
    lines += ["## Results", _markdown_table(tables.summary_cells(comparison, summary))]
    lines += ["● marks the leading group on that data set."]
    group = ""
    for plot in plots:
        if plot.group != group:
            group = plot.group
            lines.append(f"## {markdown(group or 'Figures')}")
        lines += _markdown_plot(plot)
    lines += [f"Made by gansweep {markdown(manifest.gansweep)}, {markdown(manifest.updated)}."]
    return "\n\n".join(lines) + "\n"


def _markdown_plot(plot: Plot) -> list[str]:
    lines = [f"### {markdown(plot.question)}", f"**{markdown(plot.takeaway)}**"]
    if plot.figure is not None:
        lines += [f"![{markdown(plot.alt)}](figures/{quote(plot.name)}.png)", markdown(plot.caption)]
    if plot.table and plot.table.rows:
        lines.append(_markdown_table(plot.table))
    return lines


def _markdown_table(table: Table) -> str:
    """A table of GitHub's Markdown; columns of numbers stand to the right."""
    words = text_columns(table)
    lines = [
        [markdown(name) for name in table.columns],
        [":--" if is_text else "--:" for is_text in words],
        *[[markdown(_cell_text(cell)) for cell in row] for row in table.rows],
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _latex_table(table: Table) -> str:
    r"""A `tabular` to be read by \input; it needs the package booktabs and nothing else."""
    lines = [" & ".join(latex(_cell_text(cell)) for cell in row) for row in table.rows]
    return "\n".join(
        [
            "% \\usepackage{booktabs}",
            f"\\begin{{tabular}}{{{''.join('l' if is_text else 'r' for is_text in text_columns(table))}}}",
            "\\toprule",
            " & ".join(latex(name) for name in table.columns) + r" \\",
            "\\midrule",
            *[f"{line} \\\\" for line in lines],
            "\\bottomrule",
            "\\end{tabular}",
            "",
        ]
    )


def text_columns(table: Table) -> list[bool]:
    """Whether each column holds words, aligned to the left: the first one, and columns without a number."""
    return [
        place == 0 or all(row[place].value is None for row in table.rows)
        for place in range(len(table.columns))
    ]


def _cell_text(cell: Cell) -> str:
    return f"{cell.text} {cell.note}".strip()


def _best_fid(comparison: Comparison) -> Table | None:
    """The table of a paper: the fresh seeds of each variant, three columns for each data set.

    Mean and standard deviation are over good seeds, the median with its 95 % interval over all seeds. None
    if nothing was confirmed.
    """
    scores = {dataset: comparison.confirmed_scores(dataset) for dataset in comparison.datasets}
    scores = {dataset: found for dataset, found in scores.items() if found}
    if not scores:
        return None
    names = [comparison.dataset_label(dataset) for dataset in scores]
    columns = [f"{name}, {what}" for name in names for what in ("mean ± sd", "median [95 %]", "bad seeds")]
    rows = [
        (Cell(comparison.label(variant)), *[c for d in scores for c in _seed_cells(comparison, d, variant)])
        for variant in comparison.variants
    ]
    return Table(("Variant", *columns), tuple(rows))


def _seed_cells(comparison: Comparison, dataset: str, variant: str) -> tuple[Cell, Cell, Cell]:
    mine = comparison.confirmed
    mine = mine[(mine["dataset"] == dataset) & (mine["variant"] == variant)]
    if mine.empty:
        return (Cell("–", value=math.nan), Cell("–", value=math.nan), Cell("–", value=math.nan))
    scores: Scores = np.sort(mine["reported"].to_numpy(float))
    good = mine.loc[mine["outcome"] == Outcome.OK, "reported"].to_numpy(float)
    sd = float(good.std(ddof=1)) if len(good) > 1 else math.nan
    mean = float(good.mean()) if len(good) else math.nan
    median = statistics.median_best(scores, 1)
    low, high = (fid_text(end) if math.isfinite(end) else "none" for end in (median.low, median.high))
    middle = fid_text(median.value) if math.isfinite(median.value) else "fail"
    return (
        Cell(mean_text(mean, sd), value=mean),
        Cell(middle, f"[{low}, {high}]", value=median.value),
        Cell(f"{len(mine) - len(good)} of {len(mine)}", value=len(mine) - len(good)),
    )
