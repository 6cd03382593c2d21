"""The report as Markdown, LaTeX and CSV: what it says there, and that text stays text."""

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from pylatexenc.latexwalker import LatexWalker
from synthetic import make_study

from gansweep.errors import UserError
from gansweep.report import summary as tables
from gansweep.report import write_report
from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures.base import Cell, Plot, Table
from gansweep.report.figures.search.distribution import distribution_plot
from gansweep.report.page.documents import (
    _best_fid,
    _latex_table,
    _markdown_report,
    _markdown_table,
    write_documents,
)
from gansweep.report.page.page import _write_formats
from gansweep.report.text.escaping import latex, markdown, readable, readable_csv
from gansweep.report.text.numbers import mean_text

HOSTILE = (
    '<b>*x*|`y` $z_1^2$ \\end{tabular}\n# [a](javascript:alert(1)) {50 %} & ~ "q" \u202e\x00 https://x.y'
)
TABLE = Table(
    ("Name", HOSTILE),
    ((Cell("[a]"), Cell("1", HOSTILE, 1.0)), (Cell("* b & c"), Cell("2", value=2.0))),
)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory) -> Comparison:
    confirm = {"top": 1, "reruns": 1, "seeds": 5}
    folder = tmp_path_factory.mktemp("study")
    return read_comparison(make_study(folder, trials=9, confirm=confirm, samples=False))


@pytest.fixture(scope="module")
def hostile(comparison) -> Plot:
    plot = distribution_plot(comparison)
    texts = dict.fromkeys(("question", "takeaway", "caption", "alt"), HOSTILE)
    return dataclasses.replace(plot, **texts, group=HOSTILE, table=TABLE)


def rendered(text: str) -> str:
    """The HTML of Markdown as GitHub reads it: with tables, raw HTML and addresses that become links."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def test_the_markdown_has_the_verdict_the_summary_and_every_figure(comparison):
    plot = dataclasses.replace(distribution_plot(comparison), group="Search", table=TABLE)
    summary = tables.summary_table(comparison)
    text = _markdown_report(comparison, [plot], summary)
    page = rendered(text)
    heads = re.findall(r"<h([123])>(.*?)</h", page)
    assert [head for head in heads if head[0] != "3"] == [
        ("1", "synthetic"),
        ("2", "Verdict"),
        ("2", "Results"),
        ("2", "Search"),
    ]
    assert '<img src="figures/distribution.png"' in page
    (first, second) = re.findall(r"<table>(.*?)</table>", page, re.DOTALL)
    assert first.count("<tr>") == 1 + len(summary) and second.count("<tr>") == 3
    assert f'<td style="text-align:left">{comparison.label("vae")}</td>' in first
    lead = next(line for line in text.splitlines() if line.startswith("| Digits") and "●" in line)
    assert comparison.label(next(iter(comparison.confirmed_scores("digits")))) in lead


def test_text_in_markdown_is_only_text(comparison, hostile):
    page = rendered(_markdown_report(comparison, [hostile], tables.summary_table(comparison)))
    assert not re.search(r"<(b|i|a|script|em|code)\b", page)
    assert "&lt;b&gt;*x*|`y` $z_1^2$ \\end{tabular} # [a](javascript:alert(1))" in page
    assert page.count("<img") == 1 and page.count("<h3>") == 1
    assert readable(HOSTILE) in HOSTILE.replace("\u202e\x00", "��")
    table = rendered(_markdown_table(TABLE))
    assert [row.count("<td") + row.count("<th") for row in table.split("<tr>")[1:]] == [2, 2, 2]


@pytest.mark.parametrize(
    "start", ["# a", "- a", "+ a", "1. a", "12) a", "=== a", "    a", "> a", "| a | b |"]
)
def test_no_text_begins_a_heading_a_list_or_a_block(start):
    assert rendered(markdown(start)).startswith("<p>")
    assert re.sub(r"</?p>\n?", "", rendered(markdown(start))).replace("&gt;", ">") == start.strip()


def test_latex_tables_hold_the_numbers_and_compile(comparison, tmp_path):
    summary = tables.summary_table(comparison)
    names = write_documents(comparison, [], summary, tmp_path, ["latex"])
    assert names == {"latex": tmp_path / "tables"}
    assert {file.name for file in names["latex"].iterdir()} == {"summary.tex", "best-fid.tex"}
    for file in names["latex"].iterdir():
        check_latex(file.read_text())
    text = (tmp_path / "tables" / "best-fid.tex").read_text()
    assert text.count("$\\pm$") >= 15 and "Digits 8$\\times$8" in text


def check_latex(text: str) -> None:
    """Every row has as many columns as the head of the table says, and braces and environments close."""
    walker = LatexWalker(text, tolerant_parsing=False)
    nodes, _, _ = walker.get_latex_nodes()
    (table,) = [
        node for node in nodes if node.isNodeType(type(nodes[1])) and hasattr(node, "environmentname")
    ]
    assert table.environmentname == "tabular"
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert rows and all(len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1 for row in rows)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no LaTeX on this machine")
def test_latex_reads_the_tables(comparison, hostile, tmp_path):
    summary = tables.summary_table(comparison)
    write_documents(comparison, [hostile], summary, tmp_path, ["latex"])
    inputs = "".join(f"\\input{{tables/{file.name}}}\n\n" for file in (tmp_path / "tables").iterdir())
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "paper.tex").write_text(f"{head}{inputs}\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "paper.tex"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]


def test_text_in_latex_is_only_text():
    text = _latex_table(TABLE)
    check_latex(text)
    assert text.count("\\end{tabular}") == 1 and r"\textbackslash{}end\{tabular\}" in text
    assert latex("多 --- ¿\u202e") == "? -{}-{}- ??"
    assert r"\\" not in latex("a\\\\b\nc")


def test_the_best_fid_is_that_of_the_good_seeds(comparison):
    table = _best_fid(comparison)
    assert table.columns[1:4] == (
        "Digits 8×8, mean ± sd",
        "Digits 8×8, median [95 %]",
        "Digits 8×8, bad seeds",
    )
    mine = comparison.confirmed.query("dataset == 'digits' and variant == 'ns'")
    good = mine.loc[mine["outcome"] == "ok", "reported"]
    row = next(row for row in table.rows if row[0].text == "NS GAN")
    assert row[1].text == mean_text(good.mean(), good.std())
    assert row[1].value == pytest.approx(good.mean())
    assert row[3].text == f"{len(mine) - len(good)} of 5"
    unconfirmed = dataclasses.replace(comparison, reruns=comparison.reruns.iloc[:0])
    assert _best_fid(unconfirmed) is None


def test_no_text_of_a_csv_is_a_formula():
    table = pd.DataFrame(
        {"=x": ["=1+1", "@a", "-2", "plain"], "n": [-1.5, 2, 3, 4], "c": ["+1", None, "\t=1", ""]}
    )
    lines = readable_csv(table).splitlines()
    assert lines == ["'=x,n,c", "'=1+1,-1.5,'+1", "'@a,2.0,", "'-2,3.0,'\t=1", "plain,4.0,"]


def test_formats_are_written_as_asked(comparison, hostile):
    plot, folder = distribution_plot(comparison), comparison.folder / "report"
    assert _write_formats(comparison, [plot], ["csv"]) == folder / "data"
    assert files(folder) == {"data/distribution.csv", "data/summary.csv", "data/summary.parquet"}
    plot = dataclasses.replace(plot, table=TABLE)
    assert _write_formats(comparison, [plot], ["latex"]) == folder / "tables"
    assert {"tables/distribution.tex", "tables/summary.tex", "tables/best-fid.tex"} <= files(folder)
    assert _write_formats(comparison, [plot], ["md", "html"]) == folder / "report.md"
    assert {"report.md", "index.html", "figures/distribution.png"} <= files(folder)
    for formats, kinds in ((["pdf"], {"pdf", "png", "svg"}), (["html", "pdf"], {"pdf", "svg"})):
        first = folder / ("figures" if formats == ["pdf"] else "index.html")
        assert _write_formats(comparison, [plot], formats) == first
        assert {path.suffix[1:] for path in (folder / "figures").iterdir()} == kinds
    (folder / "figures" / "notes.txt").touch()
    other = dataclasses.replace(plot, name="other")
    _write_formats(comparison, [other], ["html"])
    assert {path.name for path in (folder / "figures").iterdir()} == {"other.svg", "notes.txt"}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_unknown_format_is_a_users_mistake(comparison):
    with pytest.raises(UserError, match="unknown format 'htm'; did you mean 'html'"):
        write_report(comparison.folder, formats=["htm"])
