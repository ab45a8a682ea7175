"""A notebook of the README's steps is executed, as Jupyter does it."""

import re
import sys

import pytest
from PIL import Image
from scripts import REPOSITORY

from litlab.data import MNISTSample

pytestmark = pytest.mark.slow  # needs pip install -e ".[notebook]"; a kernel starts, and three trainings are run


def cells() -> list[str]:
    """The steps of the README, on the small data set, and a training that is typed behind an exclamation mark."""
    text = (REPOSITORY / "README.md").read_text()
    text = re.search(r"^## Notebook\n(.*?)^## ", text, re.M | re.S)[1]
    steps, classes = re.findall(r"^```py(?:thon)?\n(.*?)^```$", text, re.M | re.S)
    quick = '"data=mnist_sample", "trainer.max_epochs=2", "trainer=cpu", "callbacks.progress.refresh_seconds=0"'
    steps = steps.replace('"trainer.max_epochs=1"', quick)
    the_import, train, *rest = [line for line in steps.splitlines() if line]
    typed = f"!{sys.executable} {REPOSITORY}/train.py data=mnist_sample trainer=cpu trainer.max_epochs=1"
    return [f"{the_import}\n{train}", *rest, re.sub(r"\bMNIST\b", "MNISTSample", classes), f"{typed}; echo status $?"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with the output of its cells."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    folder = tmp_path_factory.mktemp("notebook")
    data = MNISTSample()
    data.prepare_data()
    data.setup()
    images, _ = data.test_set.__getitems__([0])
    Image.fromarray(images[0, 0].numpy()).save(folder / "photo.png")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells()])
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def printed(cell) -> str:
    shown = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.outputs]
    return "\n".join(shown)


def test_each_step_shows_what_it_should(executed):
    trained, measured, plotted, loaded, predicted, classes, typed = executed.cells
    assert re.search(r"epoch 2/2 +train: loss .* val: loss .* acc", printed(trained))
    assert "'test/acc': 0." in printed(measured)
    assert "image/png" in plotted.outputs[0].data
    assert loaded.outputs == []
    assert "'probability'" in printed(predicted)
    assert "MnistCNN" in printed(predicted)
    assert not [out for out in classes.outputs if out.output_type == "error"]
    assert "completed after 1 epoch" in printed(typed)
    assert "status 0" in printed(typed)
    assert "Traceback" not in printed(typed)


def test_the_bar_is_one_line_that_is_empty_in_the_end(executed):
    trained = executed.cells[0]
    lines = [out for out in trained.outputs if out.get("data", {}).get("text/plain") == ""]
    assert len(lines) == 1
    assert "━" not in printed(trained)
