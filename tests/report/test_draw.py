"""What is drawn on the page is on the page, whatever the run."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pages import PAGES, classes, some

from litlab.report.draw import draw


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


def test_a_page_without_curves_is_not_half_empty():
    first = {"train/loss_step": [(0, 2.3)]}
    heights = [draw(some(history=history, best_step=None)).get_figheight() for history in (first, some().history)]
    assert heights == [pytest.approx(4.0), pytest.approx(7.2)]
