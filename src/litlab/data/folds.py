"""Stratified k-fold cross-validation: which images are held out in which fold."""

from typing import Any

import torch
from torch import Tensor

from litlab.data.arguments import whole_number


def checked_folds(folds: Any, fold: Any) -> tuple[int | None, int]:
    """The number of folds, and which of them is held out, from 0. None for `fold` means the first.

    Raises:
        ValueError: the message begins with the argument's name.
    """
    number = None if folds is None else whole_number("folds", folds, 2)
    which = whole_number("fold", fold or 0, 0)
    if number is None and fold is not None:
        raise ValueError(f"fold={fold} needs folds: write folds=5 beside it")
    if number is not None and which >= number:
        raise ValueError(f"fold must be below folds, {number}, not {fold}")
    return number, which


def held_out(order: Tensor, labels: Tensor, folds: int, fold: int) -> Tensor:
    """Sorted indices of one fold, int64. Each image is in one fold, and each fold has its share of every class.

    Args:
        order: the indices of all images in random order, int64 [N].
        labels: the class of each image, [N].
        folds: their number.
        fold: which one, from 0.
    """
    by_class = order[torch.argsort(labels[order], stable=True)]
    return by_class[fold::folds].sort().values
