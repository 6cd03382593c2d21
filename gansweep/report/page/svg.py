"""Matplotlib's SVG, adapted to a web page."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from html import escape

from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D

from gansweep.errors import readable
from gansweep.report.figures.base import Value
from gansweep.report.style import style
from gansweep.report.style.style import SHAPES, Look

# The colours that follow the page's theme: light, dark or print.
_THEMED = {
    **{color: f"--l-{hue}" for hue, color in style.TEXT_COLORS.items()},
    **{color: f"--c-{hue}" for hue, color in style.COLORS.items()},
    style.INK: "--ink",
    style.AXIS: "--axis",
    style.MUTE: "--mute",
    style.FAINT: "--faint",
    style.GRID: "--grid",
    style.BAND: "--band",
    style.PAPER: "--card",
    style.DIVERGED: "--diverged",
    style.COLLAPSED: "--collapsed",
}
_TAG = r"<[^>]+>"
_REFERENCE = r'(?:url\(#|xlink:href="#)([^)"]+)'
_DRAWING = r"<svg(?! class).*?</svg>"  # a figure; the marks of variants have a class
_STYLED = r'(<\w+ (?:(?!class=)[^>])*?)style="([^"]*)"([^>]*>)'
_MARKS = (
    r'<use xlink:href="#([^"]+)" x="[^"]+" y="[^"]+" style="([^"]*)"/>'
    r'(?:<use xlink:href="#\1" x="[^"]+" y="[^"]+" style="\2"/>){2,}'
)


def inline_svg(svg: str, name: str, title: str, description: str, values: Iterable[Value] = ()) -> str:
    """An `<svg>` element with ids of its own (prefix `name`), theme colours, a title and a description.

    Matplotlib's global style rule, metadata and comments are left out, coordinates keep one decimal, and a
    row of equal marks becomes one path. What has the id "variant:ns" gets data-variant="ns". values: what a
    pointer reads off; each becomes a circle that cannot be seen.
    """
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    for noise in (r"<metadata>.*?</metadata>", r"<style.*?</style>", r"<!--.*?-->"):
        body = re.sub(noise, "", body, flags=re.DOTALL)
    body = _map_markup(readable(_own_ids(body, name)))
    body = _without_empty_groups(_rows_of_marks(body, name))
    box = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
    assert box is not None
    width, height = float(box[1]), float(box[2])
    size = f"min-width:{1.3 * width:.0f}px;max-width:{1.9 * width:.0f}px"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'viewBox="0 0 {width:g} {height:g}" style="{size}" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(readable(title))}</title>'
        f'<desc id="{name}-desc">{escape(readable(description))}</desc>'
    )
    return head + body.strip() + "".join(_value(value, height) for value in values) + "</svg>"


def with_shared_styles(page: str) -> str:
    """The page, in which styles that several elements of drawings have are classes of its style sheet."""
    tags = [tag for drawing in re.findall(_DRAWING, page, re.DOTALL) for tag in re.findall(_STYLED, drawing)]
    counts = Counter(style for _, style, _ in tags)
    classes = {style: f"s{i}" for i, style in enumerate(s for s, n in counts.items() if n > 2)}

    def shared(tag: re.Match[str]) -> str:
        start, style, end = tag.groups()
        return f'{start}class="{classes[style]}"{end}' if style in classes else tag[0]

    page = re.sub(_DRAWING, lambda drawing: re.sub(_STYLED, shared, drawing[0]), page, flags=re.DOTALL)
    rules = "".join(f".{name}{{{style}}}" for style, name in classes.items())
    return page.replace("</style>", f"{rules}</style>", 1)


def _value(value: Value, height: float) -> str:
    """A circle at a value's point, in points of a drawing of this height; empty where it is out of sight."""
    figure, point = value.ax.get_figure(root=True), value.ax.transData.transform((value.x, value.y))
    if figure is None or not value.ax.get_window_extent().padded(3).contains(*point):
        return ""
    x, y = (float(place) * 72 / figure.dpi for place in point)
    variant = f' data-variant="{escape(readable(value.variant))}"' if value.variant else ""
    text = escape(readable(value.text))
    return f'<circle class="value" cx="{x:.1f}" cy="{height - y:.1f}" r="5"{variant} data-text="{text}"/>'


def _own_ids(body: str, name: str) -> str:
    """Give referenced elements short ids of this figure and remove other ids: figures share one page."""
    used = dict.fromkeys(m[1] for tag in re.findall(_TAG, body) for m in re.finditer(_REFERENCE, tag))
    short = {old: f"{name}-{number}" for number, old in enumerate(used)}

    def renamed(tag: re.Match[str]) -> str:
        text = re.sub(r' id="variant:([^"]+)"', r' data-variant="\1"', tag[0])
        text = re.sub(r' id="([^"]+)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", text)
        return re.sub(_REFERENCE, lambda m: m[0].replace(m[1], short[m[1]]), text)

    return re.sub(_TAG, renamed, body)


def _map_markup(body: str) -> str:
    """Change what stands inside tags; text between tags is the user's and stays as it is."""
    return re.sub(_TAG, lambda tag: _map_tag(tag[0]), re.sub(r">\s+<", "><", body))


def _map_tag(tag: str) -> str:
    tag = re.sub(r"-?\d{2,}\.\d{2,}", lambda m: f"{float(m[0]):.1f}", tag)  # a fifth of a pixel
    tag = re.sub(r"-?\d\.\d{3,}", lambda m: f"{float(m[0]):.2f}", tag)
    # A style written as "fill: white" would not follow the theme.
    tag = re.sub(r"(fill|stroke): white", rf"\1: {style.PAPER}", tag)
    tag = re.sub(r"font-family: 'DejaVu Sans'(, [^;\"]*)?; ", "", tag)  # the page's style sheet has it
    tag = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "var(--fig)", tag)
    tag = re.sub(r' transform="rotate\(-?0 [^)]*\)"| (?= )', "", tag)
    return re.sub(
        r"#[0-9a-f]{6}", lambda m: f"var({_THEMED[m[0]]})" if m[0] in _THEMED else m[0], tag
    ).replace("\n", " ")


def _without_empty_groups(body: str) -> str:
    """Take out groups that say nothing of what is in them; a seventh of a page is such markup."""
    before = ""
    while body != before:
        before, body = body, re.sub(r"<g>((?:(?!</?g\b).)*)</g>", r"\1", body, flags=re.DOTALL)
    return body


def _rows_of_marks(body: str, name: str) -> str:
    """Write three or more equal marks in a row as the corners of a path that has the mark at each corner.

    This makes a report of thousands of trials five times smaller.
    """
    count = itertools.count()

    def path(row: re.Match[str]) -> str:
        mark = f"{name}-row{next(count)}"
        corners = " ".join(
            f"{float(x):.1f} {float(y):.1f}" for x, y in re.findall(r' x="([^"]+)" y="([^"]+)"', row[0])
        )
        return (
            f'<marker id="{mark}" overflow="visible" markerUnits="userSpaceOnUse" style="{row[2]}">'
            f'<use xlink:href="#{row[1]}"/></marker><path d="M{corners}" fill="none" '
            f'marker-start="url(#{mark})" marker-mid="url(#{mark})" marker-end="url(#{mark})"/>'
        )

    return re.sub(_MARKS, path, body)


def mark(look: Look) -> str:
    """An `<svg>` element as large as a letter: the marker that a variant has in the figures."""
    marker = MarkerStyle(SHAPES[look.shape].symbol)
    scale = 10 * SHAPES[look.shape].scale
    outline = marker.get_path().transformed(marker.get_transform() + Affine2D().scale(scale, -scale))
    paint = f"fill:{f'var(--c-{look.hue})' if look.filled else 'none'};stroke:var(--c-{look.hue})"
    return (
        f'<svg class="mark" aria-hidden="true" viewBox="-7 -7 14 14" style="{paint}">'
        f'<path d="{_path_data(outline)}"/></svg>'
    )


def _path_data(outline: Outline) -> str:
    """An outline as the attribute `d` of a path."""
    letters = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C"}
    parts = [
        letters[code] + " ".join(f"{number:.2f}" for number in points) if code in letters else "Z"
        for points, code in outline.iter_segments()
    ]
    return "".join(parts)
