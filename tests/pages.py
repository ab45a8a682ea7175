"""Pages of runs that never were, with much and with little to show."""

import torch

from litlab.report import Evaluation, Page, Sample


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
    return {"class_names": names, "evaluation": Evaluation("test", matrix, pictures, pictures[:wrong])}


def points() -> Evaluation:
    pictures = [
        Sample(torch.zeros(3, 60, 40, dtype=torch.uint8), torch.rand(5, 2) * 2, torch.rand(5, 2)) for _ in "123"
    ]
    return Evaluation("val", None, pictures, [], (torch.rand(30), torch.rand(30)))


LONG = "a class $with a _very_ long <name>"
PAGES = {
    "ten classes": some(**classes(list("0123456789"))),
    "two": some(**classes(["cat", "dog"], (3, 64, 48), wrong=0)),
    "long names": some(**classes([f"{i} {LONG}" for i in range(12)], (3, 32, 96))),
    "thirty": some(**classes([f"class {i}" for i in range(30)])),
    "a hundred": some(**classes([f"class {i}" for i in range(100)])),
    "points": some(evaluation=points()),
    "numbers": some(evaluation=Evaluation("test", values=(torch.rand(30), torch.rand(30)))),
    "a fit": some(evaluation=Evaluation("train", fit=(*torch.rand(2, 6), torch.linspace(0, 1, 9), torch.rand(9)))),
    "no validation": some(history={"train/loss": [(6, 3.0), (12, 0.05)], "train/r2": [(6, -1.0), (12, 0.9)]}),
    "failed at once": some(history={"train/loss_step": [(0, 2.3)]}, sentences=["diverged: NaN"], best_step=None),
    "nothing": some(history={}, sentences=[], settings={}, metrics={}, best_step=None),
    "long settings": some(settings=dict.fromkeys("abcdefghi", "SGD, lr 0.05, momentum 0.9, weight_decay 0.0005")),
    "a long title": some(
        title="ALongNameOfANetwork on a data set of one's own", headline="mean error 0.001234, validation"
    ),
    "much to say": some(sentences=["overfitting: " + "word " * 70] * 4, **classes(list("0123456789"))),
}
