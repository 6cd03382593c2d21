"""The page: what it says, where its numbers lead, and that nothing in it can break out or call out."""

import base64
import dataclasses
import hashlib
import html
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import html5lib
import numpy as np
import pandas as pd
import pytest
from msgspec import structs
from synthetic import make_study

from gansweep.errors import UserError
from gansweep.files import dump_json
from gansweep.report import samples, write_report
from gansweep.report import summary as tables
from gansweep.report.comparison import Comparison, read_comparison
from gansweep.report.figures.base import Cell, Plot, Table, where
from gansweep.report.figures.metrics.vector_samples import vectors_plot
from gansweep.report.figures.search.distribution import distribution_plot
from gansweep.report.page import galleries, trial_browser
from gansweep.report.page.page import Section, _named, _render, _write_formats
from gansweep.report.page.svg import inline_svg
from gansweep.report.style import style
from gansweep.report.text.verdict import cautions

HOSTILE = "<script>alert(1)</script>"
NOTHING = pd.DataFrame()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Four variants on two data sets, with fresh seeds and samples, and a report with one figure."""
    folder = tmp_path_factory.mktemp("study")
    confirm = {"top": 1, "reruns": 1, "seeds": 4}
    names = ("mm", "ns", "wgan_gp", "vae")
    make_study(folder, variants=names, trials=12, short=("mm",), confirm=confirm, finalists=True)
    write_some(folder)
    return folder


def write_some(folder: Path) -> Path:
    """A report with one figure and one refusal in a group of its own."""
    comparison = read_comparison(folder)
    return _write_formats(
        comparison, [refusal("profile", "Result on fresh seeds"), distribution_plot(comparison)], ["html"]
    )


@pytest.fixture(scope="module")
def comparison(study) -> Comparison:
    return read_comparison(study)


@pytest.fixture(scope="module")
def page(study) -> str:
    return (study / "report" / "index.html").read_text()


def text_of(page: str) -> str:
    """The page as a reader sees it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", page)))


def page_of(comparison: Comparison) -> str:
    """A page without figures."""
    return _render(comparison, [], tables.summary_table(comparison), ["svg"])


def report(folder: Path, **options) -> str:
    return page_of(read_comparison(make_study(folder, **{"samples": False, "datasets": 1, **options})))


def browser_of(page: str) -> dict:
    (data,) = re.findall(r'<script type="application/json" id="trial-data">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


def check_markup(page: str) -> None:
    """The rules that every page keeps, whatever the results."""
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(page)
    elements = elements_of(page)
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for name, attributes in elements:
        assert name != "img" or attributes["alt"]
        for link in ("src", "href"):
            target = attributes.get(link) or ""
            assert not re.match(r"\s*(http|//|javascript)", target, re.IGNORECASE), target
            assert not target.startswith("#") or "=" in target or unquote(target[1:]) in ids
        for reference in ("aria-labelledby", "aria-describedby", "for", "data-copies"):
            assert set((attributes.get(reference) or "").split()) <= set(ids)
        assert not any(attribute.startswith("on") for attribute in attributes)
    for svg in figures_of(page):
        assert re.match(r"<svg[^>]*><title id=\"[^\"]+\">[^<]+</title><desc id=\"[^\"]+\">[^<]+</desc>", svg)


def elements_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    collector = Elements()
    collector.feed(page)
    return collector.seen


def figures_of(page: str) -> list[str]:
    """The drawings of a page; the marks before the names of variants say nothing that the names do not."""
    return [
        svg for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if 'class="mark" aria-hidden' not in svg
    ]


class Elements(HTMLParser):
    """Collects (name, attributes) of all elements."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_the_report_imports_neither_torch_nor_ray():
    heavy = {"torch", "ray", "optuna", "gansweep.variants"}
    code = f"import sys, gansweep.report; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_markup_is_sound(page):
    check_markup(page)
    assert len(figures_of(page)) == 1


def test_the_page_forbids_all_network_access(page):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert not any("http" in sources or "*" in sources for sources in rules.values())
    assert not re.search(r"@import|url\((?!#)", page)


def test_the_page_runs_its_own_script_alone(page):
    (allowed,) = re.findall(r"script-src ([^;\"]+)", page)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert allowed == f"'sha256-{digest}'"
    assert not re.search(r"<[^>]*\son\w+=", page), "a handler in the markup would not run"


def test_the_same_results_give_the_same_bytes(study):
    files = sorted(path for path in (study / "report").rglob("*") if path.is_file())
    before = {path: path.read_bytes() for path in files}
    write_some(study)
    assert {path: path.read_bytes() for path in files} == before


def test_every_link_leads_to_a_file(study, page):
    links = {html.unescape(link) for link in re.findall(r'href="([^"#]+)"', page)}
    assert len(links) == 7
    for link in links:
        assert (study / "report" / unquote(link)).is_file(), link


def test_figures_stand_in_the_order_and_under_the_groups_they_came_with(page):
    heads = re.findall(r"<h([123])[^>]*>([^<]+)", page)
    titles = [title for level, title in heads if level == "2"]
    wanted = ["Verdict", "Results", "Result on fresh seeds", "Figures", "Samples", "Failures"]
    assert titles == [*wanted, "Trials, sources, provenance"]
    (contents,) = re.findall(r'<details id="contents">(.*?)</details>', page, re.DOTALL)
    entries = re.findall(r'<a href="#([^"]+)"[^>]*>([^<]+)', contents)
    assert [text for _, text in entries if text in titles] == titles
    figures = [text for _, text in entries if text not in titles]
    assert figures[0] == "What about profile?" and figures[1].startswith("All trials: ")
    places = [page.index(f'id="{anchor}"') for anchor, _ in entries]
    assert places == sorted(places)


def test_figures_of_samples_and_failures_stand_with_them(comparison):
    plots = [refusal(name, group=group) for name, group in (("a", "Failures"), ("b", "Samples"))]
    page = _render(
        comparison, [Section(plot, "") for plot in plots], tables.summary_table(comparison), ["svg"]
    )
    sections = {part.split('"')[0]: part for part in page.split('<h2 id="')}
    assert 'id="figure-a"' in sections["failures"] and 'id="figure-b"' in sections["samples"]
    assert page.count('<h2 id="failures"') == page.count('<h2 id="samples"') == 1


def refusal(name: str, group: str = "", table: Table | None = None) -> Plot:
    return Plot(name, f"What about {name}?", "Nothing.", "", "", None, NOTHING, table, group)


def test_names_of_figures_become_file_names_and_differ():
    plots = _named([refusal(name) for name in ("a/b", "a_b", "../../etc/passwd", "x y")])
    assert [plot.name for plot in plots] == ["a_b", "a_b-2", ".._.._etc_passwd", "x_y"]


def test_the_summary_counts_what_happened(study):
    trials = pd.read_parquet(study / "trials.parquet")
    summary = pd.read_parquet(study / "report" / "data" / "summary.parquet")
    assert len(summary) == 8
    for _, line in summary.iterrows():
        cell = trials[(trials["dataset"] == line["dataset"]) & (trials["variant"] == line["variant"])]
        search, seeds = cell[cell["phase"] == "search"], cell[cell["phase"] == "confirm"]
        searched = search[~search["is_default"]]
        assert line["n"] == len(searched)
        for outcome in ("ok", "collapsed", "diverged", "crashed", "timeout"):
            assert line[f"n_{outcome}"] == (searched["outcome"] == outcome).sum()
        good = searched[searched["outcome"].isin(["ok", "collapsed"])]
        assert line["best_fid"] == good["fid_best"].min()
        assert line["hours"] == pytest.approx((search["train_seconds"] + search["eval_seconds"]).sum() / 3600)
        assert line["seeds"] == len(seeds) == 4 and line["seeds_bad"] == (seeds["outcome"] != "ok").sum()
        if line["seeds_bad"] == 0:
            assert line["seeds_median"] == pytest.approx(np.median(seeds["fid_reported"]))
    assert not np.isinf(summary.select_dtypes("number").to_numpy(float)).any()


def test_every_number_of_the_summary_leads_to_trials(comparison):
    table = tables.summary_cells(comparison, tables.summary_table(comparison))
    place = {name: i for i, name in enumerate(table.columns)}
    line = next(row for row in table.rows if row[0].text == "Fashion-MNIST" and row[1].text == "VAE")
    assert line[place["Best FID"]].trials.startswith("trial_id:fashion-vae-")
    assert line[place["Default FID"]].trials == "dataset:fashion variant:vae phase:search is_default:true"
    seeds = line[place["Median FID of fresh seeds [95 %]"]].trials
    assert seeds == "dataset:fashion variant:vae phase:confirm status:completed status:failed"
    numbers = [cell for row in table.rows for cell in row[3:] if cell.text != "–"]
    assert all(cell.trials for cell in numbers)


def test_a_filter_keeps_values_apart_whatever_they_hold():
    assert where(dataset='a b" variant:x') == 'dataset:"a b\\" variant:x"'
    assert where(dataset="") == 'dataset:""'


def test_the_verdict_says_what_kind_of_scores_these_are(page):
    seen = text_of(page)
    assert "FIDs of fresh seeds are not selected among configurations" in seen
    assert re.search(r"The lowest FID of the search, [\d.]+, is a trial of", seen)
    assert "MM GAN (5) finished fewer trials than the others (11)" in seen


def test_missing_seeds_are_named(comparison):
    lost = comparison.reruns.query("dataset == 'digits' and variant == 'vae'").index[:2]
    fewer = dataclasses.replace(comparison, reruns=comparison.reruns.drop(lost))
    assert "Digits 8×8: VAE (2) finished fewer fresh seeds than the 4 requested." in cautions(fewer)


def test_the_trial_browser_holds_every_trial_of_every_phase(study, page):
    table = browser_of(page)
    trials = pd.read_parquet(study / "trials.parquet")
    assert {row[0] for row in table["rows"]} == set(trials["trial_id"]) and not table["left_out"]
    phase = table["columns"].index("phase")
    assert sum(row[phase] == "confirm" for row in table["rows"]) == 8 * 4
    shown = {"hp_lr", "hp_penalty_weight", "fid_best", "variant", "phase"}
    assert shown <= set(table["columns"][: table["shown"]])
    headings = dict(zip(table["columns"], table["headings"], strict=True))
    assert (headings["hp_lr"], headings["fid_best"], headings["seed"]) == ("lr", "Best FID", "Seed")
    files = {row[table["columns"].index("sample_path")] for row in table["rows"]} - {None}
    assert files and all((study / file).is_file() for file in files)
    assert {row[table["columns"].index("log_path")] for row in table["rows"]} == {None}  # there are no logs


def test_of_very_many_trials_the_page_holds_those_that_matter(comparison):
    copies = [comparison.trials.assign(trial_id=comparison.trials["trial_id"] + f"-{i}") for i in range(80)]
    large = dataclasses.replace(comparison, trials=pd.concat(copies, ignore_index=True))
    large.trials["is_default"] &= large.trials["trial_id"].str.endswith("-0")
    everything = tables.all_trials(large)
    kept = trial_browser._embedded(large, everything)
    assert 4_900 < len(kept) <= trial_browser._MAX_TRIALS < len(everything)
    assert set(large.reruns["trial_id"]) <= set(kept["trial_id"])
    assert kept["is_default"].sum() == large.trials["is_default"].sum() > 0
    for _, cell in everything[everything["phase"] == "search"].groupby(["dataset", "variant"]):
        best = cell[np.isfinite(cell["score"])].nsmallest(100, "score")["score"]
        here = kept[kept["trial_id"].isin(cell["trial_id"])]["score"]
        assert (np.sort(here)[: len(best)] == np.sort(best)).all()
    table = trial_browser.trial_browser(large)
    assert len(table["rows"]) == len(kept)
    assert f"This page holds {len(kept):,} of {len(everything):,} trials" in trial_browser.embedding(table)


def test_samples_are_those_of_the_best_median_and_worst_seed_or_trial(study, page):
    for kind in ("best seed", "median seed", "worst seed"):
        assert f"Grid of uncurated samples of WGAN GP on Fashion-MNIST, {kind}" in page
    comparison = read_comparison(study)
    searched = dataclasses.replace(comparison, reruns=comparison.reruns.iloc[:0])
    shown = galleries.galleries(searched, {name: [] for name in comparison.datasets})
    titles = {grid.title for _, grids in shown[1].groups for grid in grids}
    assert {"best trial", "median trial", "worst trial"} < titles and "best seed" not in titles
    assert "Samples of VAE on Digits 8×8, a sample in each row, then the training images nearest" in page
    pictures = re.findall(r'<img alt="[^"]+" src="data:image/(?:webp|png);base64,', page)
    assert len(pictures) == page.count("<img")


def test_examples_show_what_an_fid_looks_like(page):
    (first, _) = re.findall(r'<div class="examples">(.*?)</div>', page, re.DOTALL)
    fids = [float(fid) for fid in re.findall(r">FID ([\d.]+)<", first)]
    assert len(fids) >= 3 and fids == sorted(fids)
    assert first.index("Grid of real images") < first.index("FID")


def test_only_files_of_the_study_are_read(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder = tmp_path / "study"
    (folder / "samples").mkdir(parents=True)
    (folder / "samples" / "own.png").write_bytes(b"own")
    assert samples.own_file(folder, "samples/own.png") == folder / "samples" / "own.png"
    paths = (str(tmp_path / "secret.png"), "../secret.png", "samples/../../secret.png", "samples", "a\0b", "")
    assert [samples.own_file(folder, path) for path in (*paths, None, "x" * 5000)] == [None] * 8


def test_each_variant_has_its_mark_wherever_it_is_named_in_a_table(page):
    marks = re.findall(
        r'<svg class="mark" aria-hidden="true"[^>]*>(<path[^>]*>)</svg>(?:<a[^>]*>)?([^<]+)<', page
    )
    shapes = {label: {path for path, other in marks if other == label} for _, label in marks}
    assert set(shapes) == {"MM GAN", "NS GAN", "WGAN GP", "VAE"}
    assert all(len(paths) == 1 for paths in shapes.values())
    assert shapes["MM GAN"] == shapes["WGAN GP"] != shapes["NS GAN"] == shapes["VAE"]  # diamonds, circles


def test_tables_have_captions_and_heads_of_columns_and_rows(page):
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    found = [table for table in tree.iter("table") if table.get("id") != "browser"]  # filled by the script
    assert len(found) == 4  # results of two data sets, failures, objectives
    for table in found:
        assert table.find("caption").text
        assert all(head.get("scope") == "col" for head in table.find("thead").iter("th"))
        for row in table.find("tbody").iter("tr"):
            assert row[0].tag == "th" and row[0].get("scope") == "row"


def test_a_column_of_words_stands_to_the_left(comparison):
    words = Table(("Name", "Score", "Why"), ((Cell("a"), Cell("2", value=2), Cell("because")),))
    sections = [Section(refusal("x", table=words), "")]
    page = _render(comparison, sections, tables.summary_table(comparison), ["svg"])
    heads = re.findall(r'<th scope="col"( class="l")?><button type="button">(Name|Score|Why)<', page)
    assert heads == [(' class="l"', "Name"), ("", "Score"), (' class="l"', "Why")]


def test_samples_of_vectors_are_drawn(tmp_path):
    folder = make_study(tmp_path, variants=("ns",), datasets=("ring",), trials=6)
    comparison = read_comparison(folder)
    plot = dataclasses.replace(vectors_plot(comparison, "ring"), group="Samples")
    page = _write_formats(comparison, [plot], ["html"]).read_text()
    assert "Samples on Ring of 8: best, median and worst of each variant" in text_of(page)
    assert "<img" not in page and page.index('id="samples"') < page.index('id="figure-samples-ring"')
    drawn = pd.read_csv(tmp_path / "report" / "data" / "samples-ring.csv", keep_default_na=False)
    assert set(drawn["variant"]) == {"", "ns"}
    real = np.load(tmp_path / "samples" / "real-ring.npy")
    shown = drawn.loc[drawn["variant"] == "", ["x0", "x1"]].to_numpy(float)
    np.testing.assert_allclose(shown, real[:500], atol=1e-4)
    check_markup(page)
    links = {html.unescape(link) for link in re.findall(r'href="([^"#]+)"', page)}
    assert all((tmp_path / "report" / unquote(link)).is_file() for link in links)


def test_without_samples_there_is_a_sentence(tmp_path):
    page = report(tmp_path, variants=2, trials=6)
    assert "No samples were saved for" in text_of(page)
    assert page.count("<img") == 1  # the real images
    check_markup(page)


def test_conditional_samples_are_explained(tmp_path):
    page = report(tmp_path, variants=("ns",), trials=6, metrics=("intra_fid", "accuracy"))
    assert "Each row of a generated grid is a class." in text_of(page)


UNUSUAL = {
    "empty": ({"variants": ("ns", "vae"), "empty": ("vae",)}, "VAE (0) finished fewer trials"),
    "all-failed": ({"variants": ("ns", "vae"), "fail": ("ns", "vae")}, "measured a finite FID"),
    "one-failed": ({"variants": ("ns", "vae"), "fail": ("vae",)}, "NS GAN is best"),
    "lone": ({"variants": ("ns",)}, "The study has no other variant to compare"),
    "single": ({"variants": ("ns",), "trials": 1}, "0 finished search trials, 1 default configuration and"),
    "few": ({"variants": ("ns",), "trials": 2}, "too few for any 95 % interval"),
    "running": ({"variants": ("ns", "vae"), "running": ("ns",)}, "The study is unfinished: 15 of 18 planned"),
    "tpe": ({"variants": ("ns", "vae"), "sampler": "tpe"}, "The sampler is “tpe”, not “random”"),
    "no-git": ({"variants": ("ns",), "git": None}, "not under version control"),
    "dirty": ({"variants": ("ns",), "git": {"commit": "f" * 40, "dirty": True}}, "uncommitted changes"),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_a_page_of_unusual_results_says_so(tmp_path, kind):
    options, expected = UNUSUAL[kind]
    page = report(tmp_path, **{"trials": 9, **options})
    assert expected in text_of(page)
    check_markup(page)


@pytest.mark.slow
@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_results_have_all_figures_or_the_reason_why_not(tmp_path, kind):
    folder = make_study(tmp_path, **{"trials": 9, "datasets": 1, "samples": False, **UNUSUAL[kind][0]})
    check_markup(write_report(folder).read_text())


def test_a_study_whose_trials_all_still_run_has_a_report(tmp_path):
    folder = make_study(tmp_path, variants=("ns",), datasets=1, trials=3, running=("ns",), samples=False)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    going = [row | {"outcome": None, "failure": None} for row in rows if row["step"] == 1000]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in going))
    page = page_of(read_comparison(folder))
    assert "no trial has finished yet" in text_of(page)
    check_markup(page)


def test_two_floors_of_one_data_set_are_told_apart(tmp_path):
    study = read_comparison(make_study(tmp_path, variants=("ns",), datasets=1, trials=3, samples=False))
    floors = {"fid": 0.2, "test_fid": 0.243}
    metrics = {name: structs.replace(m, floor=floors) for name, m in study.manifest.metrics.items()}
    both = dataclasses.replace(study, manifest=structs.replace(study.manifest, metrics=metrics))
    said = "score 0.20 against the validation images and 0.24 against the test images, which are others"
    assert said in text_of(page_of(both)) and "against the validation images" not in text_of(page_of(study))


def test_mixed_metrics_are_named(tmp_path):
    folder = make_study(tmp_path, variants=("ns",), datasets=1, trials=6, samples=False)
    rows = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    rows[0] = rows[0].replace('"fid-digits"', '"other"')
    (folder / "rows.jsonl").write_text("".join(rows))
    page = page_of(read_comparison(folder))
    assert "measured in 2 different ways (fid-digits, other)" in text_of(page)


def test_failures_lead_to_their_trials(tmp_path):
    page = report(tmp_path, variants=("ns",), trials=9, fail=("ns",))
    (row,) = re.findall(
        r"<tr[^>]*><th[^>]*>Digits 8×8</th>(.*?)</tr>", page.split('id="failures"')[1], re.DOTALL
    )
    assert [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row)][:4] == [
        "NS GAN",
        "exception",
        "9",
        "9",
    ]
    assert "RuntimeError: broken" in row
    assert "#trials=trial_id%3Adigits-ns-000" in row


def test_hostile_text_is_only_text(tmp_path):
    folder = make_study(tmp_path, variants=("ns", "vae"), datasets=1, trials=9, fail=("ns",), samples=False)
    dataset = 'folder:/a b/"><i>\u202e'
    message = "</script><b onclick='alert(3)'>\x00\x1b[31m \"quoted\" $x^2$"
    swaps = {
        '"digits"': json.dumps(dataset),
        '"beta1"': json.dumps('be"ta<1>'),
        '"batch"': json.dumps("javascript:alert(4)"),
        "RuntimeError: broken": json.dumps(message + "\nsecond line")[1:-1],
        "logs/digits-ns-000.log": "../../../etc/passwd",
    }
    for file in ("manifest.json", "rows.jsonl"):
        text = (folder / file).read_text()
        for old, new in swaps.items():
            text = text.replace(old, new)
        (folder / file).write_text(text)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variants"]["ns"]["label"] = HOSTILE
    manifest["question"] = 'Is <img src=x onerror="alert(2)"> & "this" safe?'
    (folder / "manifest.json").write_text(dump_json(manifest))
    comparison = read_comparison(folder)
    plot = dataclasses.replace(distribution_plot(comparison), name=dataset, group=HOSTILE)
    page = _write_formats(comparison, [plot], ["html"]).read_text()
    check_markup(page)
    elements = elements_of(page)
    assert not any(name in ("b", "i") for name, _ in elements)
    assert page.count("<script") == 2 and HOSTILE not in page
    assert not re.search("[\x00\x1b\u202e]", page)
    seen = text_of(page)
    assert HOSTILE in seen and 'onerror="alert(2)"' in seen
    assert "</script><b onclick='alert(3)'>��[31m" in seen
    assert "second line" not in page
    table = browser_of(page)
    assert 'hp_be"ta<1>' in table["columns"] and table["rows"][0][
        table["columns"].index("dataset")
    ] == dataset.replace("\u202e", "�")
    assert {path.parent.name for path in (folder / "report").rglob("*.*")} == {"report", "figures", "data"}


def test_a_folder_without_results_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="holds no results"):
        write_report(tmp_path)
    with pytest.raises(UserError, match="got none"):
        write_report(tmp_path, formats=())
    with pytest.raises(UserError, match="no trial has reported yet"):
        write_report(make_study(tmp_path, 1, 1, empty=("mm",)))


def test_text_stands_out_from_what_is_behind_it(page):
    """WCAG 2.2, 1.4.3: 4.5:1, in the light and in the dark theme."""
    blocks = re.findall(r"\{([^{}]*--bg:[^{}]*)\}", page)
    light, dark, *_ = [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in blocks]
    inks = [name for name in light if name.startswith("l-")] + ["ink", "mute", "link"]
    assert len(inks) == 9 and dark["bg"] != light["bg"]
    pairs = [(ink, paper) for ink in inks for paper in ("bg", "card")]
    pairs += [(ink, paper) for ink in ("ink", "mute", "link") for paper in ("good", "band")]
    for theme in (light, dark):
        for ink, paper in pairs:
            assert contrast(theme[ink], theme[paper]) >= 4.5, (ink, paper, theme[ink], theme[paper])
    assert contrast("#fff", "#000000") == pytest.approx(21)


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    channels = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_nothing_moves(page):
    """So whoever asks the system for less motion gets it."""
    (sheet,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert not re.search(r"transition|animation|scroll-behavior", sheet)


def test_thousands_of_marks_stay_where_they_are_and_take_little_room():
    file = io.StringIO()
    with style.house_style():
        figure = style.new_figure(2)
        points = np.random.default_rng(0).uniform(0, 1, (2000, 2))
        figure.subplots().plot(*points.T, linestyle="", marker="o", markersize=2)
        figure.savefig(file, format="svg")
    small = inline_svg(file.getvalue(), "dots", "Dots", "Dots")
    assert len(small) < len(file.getvalue()) / 5
    before = re.findall(r'<use xlink:href="#(\w+)" x="([^"]+)" y="([^"]+)"', file.getvalue())
    names = [name for name, _, _ in before]
    dots = [(x, y) for name, x, y in before if name == max(set(names), key=names.count)]
    corners = max(re.findall(r'd="M([^"]+)" fill="none" marker-start', small), key=len).split()
    after = np.array(corners, float).reshape(-1, 2)
    np.testing.assert_allclose(after, np.array(dots, float), atol=0.06)


def test_the_page_stays_small(study):
    assert (study / "report" / "index.html").stat().st_size < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("trials", "megabytes"), [(63, 3), (625, 6)])
def test_large_studies_have_pages_that_open(tmp_path, trials, megabytes):
    """1,008 and 10,000 trials."""
    folder = make_study(tmp_path, trials=trials, samples=False)
    assert write_report(folder).stat().st_size < megabytes * 1_000_000
