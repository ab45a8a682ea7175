"""The bar in a notebook is one line, which is written anew."""

import sys
from types import SimpleNamespace

import pytest

from litlab.callbacks.terminal.notebook_bar import NotebookBar


@pytest.fixture
def lines(monkeypatch):
    """What a notebook shows below the cell: a list with a list for each line, of all that it said."""
    shown: list[list[str]] = []

    def display(data, raw, display_id):
        assert raw
        assert display_id
        shown.append([data["text/plain"]])
        return SimpleNamespace(update=lambda data, raw: shown[-1].append(data["text/plain"]))

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return shown


def test_all_passes_of_a_run_share_one_line(lines):
    first = NotebookBar("epoch 1/2", 4)
    first.start()
    first.update(None, completed=2, note="loss 0.5")
    first.stop()
    second = NotebookBar("validation", None, first)
    second.start()
    second.update(None, completed=3, note="")
    second.stop()
    [line] = lines
    half = "━" * 10 + "╌" * 10
    assert line[:3] == ["epoch 1/2 " + "╌" * 20 + " 0/4 ", f"epoch 1/2 {half} 2/4 loss 0.5", ""]
    assert line[3:] == ["validation 0 ", "validation 3 ", ""]
