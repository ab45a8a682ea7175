"""What the network predicted in the last evaluation of a run, as the page shows it."""

from dataclasses import dataclass, field
from typing import Any

import lightning
import torch
from torch import Tensor

from litlab.callbacks import outputs_of
from litlab.data import DataModule, Points, file_of
from litlab.figures import as_uint8
from litlab.modules import Classification, Multilabel, Supervised

PICTURES = 8  # right ones, and as many wrong ones
CURVE = 200  # points of the curve through the data
VALUES = 2000  # dots in the plot of a regression
SPLITS = {"train": "training", "val": "validation", "test": "test"}  # in words


@dataclass
class Sample:
    """An image uint8 [C, H, W] with its predicted and its true class, or with points [P, 2] as shares of its size.

    Args:
        file: of the image, if it has one.
        probability: of the predicted class.
    """

    image: Tensor
    predicted: Any
    true: Any
    file: str | None = None
    probability: float | None = None


@dataclass
class Evaluation:
    """What the network predicted for the images of a split.

    Args:
        split: `test` or `val`.
        matrix: int64 [num_classes, num_classes], a row for each true class; None where there are no classes.
        right, wrong: samples. Those of a regression are all in `right`.
        values: true and predicted numbers of a regression, [N] each.
        after: which of the run's networks predicted, if it is not that of the best checkpoint.
        fit: of a regression of one number: x and y of the points, [N] each, and of the network's curve, [M] each.
    """

    split: str
    matrix: Tensor | None = None
    right: list[Sample] = field(default_factory=list)
    wrong: list[Sample] = field(default_factory=list)
    values: tuple[Tensor, Tensor] | None = None
    fit: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
    after: str = ""

    @property
    def images(self) -> str:
        """Which images, in words: `validation set`."""
        return " ".join(filter(None, [SPLITS[self.split], "set", self.after]))


def last_evaluation(trainer: lightning.Trainer, module: Supervised, data: DataModule, split: str) -> Evaluation | None:
    """What the network predicted in its last pass over `split`. All processes must call this; rank 0 gets it.

    Returns None where nothing was evaluated.
    """
    if isinstance(data, Points):
        return _of_points(module, data) if trainer.is_global_zero else None
    loader: Any = data.test_dataloader() if split == "test" else data.val_dataloader()
    if isinstance(module, Classification):
        return _of_classes(trainer, data, split, loader)
    outputs = outputs_of(trainer)
    if not trainer.is_global_zero or not outputs or isinstance(module, Multilabel):
        return None
    predictions, targets = outputs.predictions.float().cpu(), outputs.targets.cpu()
    found = Evaluation(split, values=(targets.flatten()[:VALUES], predictions.flatten()[:VALUES]))
    if len(data.input_shape) == 3 and targets.shape[-1:] == (2,):  # points on images
        rows = range(min(2 * PICTURES, len(targets)))
        images = _images(data, loader, [_order(loader)[row] for row in rows])
        found.right = [Sample(image, predictions[row], targets[row]) for image, row in zip(images, rows, strict=True)]
    return found


def _of_points(module: Supervised, data: Points) -> Evaluation:
    x, y = data.points()
    curve_x = torch.linspace(x.min().item(), x.max().item(), CURVE)
    was_training = module.training
    with torch.no_grad():
        curve_y = module.eval()(curve_x[:, None].to(module.device))[:, 0].float().cpu()
    module.train(was_training)
    return Evaluation("train", fit=(x, y, curve_x, curve_y))


def _of_classes(trainer: lightning.Trainer, data: DataModule, split: str, loader: Any) -> Evaluation | None:
    outputs = outputs_of(trainer)
    counts = outputs.confusion(trainer, data.num_classes).cpu()
    pictures = len(data.input_shape) == 3
    order = _order(loader) if pictures and outputs else []
    mistakes = outputs.most_wrong(trainer, order, PICTURES) if pictures else []
    if not trainer.is_global_zero or not outputs:
        return None
    found = Evaluation(split, counts)
    if pictures:
        predicted, targets = outputs.predictions.argmax(1).cpu(), outputs.targets.cpu()
        good = (predicted == targets).nonzero()[:, 0]
        rows = good[torch.linspace(0, max(0, len(good) - 1), min(PICTURES, len(good))).long()].tolist()
        images = _images(data, loader, [order[row] for row in rows])
        found.right = [Sample(image, targets[row], targets[row]) for image, row in zip(images, rows, strict=True)]
        images = _images(data, loader, [mistake.index for mistake in mistakes])
        found.wrong = [
            Sample(image, m.predicted, m.true, file_of(loader.dataset, m.index), m.probability)
            for image, m in zip(images, mistakes, strict=True)
        ]
    return found


def _order(loader: Any) -> list[int]:
    """The indices of the images that this process has seen, in order."""
    return [index for batch in loader.batch_sampler for index in batch]


def _images(data: DataModule, loader: Any, indices: list[int]) -> Any:
    """Images of the loader's data set, uint8 [N, C, H, W]."""
    return as_uint8(loader.dataset.__getitems__(indices)[0], data.mean, data.std) if indices else []
