"""The text in pictures."""

import subprocess
import sys
import warnings

import matplotlib
import pytest

from litlab.figures import text
from litlab.figures.text import cut, font, in_two, width


def test_text_that_fits_stays():
    assert cut("a name", 12, 200) == "a name"


def test_text_that_is_too_long_is_cut_in_its_middle():
    text = "a very long name of a class, number 7"
    shown = cut(text, 12, 100)
    assert width(shown, 12) <= 100 < width(text, 12)
    start, end = shown.split("…")
    assert text.startswith(start)
    assert text.endswith(end)
    assert len(start) > len(end) > 3
    assert cut(text, 12, 1) == "…"


def test_what_a_picture_cannot_show_is_escaped():
    assert cut("two\nlines\x1b", 12, 500) == "two\\nlines\\x1b"
    assert cut("broken \udc80", 12, 500) == "broken \\udc80"


def test_letters_are_not_only_latin():
    """A letter that the font lacks is drawn as a box, and all boxes are the same."""
    box = bytes(font("", 20).getmask("\U0010ffff"))
    for letter in "ßéжλعא✓✗…":
        assert bytes(font(letter, 20).getmask(letter)) != box


@pytest.mark.slow
def test_a_font_is_found_without_importing_matplotlib():
    code = "import sys; from litlab.figures.text import font; font('a', 12); print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_long_text_gets_smaller_before_it_is_cut():
    assert text.fitting_size("short", 12, 9, 200) == 12
    assert text.fitting_size("a longer text", 12, 9, text.width("a longer text", 10)) == 10
    assert text.fitting_size("a longer text", 12, 9, 5) == 9


def test_a_machine_without_a_font_for_chinese_says_so(monkeypatch):
    monkeypatch.setattr(text, "CJK_FONTS", ("no such font.ttc",))
    monkeypatch.setattr(text, "CJK_FAMILIES", ("no such font",))
    text._load.cache_clear()
    text._warn_of_boxes.cache_clear()
    said = "no font here has Chinese, Japanese or Korean characters.*fonts-noto-cjk"
    with pytest.warns(UserWarning, match=said) as warned:
        text.cut("\u732b", 12, 50, bold=True) + text.cut("\u732b", 14, 50)
    assert len(warned) == 1
    with warnings.catch_warnings(), text.letters_of("\u732b"):
        warnings.simplefilter("error")  # it has been said
        assert matplotlib.rcParams["font.family"] == ["DejaVu Sans"]
    text._load.cache_clear()


def test_matplotlib_has_a_font_for_chinese_where_there_is_one(monkeypatch):
    monkeypatch.setattr(text, "CJK_FAMILIES", ("no such font", "DejaVu Serif"))
    before = list(matplotlib.rcParams["font.family"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with text.letters_of("\u732b"):
            assert matplotlib.rcParams["font.family"] == ["DejaVu Sans", "DejaVu Serif"]
            warnings.warn("Glyph 29483 missing from font(s) DejaVu Sans.", stacklevel=1)
    assert matplotlib.rcParams["font.family"] == before


def test_a_long_line_becomes_two():
    name = "northern_cardinal_of_the_woods 74%"
    most = width(name, 9) * 2 // 3
    assert in_two(name, 9, width(name, 9)) == [name]
    assert in_two(name, 9, most) == ["northern_cardinal_of_", "the_woods 74%"]
    assert in_two("a" * 40, 9, width("a" * 30, 9)) == ["a" * 30, "a" * 10]
    first, second = in_two(f"{'long ' * 50}end", 9, most)
    assert max(width(first, 9), width(second, 9)) <= most
    assert "…" in second
    assert second.endswith("end")
