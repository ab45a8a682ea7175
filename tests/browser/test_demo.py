"""The page of `predict.py demo=true`, in a real browser: pytest -n 0 -m browser tests/browser

Needs `pip install -e ".[browser,demo]"`, and Chromium with its driver (Debian: chromium, chromium-driver). Screenshots
go to the folder SCREENSHOTS, or to pytest's own.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pictures import draw_folder
from scripts import Finished, finish, start

pytestmark = pytest.mark.browser

SEVEN = [(-70, -80), (70, 0), (70, 0), (-40, 70), (-25, 50), (-10, 50)]  # pixels: the first from the middle


@contextmanager
def page(folder: Path, temporary: Path, *arguments: str) -> Iterator[str]:
    """Serves the newest run of a folder, and yields the address. SIGTERM ends it quietly and deletes the uploads."""
    pytest.importorskip("gradio")
    server = start("predict.py", "demo=true", *arguments, folder=folder, cold=True, TMPDIR=str(temporary))
    try:
        line = next((line for line in server.stdout if "the page is at" in line), "")
        assert line, server.stderr.read()
        assert list(temporary.glob("litlab-demo-*"))
        yield re.search(r"http://\S+", line).group()
    finally:
        server.send_signal(signal.SIGTERM)  # as Ctrl-C, which a process in the background may not get
        done = finish(server, folder)
    assert (done.status, done.err) == (0, "")
    assert not list(temporary.glob("litlab-demo-*"))


def wait_for(found: Callable[[], object], otherwise: str, seconds: float = 60):
    """What a function finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.3)
    return result


def train(folder: Path, *arguments: str) -> None:
    done: Finished = finish(start("train.py", *arguments, "callbacks.report.enabled=false", folder=folder), folder)
    assert done.status == 0, done.err


def element(browser, selector: str):
    """The first element that the page shows for a CSS selector."""
    return wait_for(lambda: displayed(browser, selector), f"nothing is {selector}")[0]


def displayed(browser, selector: str) -> list:
    return [found for found in browser.find_elements("css selector", selector) if found.is_displayed()]


def most_likely(browser) -> str:
    """The class that the page names first."""
    return element(browser, "#bars h2").text


def save(browser, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(folder / f"{name}.png"))


def test_a_drawn_seven_is_a_seven(browser, tmp_path):
    actions = pytest.importorskip("selenium.webdriver").ActionChains
    train(tmp_path, "data=mnist_sample", "trainer.max_epochs=8")
    with page(tmp_path, tmp_path) as address:
        browser.get(address)
        wait_for(lambda: len(browser.find_elements("css selector", ".gallery-item")) == 10, "no examples")
        next(tab for tab in displayed(browser, "button[role=tab]") if tab.text == "Drawing").click()
        canvas = element(browser, "#drawing canvas")
        element(browser, "#drawing button[aria-label='Brush Size']")  # the pen is chosen
        drawing = actions(browser, duration=50).move_to_element_with_offset(canvas, *SEVEN[0]).click_and_hold()
        for x, y in SEVEN[1:]:
            drawing = drawing.move_by_offset(x, y)
        drawing.release().perform()
        assert most_likely(browser) == "7"
        element(browser, "#seen img")
        save(browser, "demo_drawing", tmp_path)
        card = element(browser, "#card").text
        for text in ("MnistCNN, 183,726 parameters", "3,500 train, 500 val, 1,000 test images", "test/acc 0.9", "Adam"):
            assert text in card
        foreign = browser.execute_script(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
            f".filter(name => !name.startsWith('{address}') && !name.startsWith('data:') && !name.startsWith('blob:'))"
        )
        assert foreign == []


def test_a_photograph_is_its_class_and_a_bad_file_is_one_line(browser, tmp_path):
    draw_folder(tmp_path / "photos", count=20)
    folder = ["data=image_folder", f"data.data_dir={tmp_path / 'photos'}", "data.image_size=32", "data.val_size=8"]
    train(tmp_path, *folder, "model=lenet5", "optimizer.lr=0.003", "trainer.max_epochs=5")
    for name in ("blue", "red"):
        draw_folder(tmp_path / "new" / name, count=1, classes=(name,))
    (tmp_path / "bad.png").write_text("no picture")
    with page(tmp_path, tmp_path) as address:
        browser.get(address)
        for name in ("red", "blue"):
            upload(browser, tmp_path / "new" / name / name / "000.jpg")
            wait_for(lambda name=name: most_likely(browser) == name, f"not {name}")
        save(browser, "demo_photograph", tmp_path)
        upload(browser, tmp_path / "bad.png")
        said = element(browser, "#error textarea, #error input").get_attribute("value")
        assert said == "not a picture in a format that Pillow reads"
        browser.find_elements("css selector", ".gallery-item")[0].click()  # a validation image, and no error any more
        wait_for(lambda: not displayed(browser, "#error"), "the error stays")


def upload(browser, file: Path) -> None:
    """Gives a file to the page. The picture that was there is removed first."""
    for button in browser.find_elements("css selector", "#picture button[aria-label='Clear']"):
        button.click()
    wait_for(lambda: browser.find_elements("css selector", "#picture input[type=file]"), "no input")[0].send_keys(
        str(file)
    )
