"""The page: one HTML file that holds everything, needs no network, and is the same for the same results."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gansweep.files import dump_json, write_atomically
from gansweep.report import samples, style, svg, tables, verdict
from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures import Plot, plots
from gansweep.report.figures.vectors import vectors_plot
from gansweep.results import finite


@dataclass(frozen=True)
class Section:
    """A figure as the page shows it; `svg` is empty where there is none."""

    plot: Plot
    svg: Markup


def write_report(folder: Path) -> Path:
    """Write a study's report into report/: index.html, figures/ and data/. Return the path of index.html.

    Raises:
        UserError: the folder holds no results yet.
    """
    comparison = read_comparison(Path(folder))
    target = comparison.folder / "report"
    sections = [_section(plot, target) for plot in plots(comparison)]
    drawn = [plot for dataset in comparison.datasets if (plot := vectors_plot(comparison, dataset))]
    vectors = [_section(plot, target) for plot in drawn]
    summary = tables.summary_table(comparison)
    tables.write_summary(target, summary)
    write_atomically(target / "index.html", render(comparison, sections, vectors, summary.to_dict("records")))
    return target / "index.html"


def _section(plot: Plot, target: Path) -> Section:
    if plot.figure is None:
        return Section(plot, Markup())
    drawing = style.save(plot.figure, target, plot.name, plot.data)
    return Section(plot, Markup(svg.inline_svg(drawing, plot.name, plot.question, plot.alt)))


def render(
    comparison: Comparison, sections: list[Section], vectors: list[Section], summary: list[dict[Any, Any]]
) -> str:
    """The page as text. vectors: the drawings of samples that are no images."""
    looks = style.looks(comparison.manifest)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            comparison=comparison,
            manifest=comparison.manifest,
            marks={variant: Markup(svg.mark(look)) for variant, look in looks.items()},
            verdict=verdict.verdict(comparison),
            cautions=verdict.cautions(comparison),
            summary=summary,
            sections=sections,
            vectors=vectors,
            galleries=samples.galleries(comparison),
            failures=tables.failures(comparison),
            trials=tables.trial_browser(comparison),
            manifest_text=dump_json(comparison.manifest),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gansweep.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(finite=finite, fid=_fid, percent=_percent, script=_script)
    return environment


def _fid(value: float | None, missing: str = "–") -> str:
    """Three digits, as a reader compares FIDs; two of small ones."""
    if value is None or value != value:
        return missing
    if value < 0.1:
        return f"{value:.2g}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "–" if value is None or value != value else f"{100 * value:.0f}"


def _script(value: Any) -> Markup:
    """JSON that may stand inside a script element, whatever text it holds."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
