"""`report.html` stands alone, with the picture and all numbers."""

import base64
import re
from html.parser import HTMLParser

from pages import classes, some
from PIL import Image

from litlab.report import write_page

EMPTY = {"img", "meta", "br"}


class Checked(HTMLParser):
    """Fails at a tag that is not closed; keeps text and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.text, self.sources = [], "", []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag not in EMPTY:
            self.open.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_run_leaves_a_page_that_stands_alone(quick_run):
    run, result = quick_run.runs[0], quick_run.result
    with Image.open(run / "report.png") as picture:
        assert picture.size == (1280, 720)
    text = (run / "report.html").read_text()
    page = Checked(text)
    (source,) = page.sources
    inline = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    assert inline == (run / "report.png").read_bytes()
    assert not re.search(r"https?://|url\(|<script|<link", text)
    assert str(quick_run.folder) not in text
    assert result["diagnosis"][0] in page.text
    for name, value in result["metrics"].items():
        assert f"<td>{name}</td><td>{value:.4f}</td>" in text
    assert result["report"] == "report.png"
    assert f"one page      runs/mnist_sample_mnist_cnn/{run.name}/report.png, report.html" in quick_run.out


def test_text_is_escaped(tmp_path):
    write_page(some(title="<b>&", sentences=["a < b"], **classes(["<i>", "</table>"])), tmp_path)
    text = (tmp_path / "report.html").read_text()
    page = Checked(text)
    assert "<b>" not in text
    for shown in ("<b>&", "a < b", "<i>", "</table>"):
        assert shown in page.text
