"""`report.png` and `report.html`: complete, legible, and of any run."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from litlab.report import Answers, Page, Sample, try_to_write_page, write_page
from litlab.report.draw import draw

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


def some(**changes) -> Page:
    history = {
        "train/loss_step": [(0, 2.3), *((50 * i, 2.3 / (1 + i)) for i in range(1, 11))],
        **{
            f"{s}/{n}": [(100 * i, 1 / (i + 1)) for i in range(1, 6)] for s in ("train", "val") for n in ("loss", "acc")
        },
    }
    page = {
        "title": "MnistCNN on mnist",
        "subtitle": "completed after 5 epochs",
        "headline": "99.20% accuracy, test",
        "sentences": ["learning: train loss 2.31 to 0.0145"],
        "history": history,
        "settings": dict.fromkeys("abcdefghi", "a value"),
        "metrics": {"test/acc": 0.992},
        "best_step": 400,
    }
    return Page(**{**page, **changes})


def classes(names: list[str], shape=(1, 28, 28), wrong: int = 8) -> dict:
    count = len(names)
    pictures = [Sample(torch.zeros(shape, dtype=torch.uint8), i % count, (i + 1) % count) for i in range(8)]
    matrix = torch.arange(count * count).reshape(count, count)
    return {"class_names": names, "answers": Answers("test", matrix, pictures, pictures[:wrong])}


def points() -> Answers:
    pictures = [
        Sample(torch.zeros(3, 60, 40, dtype=torch.uint8), torch.rand(5, 2) * 2, torch.rand(5, 2)) for _ in "123"
    ]
    return Answers("val", None, pictures, [], (torch.rand(30), torch.rand(30)))


LONG = "a class $with a _very_ long <name>"
PAGES = {
    "ten classes": some(**classes(list("0123456789"))),
    "two": some(**classes(["cat", "dog"], (3, 64, 48), wrong=0)),
    "long names": some(**classes([f"{i} {LONG}" for i in range(12)], (3, 32, 96))),
    "thirty": some(**classes([f"class {i}" for i in range(30)])),
    "a hundred": some(**classes([f"class {i}" for i in range(100)])),
    "points": some(answers=points()),
    "numbers": some(answers=Answers("test", values=(torch.rand(30), torch.rand(30)))),
    "no validation": some(history={"train/loss": [(6, 3.0), (12, 0.05)], "train/r2": [(6, -1.0), (12, 0.9)]}),
    "failed at once": some(history={"train/loss_step": [(0, 2.3)]}, sentences=["diverged: NaN"], best_step=None),
    "nothing": some(history={}, sentences=[], settings={}, metrics={}, best_step=None),
    "long settings": some(settings=dict.fromkeys("abcdefghi", "SGD, lr 0.05, momentum 0.9, weight_decay 0.0005")),
    "a long title": some(
        title="ALongNameOfANetwork on a data set of one's own", headline="mean error 0.001234, validation"
    ),
    "much to say": some(sentences=["overfitting: " + "word " * 70] * 4, **classes(list("0123456789"))),
}


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off(name):
    figure = draw(PAGES[name])
    drawn = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())  # inches
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0
    assert drawn.y0 >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height


def test_no_setting_is_cut_short():
    shown = {"optimizer": "SGD, lr 0.05, momentum 0.9, weight_decay 0.0005"}
    texts = [text.get_text() for text in draw(some(settings=shown, **classes(["cat", "dog"]))).texts]
    assert shown["optimizer"] in " ".join(texts)


def test_title_and_headline_stand_side_by_side():
    figure = draw(PAGES["a long title"])
    boxes = {t.get_text(): t.get_window_extent(FigureCanvasAgg(figure).get_renderer()) for t in figure.texts}
    page = PAGES["a long title"]
    assert boxes[page.title].x1 < boxes[page.headline].x0


def test_epochs_of_other_lengths_stand_where_they_ended():
    """As they have when a run goes on with batches of another size."""
    ends = [55, 110, 124, 138]
    history = {f"{s}/loss": [(step, 1 / step) for step in ends] for s in ("train", "val")}
    curves = draw(some(history=history, best_step=124)).axes[0]
    train, val, best = curves.lines
    assert list(train.get_xdata()) == list(val.get_xdata()) == [1, 2, 3, 4]
    assert list(best.get_xdata()) == [3, 3]


def test_text_is_escaped(tmp_path):
    write_page(some(title="<b>&", sentences=["a < b"], **classes(["<i>", "</table>"])), tmp_path)
    text = (tmp_path / "report.html").read_text()
    page = Checked(text)
    assert "<b>" not in text
    for shown in ("<b>&", "a < b", "<i>", "</table>"):
        assert shown in page.text


def test_a_full_disk_costs_the_picture_alone(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert not try_to_write_page(some(), Path(tmp_path / "file"))
    assert "warning: report.png could not be made: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_same_run_has_the_same_picture(tmp_path):
    pictures = []
    for _ in range(2):
        write_page(some(), tmp_path)
        pictures.append((tmp_path / "report.png").read_bytes())
    assert pictures[0] == pictures[1]
    Image.open(io.BytesIO(pictures[0])).verify()
