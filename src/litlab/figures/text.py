"""The text in pictures: its font, its width, and how it is cut to fit."""

import importlib.util
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from PIL import ImageFont

from litlab.console import printable

# Fonts with Chinese, Japanese and Korean characters, as Linux, macOS and Windows have them.
CJK_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "PingFang.ttc", "msyh.ttc")
CJK_FAMILIES = ("Noto Sans CJK JP", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei")
CJK = (("\u2e80", "\ud7ff"), ("\uf900", "\ufaff"), ("\uff00", "\uffef"), ("\U00020000", "\U0003ffff"))
FONT, BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"


def font(text: str, size: int, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font that has the characters of `text`, as far as there is one on this machine.

    Args:
        size: in pixels.
    """
    return _load(size, bold, is_cjk(text))


def is_cjk(text: str) -> bool:
    """Whether a text has Chinese, Japanese or Korean characters."""
    return any(first <= c <= last for c in text for first, last in CJK)


@contextmanager
def letters_of(text: str) -> Iterator[None]:
    """Lets matplotlib draw the letters of `text`, as far as there is a font for them on this machine."""
    if not is_cjk(text):
        yield
        return
    import matplotlib
    from matplotlib.font_manager import get_font_names

    there = set(get_font_names())
    families = [family for family in CJK_FAMILIES if family in there]
    if not families:
        _warn_of_boxes()
    with matplotlib.rc_context({"font.family": ["DejaVu Sans", *families]}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # it has been said
        yield


def width(text: str, size: int, bold: bool = False) -> int:
    """The width of a line of text in pixels."""
    return math.ceil(font(text, size, bold).getlength(text))


def widest(texts: list[str], size: int) -> int:
    """The width of the widest line of text in pixels; 0 where there is none."""
    return max((width(text, size) for text in texts), default=0)


def fitting_size(text: str, size: int, smallest: int, most: int) -> int:
    """The largest size, from `size` down to `smallest`, at which a line of text fits into `most` pixels."""
    text = printable(text)
    return next((s for s in range(size, smallest, -1) if width(text, s) <= most), smallest)


def cut(text: str, size: int, most: int, bold: bool = False) -> str:
    """A text that fits into `most` pixels, with an ellipsis for what is left out of its middle.

    The end often tells two names apart, or is a number. Characters that a picture cannot show are escaped.
    """
    text = printable(text)
    if width(text, size, bold) <= most:
        return text
    fitting, too_many = 0, len(text)  # characters
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if width(_shortened(text, middle), size, bold) <= most:
            fitting = middle
        else:
            too_many = middle
    return _shortened(text, fitting)


def in_two(text: str, size: int, most: int) -> list[str]:
    """A line of text as one that fits into `most` pixels, or as two. What is too long for two is cut.

    The first line ends behind a space or one of `_-/,`, if that is in its second half.
    """
    text = printable(text)
    if width(text, size) <= most:
        return [text]
    end = next((end for end in range(len(text), 1, -1) if width(text[:end], size) <= most), 1)
    places = [place for place in range(end // 2, end + 1) if text[place - 1] in " _-/,"]
    end = max(places, default=end)
    return [text[:end].rstrip(), cut(text[end:].lstrip(), size, most)]


def _shortened(text: str, characters: int) -> str:
    end = characters * 2 // 5
    return f"{text[: characters - end].rstrip()}…{text[len(text) - end :].lstrip()}"


@cache
def _load(size: int, bold: bool, cjk: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if cjk:
        if found := _first(CJK_FONTS, size):
            return found
        _warn_of_boxes()
    name = BOLD if bold else FONT
    return _first((*_matplotlib_fonts(name), name), size) or ImageFont.load_default(size)


@cache
def _warn_of_boxes() -> None:
    """Says once, not once for each size of text, which font is missing."""
    warnings.warn(
        "no font here has Chinese, Japanese or Korean characters, so pictures show boxes for them: install one, "
        "such as fonts-noto-cjk",
        stacklevel=2,
    )


def _first(files: Iterable[str], size: int) -> ImageFont.FreeTypeFont | None:
    """The first of some fonts that is there."""
    for file in files:
        try:
            return ImageFont.truetype(file, size)  # Pillow looks for a bare name in the system's folders
        except OSError:
            continue
    return None


def _matplotlib_fonts(name: str) -> list[str]:
    """The file of a font that matplotlib brings along, found without importing matplotlib, which takes long."""
    found = importlib.util.find_spec("matplotlib")
    folders = found.submodule_search_locations if found else None
    return [str(Path(folder) / "mpl-data/fonts/ttf" / name) for folder in folders or ()]
