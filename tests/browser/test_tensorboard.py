"""The real TensorBoard on two real runs, in a real browser: pytest -n 0 -m browser tests/browser

Needs `pip install -e ".[browser]"`, and Chromium with its driver (Debian: chromium, chromium-driver). Screenshots go to
the folder SCREENSHOTS, or to pytest's own.
"""

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from scripts import QUICK, finish, start
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

pytestmark = pytest.mark.browser

SHOWN = """
const found = [];
(function walk(node) {
  if (node.nodeType === Node.TEXT_NODE) { if (node.data.trim()) found.push(node.data.trim()); return; }
  if (['STYLE', 'SCRIPT', 'NOSCRIPT', 'TEMPLATE'].includes(node.nodeName)) return;
  if (node.nodeName === 'IMG' && node.naturalWidth) found.push(node.src);
  if (node.nodeName === 'IFRAME' && node.contentDocument?.body) walk(node.contentDocument.body);
  if (node.shadowRoot) walk(node.shadowRoot);
  node.childNodes.forEach(walk);
})(document.body);
return found;
"""  # all texts and loaded images of the page, in its shadow trees and frames too
CLICK = """
(function walk(node) {
  if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return;
  if (node.classList && node.classList.contains('heading') && node.getAttribute('open-button') === null) node.click();
  if (node.shadowRoot) walk(node.shadowRoot);
  node.childNodes.forEach(walk);
})(document.body);
"""  # opens each group of cards that is closed


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    """The folder of two runs with different learning rates."""
    folder = tmp_path_factory.mktemp("runs")
    rates = ["optimizer.lr=0.001,0.003", "hydra.sweep.dir=sweep"]
    settings = ["trainer.max_epochs=3", "trainer.log_every_n_steps=10", "callbacks.feature_maps.layer=features.0"]
    settings += ["callbacks.projector.in_sweeps=true"]
    done = finish(start("train.py", "-m", *QUICK, *settings, *rates, folder=folder), folder)
    assert done.status == 0, done.err
    return folder / "sweep"


@pytest.fixture(scope="module")
def address(sweep) -> str:
    """Where TensorBoard answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={sweep}", "--host=127.0.0.1", f"--port={port}"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            if len(json.load(urllib.request.urlopen(f"{address}/data/runs"))) == 2:
                break
        except OSError:
            pass
        assert time.monotonic() < deadline, "TensorBoard does not answer"
        time.sleep(0.2)
    yield address
    server.send_signal(signal.SIGINT)
    server.wait(20)


@pytest.fixture
def look(browser, address, tmp_path) -> Callable[[str, list[str]], list[str]]:
    """Opens a tab, waits until all of some texts are there, saves a screenshot, returns what the page shows."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def open_tab(tab: str, expected: list[str], tags: str = "") -> list[str]:
        browser.get("about:blank")
        browser.get(f"{address}/?tagFilter={tags}#{tab}")
        deadline = time.monotonic() + 90
        while True:
            browser.execute_script(CLICK)
            shown = browser.execute_script(SHOWN)
            missing = [text for text in expected if not any(text in piece for piece in shown)]
            if not missing:
                break
            assert time.monotonic() < deadline, f"{tab}: {missing} not in {shown}"
            time.sleep(0.5)
        time.sleep(3)  # for the drawing, which follows the text
        browser.save_screenshot(str(folder / f"{tab}.png"))
        return browser.execute_script(SHOWN)

    return open_tab


JOBS = ["optimizer.lr=0.001", "optimizer.lr=0.003"]


def results(sweep: Path) -> list[dict]:
    return [json.loads((sweep / job / "result.json").read_text()) for job in JOBS]


def test_curves(look, sweep):
    """The table below a chart gives the last point of each run."""
    for job in JOBS:
        table = (sweep / job / "metrics.csv").read_text().splitlines()
        last = next(row for row in csv.DictReader(table) if row["step"] == "165" and row["val/loss"])
        expected = f"{float(last['val/loss']):.4g}", f"{float(last['train/loss']):.4g}"
        look("timeseries", [*JOBS, *expected], tags="^(train%7Cval)/(acc%7Closs)$")


def test_scalars(look):
    look("scalars", [*JOBS, "gradient_norm", "images_per_second", "lr-Adam", "val/loss", "memory/cpu"])


def test_images(look, sweep):
    """What the page has loaded are the pictures of the runs, byte for byte."""
    shown = look(
        "images",
        [
            *JOBS,
            "view/confusion/val",
            "view/wrong/val",
            "view/pictures/train",
            "view/filters",
            "view/feature_maps/features.0",
        ],
    )
    loaded = {url for url in shown if "individualImage" in url}
    assert len(loaded) >= 2
    written = set()
    for job in JOBS:
        events = EventAccumulator(str(sweep / job), size_guidance={"images": 0})
        events.Reload()
        written |= {e.encoded_image_string for tag in events.Tags()["images"] for e in events.Images(tag)}
    assert {urllib.request.urlopen(url).read() for url in loaded} <= written


def test_graph(look):
    look("graphs", [*JOBS[:1], "MnistCNN", "input", "output"])


@pytest.mark.parametrize("tab", ["distributions", "histograms"])
def test_weights_and_gradients(look, tab):
    shown = look(tab, [*JOBS, "weights_gradients/classifier.0.weight", "weights/classifier.0.weight"])
    assert "165" in shown or "160" in shown  # the step axis ends at the last step: 3 epochs of 55


def test_hparams(look, sweep):
    shown = look("hparams", [*JOBS, "result/val/acc", "MnistCNN"])
    for result in results(sweep):
        value = f"{result['metrics']['val/acc']:.5g}"
        assert any(piece.startswith(value) for piece in shown), f"{value} not in {shown}"
    assert shown.index("optimizer.lr") < shown.index("loss")


def test_precision_and_recall(look):
    look("pr_curves", [*JOBS, "precision_recall/0", "step 165"])


def test_text(look):
    look("text", [*JOBS, "_target_: litlab.networks.MnistCNN"])


def test_projector(look):
    shown = look("projector", ["penultimate layer", "Points:", "300"])
    assert any(re.search("optimizer.lr", piece) for piece in shown)
