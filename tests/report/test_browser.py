"""The page in a real browser: what its reader can see, reach and do."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pypdf
import pytest
from devtools import CHROMIUM, Tab, tab
from PIL import Image
from synthetic import make_study

from gansweep.files import dump_json
from gansweep.report.comparison import read_comparison
from gansweep.report.figures.search.budget import budget_plot
from gansweep.report.figures.search.distribution import distribution_plot
from gansweep.report.page.page import _write_formats

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")
DATASET = 'folder:/a b/"><img src=x onerror=hacked=1>'
ONE = "const one = (selector) => document.querySelector(selector);"
SETTLED = "await new Promise((done) => setTimeout(done, 60));"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with tab(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Eight variants on two data sets, of which one has a hostile name, as has a variant."""
    folder = tmp_path_factory.mktemp("study")
    confirm = {"top": 1, "reruns": 1, "seeds": 3}
    make_study(folder, trials=10, confirm=confirm, running=("vae",))
    for file in (folder / "manifest.json", folder / "rows.jsonl"):
        file.write_text(file.read_text().replace('"fashion"', json.dumps(DATASET)))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variants"]["mm"]["label"] = "</script><script>hacked=1</script>"
    manifest["study"] = "it's; hacked"
    (folder / "manifest.json").write_text(dump_json(manifest))
    (folder / "logs").mkdir()
    (folder / "logs" / "digits-ns-001.log").write_text("one line")
    comparison = read_comparison(folder)
    budgets = [
        dataclasses.replace(budget_plot(comparison, name), dataset=name, group="Search")
        for name in comparison.datasets
    ]
    return _write_formats(comparison, [distribution_plot(comparison), *budgets], ["html"])


@pytest.fixture
def reader(chromium, page) -> Tab:
    """The page, newly opened."""
    chromium.console.clear()
    chromium.open(page)
    return chromium


def test_the_console_stays_silent_and_no_text_is_run(reader):
    assert reader.run("return [typeof hacked, document.querySelectorAll('img[src=x]').length]") == [
        "undefined",
        0,
    ]
    assert reader.console == []
    reader.run("console.error('heard')")
    assert reader.console == ["heard"]  # so silence means something


def test_the_policy_stops_requests(reader):
    reader.run(f"new Image().src = 'http://127.0.0.1:9/x.png'; {SETTLED}")
    assert "Content Security Policy" in "".join(reader.console)


def test_tables_sort_by_number_and_say_so(reader):
    seen = reader.run(
        """const table = document.querySelector("#summary-digits");
        const place = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === "Best FID");
        const button = table.tHead.rows[0].cells[place].firstElementChild;
        const values = () => [...table.tBodies[0].rows].map((row) => row.cells[place].dataset.value);
        const state = () => button.parentNode.getAttribute("aria-sort");
        button.click(); const up = values(), first = state();
        button.click(); return [up, values(), first, state()];"""
    )
    up, down = ([float(value) for value in values if value] for values in seen[:2])
    assert up == sorted(up) and down == sorted(up, reverse=True) and len(up) == 8
    assert seen[2:] == ["ascending", "descending"]


def test_every_counted_cell_leads_to_as_many_trials(reader):
    """The number that a cell shows is the number of trials that its link finds."""
    seen = reader.run(
        f"""{ONE}
        const found = [];
        for (const table of document.querySelectorAll("[id^=summary-]"))
        for (const name of ["Trials", "Collapsed", "Bad seeds", "Running"])
          for (const row of table.tBodies[0].rows) {{
            const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
            const link = row.cells[heads.indexOf(name)].querySelector("a");
            link.click();
            dispatchEvent(new HashChangeEvent("hashchange"));
            found.push([parseInt(link.textContent), parseInt(one("#count").textContent)]);
          }}
        return found;"""
    )
    assert len(seen) == 64 and all(shown == found for shown, found in seen)
    assert {1, 9} <= {shown for shown, _ in seen}


def test_a_number_leads_to_its_trials_by_keyboard(reader):
    reader.run(
        """const table = document.querySelector("#summary-digits"), rows = [...table.tBodies[0].rows];
        const heads = [...table.tHead.rows[0].cells].map((c) => c.textContent);
        const row = rows.find((line) => line.textContent.includes("WGAN GP"));
        row.cells[heads.indexOf("Best FID")].querySelector("a").focus();"""
    )
    reader.press("Enter")
    seen = reader.run(
        f"""{SETTLED} {ONE}
        return {{count: one("#count").textContent, command: one("#trial-command").textContent,
                 focus: document.activeElement.id, top: one("#trials").getBoundingClientRect().top,
                 configuration: one("#trial-configuration").textContent}};"""
    )
    assert seen["count"].startswith("1 of ")
    assert re.fullmatch(r"""gansweep reproduce 'it'"'"'s; hacked/digits-wgan_gp-\d+'""", seen["command"])
    assert seen["focus"] == "trials" and 0 <= seen["top"] < 800  # in view
    assert "penalty_weight" in seen["configuration"]


def test_the_filter_knows_words_columns_and_bounds(reader, page):
    trials = pd.read_parquet(page.parents[1] / "trials.parquet")
    rows = pd.read_csv(page.parents[1] / "trials.csv")
    assert len(rows) == len(trials)

    def count(text: str) -> int:
        script = f"""{ONE} one("#filter").value = {json.dumps(text)};
        one("#filter").dispatchEvent(new Event("input"));
        return parseInt(one("#count").textContent);"""
        return reader.run(script)

    ns = trials["variant"] == "ns"
    assert count("") == len(trials)
    assert count("variant:ns phase:confirm") == (ns & (trials["phase"] == "confirm")).sum() == 6
    failed = trials["outcome"].isin(["diverged", "timeout"])
    assert count("outcome:diverged outcome:timeout") == failed.sum() > 0
    assert count("fid_best<20 variant:ns") == (ns & (trials["fid_best"] < 20)).sum() > 0
    assert count("lr>1e-3") == (trials["hp_lr"] > 1e-3).sum() > 0
    fives = (trials["hp_n_critic"] == 5).sum()
    assert count("n_critic:5") == count("hp_n_critic:5.0") == fives > 0  # a number, however it is written
    assert count(f"dataset:{json.dumps(DATASET)}") == (trials["dataset"] != "digits").sum()
    assert (
        count("WGAN gp diverged")
        == ((trials["variant"] == "wgan_gp") & (trials["outcome"] == "diverged")).sum()
    )
    assert count("variant:n") == count('dataset:"open') == 0
    assert reader.console == []


def test_an_address_selects_a_trial(chromium, page):
    chromium.console.clear()
    chromium.open(page, fragment="#trial=digits-ns-001")
    seen = chromium.run(
        f"""{ONE}
        const links = [...one("#trial-files").children].map((link) => link.getAttribute("href"));
        const lines = one("#browser").tBodies[0].rows.length;
        return [one("#trial-title").textContent, links[0], links.at(-2), lines];"""
    )
    assert seen[0] == "NS GAN on Digits 8×8: trial digits-ns-001"
    assert seen[3] == 1 and seen[2] == "../logs/digits-ns-001.log"
    assert (page.parent / seen[2]).is_file() and (page.parent / seen[1]).is_file()
    chromium.open(page, fragment="#trial=%E0%A4%A")  # no text in UTF-8
    assert chromium.run(f"{ONE} return one('#trial').hidden") and chromium.console == []


def test_trials_are_chosen_by_keyboard(reader):
    reader.run(
        """document.querySelector('#browser').closest('details').open = true;
        document.querySelector('#browser tbody tr').focus();"""
    )
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "Enter"):
        reader.press(key)
    look = f"""{ONE} const rows = [...one("#browser").tBodies[0].rows];
        return [rows.findIndex((row) => row.getAttribute("aria-selected") === "true"),
          rows.indexOf(document.activeElement), rows.filter((row) => row.tabIndex === 0).length,
          one("#trial-command").textContent.includes("/" + rows[1].cells[0].textContent),
          decodeURIComponent(location.hash), getComputedStyle(document.activeElement).outlineStyle];"""
    selected, focused, stops, told, address, outline = reader.run(look)
    assert (selected, focused, stops, told, outline) == (1, 1, 1, True, "solid")
    assert re.fullmatch(r"#trial=digits-\w+-001", address)
    reader.press("End")
    reader.press(" ")
    assert reader.run(look)[:2] == [99, 99]


def test_tab_reaches_the_skip_link_first_and_then_the_contents(reader):
    reader.press("Tab")
    assert reader.run("return document.activeElement.className") == "skip"
    reader.press("Enter")
    assert reader.run("return location.hash") == "#verdict"
    reader.press("Tab")
    assert reader.run("return document.activeElement.closest('.first') !== null")  # what the verdict shows


def test_a_variant_chosen_once_stands_out_everywhere(reader):
    state = """const of = (name) => [...document.querySelectorAll(`[data-variant="${name}"]`)];
        const stands = (each) => each.classList.contains("on");
        return [document.documentElement.classList.contains("chosen"), of("ns").every(stands),
          of("wgan").some(stands), of("ns").filter((each) => each.closest("svg")).length,
          of("ns").filter((each) => each.closest("table")).length];"""
    press = "document.querySelector('tr[data-variant=ns] .pick').click();"
    assert reader.run(press + state)[:3] == [True, True, False]
    assert min(reader.run(state)[3:]) >= 3  # in figures and in tables
    assert reader.run(press + state)[:3] == [False, False, False]
    reader.run(press)
    reader.press("Escape")
    assert reader.run(state)[0] is False
    assert reader.console == []


def test_values_are_read_by_pointer_and_by_keys(reader):
    said = "const tip = document.querySelector('#tip'); return tip.hidden ? '' : tip.textContent;"
    assert reader.run(said) == ""
    reader.run("document.querySelector('.plot .value').closest('details').open = true")
    reader.point(".plot .value[data-variant=ns]")
    assert re.fullmatch(r"NS GAN: (best|median) [\d.]+", reader.run(said))
    reader.run("document.querySelectorAll('.plot')[0].focus()")
    reader.press("ArrowRight")
    first = reader.run(said)
    reader.press("ArrowRight")
    assert first and reader.run(said) not in ("", first)
    reader.run("document.activeElement.blur()")
    assert reader.run(said) == ""


def test_samples_are_enlarged(reader):
    reader.run("document.querySelector('.tiles .zoom').focus()")
    reader.press("Enter")
    small, large, is_open = reader.run(
        """const images = ['.tiles img', '#zoomed img'].map((each) => document.querySelector(each));
        return [...images.map((image) => image.width), document.querySelector("#zoomed").open];"""
    )
    assert is_open and large > 2 * small
    reader.press("Escape")
    assert not reader.run("return document.querySelector('#zoomed').open")


def test_tabs_show_one_data_set_and_links_the_one_they_need(reader):
    shown = """return [...document.querySelectorAll("[id^=summary-]")].map(
        (table) => table.offsetParent !== null);"""
    assert reader.run(shown) == [True, False]
    reader.run("document.querySelectorAll('#tabs button')[1].click()")
    assert reader.run(shown) == [False, True]
    seen = reader.run(
        f"""location.hash = "#figure-budget-digits"; {SETTLED}
        const target = document.querySelector("#figure-budget-digits"), fold = target.closest("details");
        return [target.offsetParent !== null, fold.open, target.getBoundingClientRect().top];"""
    )
    assert seen[:2] == [True, True] and 0 <= seen[2] < 900
    assert reader.run(shown) == [True, False]


def test_a_fold_opens_by_keyboard(reader):
    state = "const fold = document.querySelector('#reading').closest('details'); return fold.open"
    assert reader.run(state) is False
    reader.run("document.querySelector('#reading').closest('details').firstElementChild.focus()")
    reader.press("Enter")
    assert reader.run(state) is True


def test_the_columns_of_the_trials_are_chosen(reader):
    heads = "return [...document.querySelectorAll('#browser th')].map((head) => head.textContent)"
    assert reader.run(heads)[:6] == ["Trial", "Variant", "Data set", "Phase", "Outcome", "Best FID"]
    toggle = """for (const choice of document.querySelectorAll("#columns label"))
        if (["Seed", "Phase"].includes(choice.textContent.trim())) choice.firstElementChild.click();"""
    reader.run(toggle)
    after = reader.run(heads)
    assert "Seed" in after and "Phase" not in after
    place = after.index("Variant")
    names = reader.run(f"return document.querySelector('#browser tbody tr').cells[{place}].textContent")
    assert names == "WGAN GP" or names.endswith("GAN") or "script" in names or names == "VAE"


def test_commands_are_copied_or_selected(reader):
    answers = reader.run(
        f"""{ONE}
        one("#command").closest("details").open = true;
        const said = one("#command").parentNode.querySelector("[role=status]"), texts = [];
        for (const clipboard of [{{writeText: (text) => {{ texts.push(text); return Promise.resolve(); }}}},
                                 {{writeText: () => Promise.reject()}}, undefined]) {{
          Object.defineProperty(navigator, "clipboard", {{value: clipboard, configurable: true}});
          getSelection().removeAllRanges();
          one("#command").nextElementSibling.click();
          {SETTLED}
          texts.push(said.textContent, getSelection().toString());
        }}
        return texts;"""
    )
    command = "python run_study.py --study synthetic"
    selected = ["Selected: press Ctrl+C or ⌘C", command]
    assert answers == [command, "Copied", "", *selected, *selected]


def test_the_theme_follows_the_system_until_the_button_is_used(chromium, page, tmp_path):
    shades = {}
    for dark in (False, True):
        chromium.open(page, dark=dark)
        for state in ("before", "after"):
            picture = tmp_path / f"{dark}-{state}.png"
            chromium.picture(picture)
            shades[dark, state] = np.median(np.asarray(Image.open(picture).convert("L"), float))
            chromium.run("document.querySelector('#theme').click()")
    assert shades[False, "before"] == shades[True, "after"] > 240
    assert shades[True, "before"] == shades[False, "after"] < 40


@pytest.mark.parametrize("width", [320, 480, 1100, 1400])
def test_figures_and_tables_scroll_but_not_the_page(chromium, page, width):
    chromium.open(page, width=width)
    chromium.run("document.querySelector('#contents').open = true; location.hash = '#trials=variant:mm';")
    scroll, client = chromium.run("const d = document.documentElement; return [d.scrollWidth, d.clientWidth]")
    assert scroll == client == width
    outside = chromium.run(
        f"""const parts = [...document.querySelectorAll("h1, h2, h3, p, dl, nav, .verdict, figure, .wide")];
        const wide = parts.filter((e) => e.getBoundingClientRect().right > {width} + 0.5);
        return wide.map((e) => e.outerHTML.slice(0, 80));"""
    )
    assert outside == []


def test_the_contents_stay_in_view_and_name_where_one_is(chromium, page):
    for width in (480, 1400):
        chromium.open(page, width=width)
        seen = chromium.run(
            f"""document.querySelector("#results").scrollIntoView(); {SETTLED}
            const box = document.querySelector("nav").getBoundingClientRect();
            return [document.querySelector("#contents").open, box.top,
              document.querySelector("#contents [aria-current]").textContent,
              document.querySelector("#here").textContent, box.height];"""
        )
        assert seen[:4] == [width == 1400, pytest.approx(0, abs=1), "Results", "Results"]
        assert width == 1400 or seen[4] < 70


def test_without_scripts_all_but_the_browser_reads(chromium, page):
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    chromium.open(page)
    chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    text = chromium.run(
        "for (const fold of document.querySelectorAll('main details')) fold.open = true;"
        "return document.querySelector('noscript').innerText + document.body.innerText"
    )
    assert "The table of all trials needs JavaScript" in text and "Verdict" in text and "Copy" not in text


def test_the_page_prints_on_paper(reader, tmp_path):
    reader.paper(tmp_path / "page.pdf")
    paper = pypdf.PdfReader(tmp_path / "page.pdf")
    assert 4 <= len(paper.pages) <= 18
    assert {tuple(round(float(edge)) for edge in sheet.mediabox) for sheet in paper.pages} == {
        (0, 0, 595, 842)
    }
    text = " ".join(" ".join(sheet.extract_text() for sheet in paper.pages).split())
    for wanted in ("Verdict", "Collapsed", "Deviations from it", "A budget k means"):
        assert wanted in text
    for unwanted in ("to filter and to train again", "Light / dark", "Contents", "Show 100 more"):
        assert unwanted not in text


def test_no_table_or_figure_is_wider_than_paper(chromium, page):
    """On A4 with margins of 14 mm there are 182 mm, 688 CSS pixels."""
    chromium.open(page, width=688)
    chromium.call("Emulation.setEmulatedMedia", media="print")
    wide = chromium.run(
        """const parts = [...document.querySelectorAll("table, svg, img, pre, p, dl")];
        const wide = parts.filter((e) => e.getBoundingClientRect().right > 688.5);
        return wide.map((e) => e.outerHTML.slice(0, 80));"""
    )
    chromium.call("Emulation.setEmulatedMedia", media="")
    assert wide == []
