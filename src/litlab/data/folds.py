"""Stratified k-fold cross-validation: which images are held out in which fold."""

import torch
from torch import Tensor


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
