"""`report.html` stands alone, with the picture and all numbers."""

import base64
import json
import math
import re
from html.parser import HTMLParser

import torch
from pages import classes, some
from PIL import Image

from litlab.report import Sample, write_page
from litlab.report.html import curves

EMPTY = {"img", "meta", "br", "wbr", "input"}


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
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    inline = base64.b64decode(page.sources[-1].removeprefix("data:image/png;base64,"))
    assert inline == (run / "report.png").read_bytes()
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|<script \w|<link|fetch\(|import ", text)
    assert "max_epochs: 2" in page.text, "the whole config"
    assert str(quick_run.folder) not in text
    assert result["diagnosis"][0] in page.text
    for name, value in result["metrics"].items():
        assert f"<td>{name}</td><td>{value:.4f}</td>" in text
    assert result["report"] == "report.png"
    assert f"one page      runs/mnist_sample_mnist_cnn/{run.name}/report.png, report.html" in quick_run.out


def test_what_was_said_and_what_is_true_stand_on_lines_of_their_own(tmp_path):
    write_page(some(**classes(["painted_bunting", "cat"])), tmp_path)
    captions = re.findall("<figcaption>(.*?)</figcaption>", (tmp_path / "report.html").read_text())
    assert captions
    names = "(painted_<wbr>bunting|cat)"  # a browser may break a name only after _
    assert all(re.match(rf"said {names}( \(\d+%\))?<br>is {names}", caption) for caption in captions)


def test_text_is_escaped(tmp_path):
    write_page(some(title="<b>&", sentences=["a < b"], **classes(["<i>", "</table>"])), tmp_path)
    text = (tmp_path / "report.html").read_text()
    page = Checked(text)
    assert "<b>" not in text
    for shown in ("<b>&", "a < b", "<i>", "</table>"):
        assert shown in page.text


def test_the_curves_to_point_at_are_those_of_the_run():
    drawn = curves(some())
    assert list(drawn["curves"]) == ["loss", "acc"]
    loss = {curve["kind"]: curve["points"] for curve in drawn["curves"]["loss"]}
    assert loss["train"] == loss["val"] == [[i, 1 / (i + 1)] for i in range(1, 6)]
    assert loss["train within"][:2] == [[0.0, 2.3], [0.5, 1.15]]
    assert drawn["best"] == 4
    assert curves(some(history={}, best_step=None)) == {"curves": {}, "best": None}
    json.dumps(curves(some(history={"train/loss": [(1, math.nan), (2, 1.0)]})), allow_nan=False)


def test_mistakes_have_the_name_of_their_file_and_what_was_said(tmp_path):
    pictures = classes(["cat", "dog"])
    pictures["evaluation"].wrong[0] = Sample(torch.zeros(3, 8, 9, dtype=torch.uint8), 0, 1, "photos/<a>.png", 0.98)
    write_page(some(config={"seed": 42}, **pictures), tmp_path)
    text = Checked((tmp_path / "report.html").read_text()).text
    assert "said cat (98%)is dogphotos/<a>.png" in text
    assert "seed: 42" in text


def test_a_run_without_metrics_has_no_empty_table(tmp_path):
    write_page(some(metrics={}), tmp_path)
    assert "<h2>Metrics</h2>" not in (tmp_path / "report.html").read_text("utf-8")
