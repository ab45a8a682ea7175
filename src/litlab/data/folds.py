"""Splits that have a part of each class: of one drawing, and of stratified k-fold cross-validation."""

from typing import Any

import numpy as np
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
    sorted_by_class = order[torch.argsort(labels[order], stable=True)]
    return sorted_by_class[fold::folds].sort().values


def by_class(order: Tensor, classes: Tensor) -> Tensor:
    """A random order in which each beginning has about the same part of each class. One of each class comes last.

    Args:
        order: the pictures in random order, int64 [N].
        classes: the number of the class of each picture, int64 [N].
    """
    labels = classes[order].numpy()
    together = np.argsort(labels, kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    size = np.repeat(sizes, sizes)  # of the class of each picture, class after class
    seen = np.arange(1, len(labels) + 1) - np.repeat(sizes.cumsum() - sizes, sizes)
    places = np.empty(len(labels), np.float32)
    places[together] = np.where(seen == size, 1.0, (seen - 0.5) / size)
    return order[torch.from_numpy(places).argsort(stable=True)]
