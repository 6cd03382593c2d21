"""Matplotlib's SVG, made fit to stand inside a web page."""

import re
from html import escape

from gansweep.report import style

# The colours that follow the page's theme: light, dark or print.
THEMED = {
    **{color: f"--l-{hue}" for hue, color in style.TEXT_HUES.items()},
    **{color: f"--c-{hue}" for hue, color in style.HUES.items()},
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


def inline_svg(svg: str, name: str, title: str, description: str) -> str:
    """An `<svg>` element with ids of its own (prefix `name`), theme colours, a title and a description.

    Matplotlib's global style rule, metadata and comments are left out, and coordinates keep two decimals.
    """
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    for noise in (r"<metadata>.*?</metadata>", r"<style.*?</style>", r"<!--.*?-->"):
        body = re.sub(noise, "", body, flags=re.DOTALL)
    body = _own_ids(body, name)
    body = _map_markup(body)
    box = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
    assert box is not None
    width, height = float(box[1]), float(box[2])
    size = f"min-width:{1.3 * width:.0f}px;max-width:{1.9 * width:.0f}px"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'viewBox="0 0 {width:g} {height:g}" style="{size}" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return head + body.strip()


def _own_ids(body: str, name: str) -> str:
    """Prefix the ids that are referred to, drop the others: several figures share one page."""
    used = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    return re.sub(r'(url\(#|xlink:href="#)([^)"]+)', lambda m: f"{m[1]}{name}-{m[2]}", body)


def _map_markup(body: str) -> str:
    """Change what stands inside tags; text between tags is the user's and stays as it is."""
    return re.sub(r"<[^>]+>", lambda tag: _map_tag(tag[0]), re.sub(r">\s+<", "><", body))


def _map_tag(tag: str) -> str:
    tag = re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", tag)
    # A style written as "fill: white" would not follow the theme.
    tag = re.sub(r"(fill|stroke): white", rf"\1: {style.PAPER}", tag)
    tag = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "var(--fig)", tag)
    return re.sub(r"#[0-9a-f]{6}", lambda m: f"var({THEMED[m[0]]})" if m[0] in THEMED else m[0], tag).replace(
        "\n", " "
    )
