"""What the network predicted, on the page of a run."""

import io
from types import SimpleNamespace

import numpy as np
import torch
from pages import classes, some
from PIL import Image
from scripts import asked

from litlab.figures import confusion_matrix
from litlab.modules import Regression
from litlab.networks import MLP
from litlab.report import Evaluation, Sample, last_evaluation, predictions
from litlab.report.draw import draw


def pixels(page) -> np.ndarray:
    file = io.BytesIO()
    draw(page).savefig(file, format="png", dpi=100)
    return np.array(Image.open(file).convert("RGB"))


def stands_at(part: np.ndarray, whole: np.ndarray) -> bool:
    """Whether a picture stands somewhere in another, pixel for pixel."""
    rows = np.lib.stride_tricks.sliding_window_view(whole, (1, 40, 3))[:, :, 0, 0]  # 40 pixels of a row, at each place
    y, x = part.shape[0] // 3, part.shape[1] // 2
    for top, left in np.argwhere((rows == part[y, x : x + 40]).all((2, 3))):
        there = whole[top - y : top - y + part.shape[0], left - x : left - x + part.shape[1]]
        if there.shape == part.shape and (there == part).all():
            return True
    return False


def test_the_confusion_matrix_is_on_the_page_pixel_for_pixel(monkeypatch):
    drawn = []

    def kept(*arguments, **options):
        drawn.append(confusion_matrix(*arguments, **options))
        return drawn[-1]

    monkeypatch.setattr(predictions, "confusion_matrix", kept)
    whole = pixels(some(**classes(["cat", "dog", "bird"])))
    (matrix,) = drawn
    assert stands_at(matrix.permute(1, 2, 0).numpy(), whole)


def test_right_and_wrong_images_are_on_the_page():
    right = torch.zeros(3, 32, 32, dtype=torch.uint8)
    right[0] = 255
    wrong = torch.zeros(3, 32, 32, dtype=torch.uint8)
    wrong[2] = 255
    found = Evaluation("test", torch.eye(2, dtype=torch.long), [Sample(right, 0, 0)], [Sample(wrong, 1, 0)])
    drawn = pixels(some(class_names=["cat", "dog"], evaluation=found))
    (red_rows, red_columns), (blue_rows, blue_columns) = (
        np.nonzero((drawn == colour).all(2)) for colour in ((255, 0, 0), (0, 0, 255))
    )
    assert len(set(red_rows)) == len(set(red_columns)) == len(set(blue_rows)) == len(set(blue_columns)) == 72
    assert red_rows.max() < blue_rows.min()


def test_a_regression_of_one_number_shows_its_fit():
    run = asked("experiment=linear_regression", "trainer=cpu")
    data, network = run.build("data"), MLP(input_shape=(1,), num_classes=1, hidden=())
    data.setup()
    trainer = SimpleNamespace(is_global_zero=True)
    found = last_evaluation(trainer, Regression(network), data, "val")
    x, y, curve_x, curve_y = found.fit
    assert (x.tolist(), y.tolist()) == tuple(part.tolist() for part in data.points())
    assert (curve_x[0], curve_x[-1]) == (x.min(), x.max())
    torch.testing.assert_close(curve_y, network(curve_x[:, None])[:, 0].detach())
    axes = draw(some(evaluation=found)).axes[-2 if some().sentences else -1]
    assert [line.get_label() for line in axes.lines] == ["network", "points"]
