"""Writes the page of a run."""

import io
from pathlib import Path

from litlab.console import warn
from litlab.errors import one_line
from litlab.figures import letters_of
from litlab.files import atomic
from litlab.report.draw import draw
from litlab.report.html import as_html
from litlab.report.page import Page

FILES = ("report.png", "report.html")


def write_page(page: Page, run_dir: Path) -> None:
    """Writes both files, each atomically.

    Raises:
        OSError: if there is no room for them.
    """
    buffer = io.BytesIO()
    with letters_of(f"{page.title} {page.subtitle} {page.sentences} {page.settings}"):
        draw(page).savefig(buffer, format="png", dpi=100, pil_kwargs={"compress_level": 4})
    png = buffer.getvalue()
    for name, content in zip(FILES, (png, as_html(page, png).encode()), strict=True):
        with atomic(run_dir / name) as temporary:
            temporary.write_bytes(content)


def try_to_write_page(page: Page, run_dir: Path) -> bool:
    """Writes both files and returns True, or prints why not and returns False: a picture must not fail a run."""
    try:
        write_page(page, run_dir)
    except Exception as error:  # of any kind: the result of the run must still be written
        warn(f"{FILES[0]} could not be made: {one_line(error)}")
        return False
    return True
