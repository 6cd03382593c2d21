"""The page: what it says, that nothing in it can break out or call out, and that it works in a browser."""

import html
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import html5lib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from synthetic import make_study

from gansweep.errors import UserError
from gansweep.files import dump_json
from gansweep.report import write_report

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
browser = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Path:
    """Four variants on two data sets, one of them failing, with a report."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, variants=("mm", "ns", "wgan_gp", "vae"), datasets=2, trials=12, short=("mm",))
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def page(study) -> str:
    return (study / "report" / "index.html").read_text()


def text_of(page: str) -> str:
    """The page as a reader sees it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", page)))


def report(folder: Path, **options) -> str:
    return write_report(make_study(folder, **{"samples": False, "datasets": 1, **options})).read_text()


def check_markup(page: str) -> None:
    """The rules that every page keeps, whatever the results."""
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(page)
    collector = Elements()
    collector.feed(page)
    ids = [attributes["id"] for _, attributes in collector.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    for name, attributes in collector.seen:
        assert name != "img" or attributes["alt"]
        for link in ("src", "href"):
            target = attributes.get(link) or ""
            assert not target.startswith(("http", "//", "javascript")), target
            assert not target.startswith("#") or target[1:] in ids
    for svg in figures_of(page):
        assert re.match(r"<svg[^>]*><title id=\"[^\"]+\">[^<]+</title><desc id=\"[^\"]+\">[^<]+</desc>", svg)


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
    assert len(figures_of(page)) == 6


def test_the_page_forbids_all_network_access(page):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert not any("http" in sources or "*" in sources for sources in rules.values())
    assert not re.search(r"@import|url\((?!#)", page)


def test_the_same_results_give_the_same_bytes(study):
    files = sorted(path for path in (study / "report").rglob("*") if path.is_file())
    before = {path: path.read_bytes() for path in files}
    write_report(study)
    assert {path: path.read_bytes() for path in files} == before


def test_every_link_leads_to_a_file(study, page):
    links = {link for link in re.findall(r'href="([^"#]+)"', page)}
    assert len(links) >= 20
    for link in links:
        assert (study / "report" / link).is_file(), link


def test_the_summary_counts_what_happened(study):
    trials = pd.read_parquet(study / "trials.parquet")
    summary = pd.read_parquet(study / "report" / "data" / "summary.parquet")
    assert len(summary) == 8
    for _, line in summary.iterrows():
        cell = trials[(trials["dataset"] == line["dataset"]) & (trials["variant"] == line["variant"])]
        searched = cell[~cell["is_default"]]
        assert line["n"] == len(searched)
        for outcome in ("ok", "collapsed", "diverged", "crashed", "timeout"):
            assert line[f"n_{outcome}"] == (searched["outcome"] == outcome).sum()
        good = searched[searched["outcome"].isin(["ok", "collapsed"])]
        assert line["best_fid"] == good["fid_best"].min()
        assert line["hours"] == pytest.approx((cell["train_seconds"] + cell["eval_seconds"]).sum() / 3600)
    assert not np.isinf(summary.select_dtypes("number").to_numpy(float)).any()


def test_the_verdict_says_what_kind_of_scores_these_are(page):
    seen = text_of(page)
    assert "no winner has been confirmed on fresh seeds" in seen
    assert re.search(r"The lowest FID of the search, [\d.]+, is a trial of", seen)
    assert "MM GAN (5) finished fewer trials than the others (11)" in seen


def test_the_trial_browser_holds_every_trial(study, page):
    (data,) = re.findall(r'<script type="application/json" id="trial-data">(.*?)</script>', page, re.DOTALL)
    table = json.loads(data)
    trials = pd.read_parquet(study / "trials.parquet")
    assert [row[0] for row in table["rows"]] == list(trials["trial_id"])
    assert {"hp_lr", "hp_penalty_weight", "fid_best", "seed"} <= set(table["columns"])


def test_the_best_median_and_worst_samples_stand_beside_the_real_images(page):
    for kind in ("best", "median", "worst"):
        assert f"Grid of uncurated samples of WGAN GP on Fashion-MNIST, {kind} trial" in page
    assert page.count("<h4>Real images</h4>") == 2
    assert len(re.findall(r'<img alt="[^"]+" src="data:image/(?:webp|png);base64,', page)) == page.count(
        "<img"
    )


def test_each_variant_has_its_mark_wherever_it_is_named_in_a_table(page):
    marks = re.findall(r'<svg class="mark" aria-hidden="true"[^>]*>(<path[^>]*>)</svg>([^<]+)<', page)
    shapes = {label: {path for path, other in marks if other == label} for _, label in marks}
    assert set(shapes) == {"MM GAN", "NS GAN", "WGAN GP", "VAE"}
    assert all(len(paths) == 1 for paths in shapes.values())
    assert shapes["MM GAN"] == shapes["WGAN GP"] != shapes["NS GAN"] == shapes["VAE"]  # diamonds, circles


def test_samples_of_vectors_are_drawn(tmp_path):
    page = report(tmp_path, variants=("ns", "vae"), datasets=("ring",), trials=6, samples=True)
    assert "What do the samples look like on Ring of 8?" in text_of(page)
    assert "<img" not in page and len(figures_of(page)) == 5
    drawn = pd.read_csv(tmp_path / "report" / "data" / "samples-ring.csv", keep_default_na=False)
    assert set(drawn["variant"]) == {"", "ns", "vae"}
    real = np.load(tmp_path / "samples" / "real-ring.npy")
    shown = drawn.loc[drawn["variant"] == "", ["x0", "x1"]].to_numpy(float)
    np.testing.assert_allclose(shown, real[:500], atol=1e-4)
    check_markup(page)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"datasets": ("ring",), "metrics": ("modes", "high_quality")},
            "How many modes are covered on Ring of 8?",
        ),
        (
            {"metrics": ("polygon_f1", "polygon_precision", "polygon_recall")},
            "the manifold of polygons is learned",
        ),
        ({"metrics": ("intra_fid", "accuracy")}, "Do samples obey their labels on Digits 8×8?"),
        ({"metrics": ("isc", "kid")}, "What do other metrics say on Digits 8×8?"),
    ],
    ids=["modes", "polygons", "conditional", "further"],
)
def test_each_metric_that_was_measured_has_its_section(tmp_path, options, expected):
    page = report(tmp_path, variants=("ns", "vae"), trials=9, **options)
    assert expected in text_of(page)
    check_markup(page)
    table = next(part for part in page.split('<h2 id="') if expected in text_of(part))
    assert len(re.findall(r'<td class="l">', table)) == 2  # a line per variant
    assert ("Each row of a generated grid is a class." in text_of(page)) == ("labels" in expected)
    for other in ("modes are covered", "polygons is learned", "obey their labels", "other metrics say"):
        assert (other in text_of(page)) == (other in expected)


def test_without_samples_there_is_a_sentence(tmp_path):
    page = report(tmp_path, variants=2, trials=6)
    assert "No samples were saved for" in text_of(page)
    assert page.count("<img") == 1  # the real images
    check_markup(page)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"variants": ("ns", "vae"), "trials": 9, "empty": ("vae",)}, "VAE (0) finished fewer trials"),
        ({"variants": ("ns", "vae"), "trials": 9, "fail": ("ns", "vae")}, "measured a finite FID"),
        ({"variants": ("ns", "vae"), "trials": 9, "fail": ("vae",)}, "NS GAN is best"),
        ({"variants": ("ns",), "trials": 9}, "There is no other variant to compare it with"),
        ({"variants": ("ns",), "trials": 1}, "No curve: it takes two finished configurations"),
        ({"variants": ("ns",), "trials": 2}, "too few for any 95 % interval"),
        (
            {"variants": ("ns", "vae"), "trials": 9, "running": ("ns",)},
            "The study is unfinished: 15 of 18 planned",
        ),
        ({"variants": ("ns", "vae"), "trials": 9, "sampler": "tpe"}, "The sampler is “tpe”, not “random”"),
        ({"variants": ("ns",), "trials": 9, "git": None}, "not under version control"),
        (
            {"variants": ("ns",), "trials": 9, "git": {"commit": "f" * 40, "dirty": True}},
            "uncommitted changes",
        ),
        ({"variants": ("ns",), "trials": 9, "spaces": {"ns": {"lr": 1e-3}}}, "nothing was searched"),
    ],
    ids=[
        "empty",
        "all-failed",
        "one-failed",
        "lone",
        "single",
        "few",
        "running",
        "tpe",
        "no-git",
        "dirty",
        "fixed",
    ],
)
def test_a_report_of_unusual_results_says_so(tmp_path, options, expected):
    page = report(tmp_path, **options)
    assert expected in text_of(page)
    check_markup(page)


def test_a_study_whose_trials_all_still_run_has_a_report(tmp_path):
    folder = make_study(tmp_path, variants=("ns",), datasets=1, trials=3, running=("ns",), samples=False)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    going = [row | {"outcome": None, "failure": None} for row in rows if row["step"] == 1000]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in going))
    page = write_report(folder).read_text()
    assert "no trial has finished yet" in text_of(page)
    check_markup(page)


def test_mixed_metrics_are_named(tmp_path):
    folder = make_study(tmp_path, variants=("ns",), datasets=1, trials=6, samples=False)
    rows = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    rows[0] = rows[0].replace('"fid-digits"', '"other"')
    (folder / "rows.jsonl").write_text("".join(rows))
    assert "measured in 2 different ways (fid-digits, other)" in text_of(write_report(folder).read_text())


def test_hostile_text_is_only_text(tmp_path):
    folder = make_study(tmp_path, variants=("ns", "vae"), datasets=1, trials=9, fail=("ns",), samples=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variants"]["ns"]["label"] = HOSTILE
    manifest["question"] = 'Is <img src=x onerror="alert(2)"> & "this" safe?'
    (folder / "manifest.json").write_text(dump_json(manifest))
    message = "</script><b onclick='alert(3)'>\"quoted\" $x^2$"
    rows = (folder / "rows.jsonl").read_text().replace("RuntimeError: broken", json.dumps(message)[1:-1])
    (folder / "rows.jsonl").write_text(rows)
    page = write_report(folder).read_text()
    check_markup(page)
    elements = Elements()
    elements.feed(page)
    assert not any(name == "b" or "onerror" in attributes for name, attributes in elements.seen)
    assert page.count("<script") == 2 and HOSTILE not in page
    seen = text_of(page)
    assert HOSTILE in seen and message in seen and 'onerror="alert(2)"' in seen


def test_a_folder_without_results_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="holds no results"):
        write_report(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"collapse_above": {}}))
    with pytest.raises(UserError, match="no trial has reported yet"):
        write_report(tmp_path)


def chromium(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    flags = ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking")
    more = ("disable-component-update", "disable-sync", "hide-scrollbars", "enable-logging=stderr")
    command = [
        CHROMIUM,
        *[f"--{flag}" for flag in (*flags, *more)],
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=True, timeout=60)


def run_script(tmp_path: Path, page: str, script: str) -> tuple[dict, str]:
    """Run a script at the end of the page; return what it returns and the browser's console."""
    probe = f"<script>document.title = 'probe:' + JSON.stringify((() => {{ {script} }})());</script></body>"
    (tmp_path / "probe.html").write_text(page.replace("</body>", probe))
    done = chromium(tmp_path, "--dump-dom", (tmp_path / "probe.html").as_uri())
    (answer,) = re.findall(r"<title>probe:(.*?)</title>", done.stdout)
    return json.loads(html.unescape(answer)), "\n".join(re.findall(r".*CONSOLE.*", done.stderr))


@browser
def test_the_console_stays_silent(tmp_path, page):
    _, console = run_script(tmp_path, page, "return {}")
    assert console == ""
    _, console = run_script(tmp_path, page, "console.error('heard'); return {}")
    assert "heard" in console  # so silence means something


@browser
def test_the_policy_stops_requests(tmp_path, page):
    _, console = run_script(tmp_path, page, "new Image().src = 'http://127.0.0.1:9/x.png'; return {}")
    assert "Content Security Policy" in console


@browser
def test_sorting_filtering_theme_and_details_work(tmp_path, page):
    script = """
      const one = (selector) => document.querySelector(selector);
      const value = (cell) => cell.dataset.value ?? cell.textContent;
      const column = (table, i) => [...table.tBodies[0].rows].map((row) => value(row.cells[i]));
      const numbers = () => column(one("#summary"), 5).filter(Boolean).map(Number);
      const button = one("#summary").tHead.rows[0].cells[5].firstElementChild;
      button.click(); const up = numbers(), state = button.parentNode.ariaSort;
      button.click(); const down = numbers();
      const filter = one("#filter"), browser = one("#browser");
      const all = browser.tBodies[0].rows.length;
      filter.value = "vae digits"; filter.dispatchEvent(new Event("input"));
      const found = column(browser, 0), count = one("#count").textContent;
      browser.tHead.rows[0].cells[5].firstElementChild.click();
      const fids = column(browser, 5);
      browser.tBodies[0].rows[0].click();
      const details = one("#trial pre").textContent;
      const background = () => getComputedStyle(document.body).backgroundColor;
      const before = background(); one("#theme").click(); const after = background();
      return {up, down, state, all, found, count, fids, details, before, after};
    """
    seen, console = run_script(tmp_path, page, script)
    assert console == ""
    assert seen["up"] == sorted(seen["up"]) and len(seen["up"]) == 8
    assert seen["down"] == sorted(seen["up"], reverse=True) and seen["state"] == "ascending"
    assert seen["all"] == 84 and len(seen["found"]) == 12
    assert all(trial.startswith("digits-vae-") for trial in seen["found"])
    assert seen["count"] == "12 of 12 trials shown"
    fids = [float(fid) for fid in seen["fids"] if fid != "–"]
    assert fids == sorted(fids) and seen["fids"][: len(fids)] == [f for f in seen["fids"] if f != "–"]
    assert "lr = " in seen["details"] and "python run_study.py --study synthetic" in seen["details"]
    assert seen["before"] != seen["after"]


@browser
@pytest.mark.parametrize("width", [1100, 500])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_seen(tmp_path, study, width, scheme):
    """Chromium's windows are at least 500 pixels wide."""
    address, picture = (study / "report" / "index.html").as_uri(), tmp_path / "page.png"
    setting = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    chromium(tmp_path, f"--screenshot={picture}", f"--window-size={width},2400", setting, address)
    pixels = np.asarray(Image.open(picture).convert("L"), float)
    assert pixels.shape == (2400, width)
    assert (np.median(pixels) < 60) == (scheme == "dark")
    rows = pixels.std(axis=1) > 1
    assert rows.mean() > 0.5  # half of the page's lines hold something


@browser
def test_a_phone_scrolls_figures_and_tables_but_not_the_page(tmp_path, page):
    """In a frame as wide as a phone."""
    measure = (
        "const d = frames[0].document.documentElement; document.title = `${d.scrollWidth},${d.clientWidth}`"
    )
    frame = f'<iframe style="width:480px;height:900px" srcdoc="{html.escape(page)}"></iframe>'
    script = f"<script>onload = () => {{ {measure} }}</script>"
    (tmp_path / "phone.html").write_text(f"<!doctype html><title></title>{frame}{script}")
    done = chromium(tmp_path, "--dump-dom", (tmp_path / "phone.html").as_uri())
    answer = re.findall(r"<title>(\d+),(\d+)</title>", done.stdout)[0]
    assert int(answer[0]) <= int(answer[1]) > 400


@browser
def test_the_page_prints(tmp_path, study):
    paper = tmp_path / "page.pdf"
    chromium(tmp_path, f"--print-to-pdf={paper}", (study / "report" / "index.html").as_uri())
    content = paper.read_bytes()
    assert content.startswith(b"%PDF") and 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 20


def test_the_page_stays_small(study):
    assert (study / "report" / "index.html").stat().st_size < 1_000_000
