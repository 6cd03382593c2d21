"""The page: one self-contained HTML file that needs no network; equal results give equal files."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gansweep.errors import UserError, readable, unknown
from gansweep.files import dump_json, write_atomically
from gansweep.report import summary as tables
from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures import Plot, plots
from gansweep.report.figures.metrics.fid_examples import fid_examples
from gansweep.report.figures.metrics.vector_samples import vectors_plot
from gansweep.report.page import first_screen, galleries, svg, trial_browser
from gansweep.report.page.documents import FORMATS, text_columns, write_documents
from gansweep.report.style import style
from gansweep.report.text import origin, verdict
from gansweep.report.text.glossary import glossary, hint
from gansweep.report.text.numbers import fid_text
from gansweep.results.folder import StudyFolder
from gansweep.results.row import FAILED, slug

_SAMPLES, _FAILURES = "Samples", "Failures"  # groups of figures in sections of the page with other content


@dataclass(frozen=True, eq=False)
class Section:
    """A figure as the page shows it; `svg` is empty where there is none."""

    plot: Plot
    svg: Markup


def write_report(
    folder: Path, formats: Sequence[str] = ("html",), tables: dict[str, pd.DataFrame] | None = None
) -> Path:
    """Write the report of a study into report/ and return the path of its first document.

    formats: "html", report/index.html; "md", report/report.md; "latex", report/tables/; "csv", report/data/;
        "pdf" and "png", the figures in report/figures/. All but "latex" and "csv" come with figures/, as SVG,
        and data/; "md" shows PNG. "html" deletes the files of figures that an earlier report has left.
    tables: the study's, as `gansweep.results.tables` makes them, if already read; None reads them.

    Raises:
        UserError: the folder holds no results yet, report/ has a link, or a format is unknown or missing.
    """
    if not formats:
        raise UserError(f"a report needs at least one format of {', '.join(FORMATS)}, but got none")
    for name in formats:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    StudyFolder(Path(folder)).require_no_links("report")
    comparison = read_comparison(Path(folder), tables)
    drawn = [vectors_plot(comparison, dataset) for dataset in comparison.datasets]
    vectors = [replace(plot, group=_SAMPLES) for plot in drawn if plot]
    return _write_formats(comparison, [*plots(comparison), *vectors], formats)


def _write_formats(comparison: Comparison, plots: Iterable[Plot], formats: Sequence[str]) -> Path:
    """Write the report with these figures and return the path of its first document."""
    target, shown = comparison.folder / "report", _named(plots)
    kinds = {"svg", *(kind for kind in style.KINDS if kind in formats), *["png"] * ("md" in formats)}
    sections = []
    if {"html", "md", "pdf", "png"} & set(formats):
        sections = [_section(plot, target, kinds) for plot in shown]
    summary = tables.summary_table(comparison)
    written = write_documents(comparison, shown, summary, target, formats)
    written |= dict.fromkeys({"pdf", "png"} & set(formats), target / "figures")
    if "html" in formats:
        tables.write_summary(target, summary)
        written["html"] = target / "index.html"
        write_atomically(written["html"], _render(comparison, sections, summary, kinds))
        _delete_others(target / "figures", {f"{plot.name}.{kind}" for plot in shown for kind in kinds})
    return written[formats[0]]


def _named(plots: Iterable[Plot]) -> list[Plot]:
    """The plots with names that are parts of file names, no two equal."""
    taken: set[str] = set()
    result = []
    for plot in plots:
        name, count = slug(plot.name), 2
        while name in taken:
            name, count = f"{slug(plot.name)}-{count}", count + 1
        taken.add(name)
        result.append(replace(plot, name=name))
    return result


def _delete_others(folder: Path, names: set[str]) -> None:
    """Delete the figures that an earlier report has left, which may show other results."""
    for kind in style.KINDS:
        for file in folder.glob(f"*.{kind}"):
            if file.name not in names:
                file.unlink()


def _section(plot: Plot, target: Path, kinds: set[str]) -> Section:
    if plot.figure is None:
        return Section(plot, Markup())
    drawing = style.save(plot.figure, target, plot.name, plot.data, kinds)
    inline = svg.inline_svg(drawing, plot.name, plot.question, plot.alt, plot.values)
    return Section(plot, Markup(inline))


def _render(
    comparison: Comparison, sections: Sequence[Section], summary: pd.DataFrame, kinds: Iterable[str]
) -> str:
    """The page as text. kinds: of the files of figures beside it."""
    trials = trial_browser.trial_browser(comparison)
    first = [section for section in sections if section.plot.place == "first"]
    groups = _grouped(section for section in sections if section not in first)
    environment, terms = _environment(), glossary(comparison)
    script = environment.get_template("report.js").render()
    page = environment.get_template("report.html.j2").render(
        kinds=sorted(kinds),
        script=Markup(script),
        script_hash=Markup(_policy_hash(script)),
        comparison=comparison,
        manifest=comparison.manifest,
        marks={v: Markup(svg.mark(look)) for v, look in style.looks(comparison.manifest).items()},
        terms=terms,
        hint=partial(hint, terms=terms),
        first=first,
        heads=first_screen.heads(comparison),
        cost=first_screen.cost(comparison),
        verdict=verdict.verdict(comparison),
        cautions=verdict.cautions(comparison),
        summaries={
            dataset: tables.summary_of(comparison, summary, dataset) for dataset in comparison.datasets
        },
        of_samples=groups.pop(_SAMPLES, []),
        of_failures=groups.pop(_FAILURES, []),
        groups=groups,
        galleries=galleries.galleries(
            comparison, {name: fid_examples(comparison, name) for name in comparison.datasets}
        ),
        failures=tables.failures(comparison),
        n_failed=int(tables.all_trials(comparison)["outcome"].isin(FAILED).sum()),
        trials=trials,
        embedding=trial_browser.embedding(trials),
        origin=origin.origin(comparison.manifest),
        manifest_text=dump_json(comparison.manifest.to_json()),
    )
    return svg.with_shared_styles(page)


def _policy_hash(script: str) -> str:
    """The source of a Content-Security-Policy that lets this script run, and no other (W3C, CSP level 3)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _grouped(sections: Iterable[Section]) -> dict[str, list[Section]]:
    """The sections by their group, in the order in which the groups first appear."""
    groups: dict[str, list[Section]] = {}
    for section in sections:
        groups.setdefault(section.plot.group or "Figures", []).append(section)
    return groups


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gansweep.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_readable,
    )
    filters = {"fid": fid_text, "script": _script, "fragment": _fragment, "slug": slug}
    environment.filters.update(filters, text_columns=text_columns)
    return environment


def _readable(value: Any) -> Any:
    return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _fragment(text: str) -> str:
    """A filter or a name as part of an address on the page."""
    return quote(readable(text), safe="")


def _script(value: Any) -> Markup:
    """JSON that may stand inside a script element, whatever text it holds."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
