"""Names in other scripts in figures."""

import warnings

import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib.font_manager import FontEntry

from gansweep.report.style import fonts, style


@pytest.fixture
def clean():
    """Fonts are looked for again, before and after."""
    fonts.families.cache_clear()
    fonts._said.clear()
    yield
    fonts.families.cache_clear()
    fonts._said.clear()


class Font:
    """A font that has the letters of its file's name."""

    def __init__(self, file):
        if file == "damaged":
            raise RuntimeError("cannot open")
        self.letters = {ord(letter) for letter in str(file)}

    def get_char_index(self, code):
        return int(code in self.letters)


def entry(name, letters, style="normal"):
    return FontEntry(fname=letters, name=name, style=style)


def drawn(tmp_path, title):
    with style.house_style():
        figure = style.new_figure(1.0)
        figure.subplots().set_title(title)
    style.save(figure, tmp_path, "x", pd.DataFrame({"a": [1]}))


def test_the_first_installed_font_of_each_script_is_taken(clean, monkeypatch):
    han, hindi = fonts.SCRIPTS[0], fonts.SCRIPTS[3]
    installed = [
        entry("Zen", han + hindi),
        entry("Noto Sans Han", han),
        entry("Noto Serif Han", han),
        entry("Italic", "".join(fonts.SCRIPTS), style="italic"),
        entry("Last Resort", "".join(fonts.SCRIPTS)),
        entry("Part", hindi[:1]),
        entry("A Sans", "damaged"),
    ]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", installed)
    monkeypatch.setattr(fonts, "FT2Font", Font)
    monkeypatch.setattr(font_manager, "findfont", lambda name: "abc")
    assert fonts.families() == ["DejaVu Sans", "Noto Sans Han", "Zen"]


def test_figures_use_the_fonts_that_were_found(clean, monkeypatch):
    monkeypatch.setattr(fonts, "families", lambda: ["DejaVu Sans", "STIXGeneral"])
    with style.house_style():
        text = style.new_figure(1.0).subplots().set_title("x")
    assert text.get_fontfamily() == ["DejaVu Sans", "STIXGeneral"]


def test_letters_that_no_font_has_are_said_once_in_a_sentence(clean, tmp_path, capsys):
    drawn(tmp_path, "العربية \U0003fffd x")  # Arabic is in DejaVu Sans; a letter that no font can have
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("gansweep: no font installed here has ") and "as Noto Sans" in said
    drawn(tmp_path, "\U0003fffd again")
    assert capsys.readouterr().err == ""


def test_other_warnings_are_not_lost(clean):
    with pytest.warns(UserWarning, match="something else"), style.house_style():
        warnings.warn("something else", UserWarning, stacklevel=1)
