"""The finished pages in a real browser: what stands where, at three widths, and that nothing is cut."""

import re
import shutil
from pathlib import Path

import pytest
import synthetic
from devtools import CHROMIUM, Tab, tab
from synthetic import make_study

from gansweep.report import write_report
from gansweep.report.style.style import COLORS, SHAPES

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")
EXAMPLES = Path(__file__).parents[2] / "results" / "examples"
PAGES = {path.parents[1].name: path for path in sorted(EXAMPLES.glob("*/report/index.html"))}
HUES, MARKERS = tuple(COLORS), tuple(SHAPES)
WIDTHS = (1400, 768, 480)
SCREEN = 900  # pixels
UNFOLDED = """
for (const fold of document.querySelectorAll("main details")) fold.open = true;
for (const part of document.querySelectorAll("[data-set]")) part.style.display = "";
"""
FOUND = (
    UNFOLDED
    + """
const found = [];
for (const svg of document.querySelectorAll(".plot > svg")) {
  const name = svg.querySelector("title").textContent, frame = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim())
    .map((text) => [text.textContent, text.getBoundingClientRect()]);
  for (const [text, box] of boxes)
    if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
        box.bottom > frame.bottom + 1) found.push(`${name}: ${text} leaves the figure`);
  boxes.forEach(([text, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1 && down > 0.35 * Math.min(a.height, b.height))
      found.push(`${name}: ${text} and ${other} overlap`);
  }));
}
for (const cell of document.querySelectorAll("main th, main td"))
  if (cell.scrollWidth > cell.clientWidth + 1) found.push(`${cell.textContent} is cut`);
for (const part of document.querySelectorAll("main p, main h3, main summary, main figcaption, main li"))
  if (part.clientWidth && part.scrollWidth > part.clientWidth + 1) found.push(`${part.textContent} is cut`);
return found;
"""
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with tab(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_an_example_overlaps_or_is_cut(chromium, name, width):
    chromium.open(PAGES[name], width=width)
    assert chromium.run(FOUND) == []
    drawn = chromium.run("return document.querySelectorAll('.plot > svg').length")
    assert drawn >= 10 and chromium.run(UNFOLDED + "return document.querySelectorAll('text').length") > 200


def test_what_overlaps_or_leaves_a_figure_is_found(chromium):
    chromium.open(PAGES["quickstart"])
    chromium.run(
        """const [one, two] = document.querySelectorAll(".plot svg text");
        two.textContent = one.textContent;
        for (const name of ["transform", "x", "y", "style"])
          if (one.hasAttribute(name)) two.setAttribute(name, one.getAttribute(name));
        one.parentNode.append(two);"""
    )
    assert any("overlap" in text for text in chromium.run(FOUND))
    chromium.run("document.querySelector('.plot svg text').setAttribute('transform', 'translate(-90 0)')")
    assert any("leaves the figure" in text for text in chromium.run(FOUND))


def boxes(chromium: Tab, *selectors: str) -> dict[str, tuple[float, float]]:
    """The top of the first element that each selector finds, and the bottom of the last, in pixels."""
    return {
        selector: tuple(
            chromium.run(
                f"""const found = [...document.querySelectorAll({selector!r})];
                const all = found.map((e) => e.getBoundingClientRect()).filter((b) => b.height);
                return [Math.min(...all.map((b) => b.top)), Math.max(...all.map((b) => b.bottom))];"""
            )
        )
        for selector in selectors
    }


@pytest.mark.parametrize("name", PAGES)
def test_the_answer_is_on_the_first_screen(chromium, name):
    chromium.open(PAGES[name], width=1400)
    parts = (
        ".question",
        ".sentence",
        ".first .plot > svg",
        ".tiles img",
        ".tiles figcaption",
        ".facts",
    )
    for part, (top, bottom) in boxes(chromium, *parts).items():
        assert 0 <= top < bottom <= SCREEN, part
    n_datasets = max(1, chromium.run("return document.querySelectorAll('#tabs button').length"))
    shown = chromium.run("return [...document.querySelectorAll('.tiles img')].map((i) => i.width)")
    assert len(shown) == 5 * n_datasets  # real images, three leaders, the last
    assert min(shown) / 2 >= 84  # two images side by side
    text = chromium.run("return document.querySelector('.first').innerText")
    assert "leads with a" in text and "Cost: " in text


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_verdict_and_figure_come_first(chromium, name):
    chromium.open(PAGES[name], width=480)
    tops = chromium.run(
        """const head = document.querySelector(".head");
        return [".sentence", ".plot > svg", ".tiles"].map((part) =>
            head.querySelector(part).getBoundingClientRect().top);"""
    )
    assert tops == sorted(tops) and tops[1] < SCREEN / 2
    seen = boxes(chromium, ".tiles", ".question", ".facts")
    assert seen[".question"][0] > seen[".tiles"][1] and seen[".facts"][0] > tops[1]


@pytest.mark.parametrize("name", PAGES)
def test_seven_screens_at_most(chromium, name):
    chromium.open(PAGES[name], width=1400)
    assert chromium.run("return document.documentElement.scrollHeight") <= 7 * SCREEN
    titles = chromium.run("return [...document.querySelectorAll('.fold h3')].map((h) => h.textContent)")
    assert len(titles) > 12 and not any(title.endswith(("?", ".")) for title in titles), titles


LITTLE = {
    "unfinished": {"running": ("ns", "vae")},
    "one trial": {"trials": 1, "variants": ("ns",)},
    "all failed": {"fail": ("mm", "ns", "vae", "wgan")},
    "learning sampler": {"sampler": "tpe"},
    "halving": {"trials": 27, "halving": {"eta": 3, "first": 1, "size": 9, "brackets": 1}},
    "one variant": {"variants": ("ns",)},
    "32 variants": {"variants": tuple(f"v{i}" for i in range(32)), "trials": 12},
    "12 data sets": {"variants": ("ns", "vae"), "datasets": tuple(f"d{i}" for i in range(12))},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", LITTLE)
def test_nothing_overlaps_where_there_is_little_or_much(chromium, tmp_path, case, monkeypatch):
    for i in range(32):
        look = (f"Variant {i}", HUES[i % len(HUES)], MARKERS[i // len(HUES)])
        monkeypatch.setitem(synthetic.LOOKS, f"v{i}", look)
        monkeypatch.setitem(synthetic.NATURE, f"v{i}", synthetic.NATURE["ns"])
        monkeypatch.setitem(synthetic.DATASETS, f"d{i}", f"Data set {i}")
    options = {"variants": ("mm", "ns", "vae", "wgan"), "datasets": 1, "trials": 9} | LITTLE[case]
    page = write_report(make_study(tmp_path / "study", **options))
    for width in WIDTHS:
        chromium.open(page, width=width)
        assert chromium.run(FOUND) == [], width


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_the_pages_of_the_examples_are_those_of_this_code(tmp_path, name):
    """But for the samples, which are not kept beside them."""
    folder = shutil.copytree(EXAMPLES / name, tmp_path / name)
    shutil.rmtree(folder / "report")
    before, now = (without_styles(page.read_text()) for page in (PAGES[name], write_report(folder)))
    figures = [part.split("</svg>")[0] for part in now.split('<div class="plot"')[1:]]
    assert figures and all(figure in before for figure in figures)


def without_styles(page: str) -> str:
    """A page without the styles in its elements, whose classes are counted through the page."""
    return re.sub(r' (?:class="s\d+"|style="[^"]*")', "", page)
