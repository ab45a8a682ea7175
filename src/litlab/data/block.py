"""Batches that a step engine trains on one after the other, without Lightning in between."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Block:
    """Batches of one size.

    Args:
        count: number of batches.
        is_whole: whether they have the full batch size.
        dataset: an `ImageDataset` from which they are taken, or None if they come from a loader one by one.
        rows: numbers of the images in the data set, int64 [count, B].
        batches: gives the batches if there is no `dataset`.
    """

    def __init__(
        self,
        count: int,
        is_whole: bool,
        dataset: Any = None,
        rows: Tensor | None = None,
        batches: Iterator[Any] | None = None,
    ) -> None:
        self.count, self.is_whole, self.dataset, self.rows = count, is_whole, dataset, rows
        self._first: tuple[Tensor, Tensor] | None = None
        self._batches = batches or iter(())

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.rows is not None:
            yield from (self.dataset.__getitems__(row) for row in self.rows)
            return
        for _ in range(self.count):
            batch, self._first = self._first or next(self._batches), None
            yield batch

    @property
    def positions(self) -> Tensor:
        """Numbers of the images in the tensor that all splits share, int64 [count, B]."""
        assert self.rows is not None
        positions: Tensor = self.rows if self.dataset.indices is None else self.dataset.indices[self.rows]
        return positions

    def is_on(self, device: torch.device) -> bool:
        """True if the images are in a data set on this device."""
        return self.rows is not None and self.dataset.images.device == device

    def first(self) -> tuple[Tensor, Tensor]:
        """The first batch. It is not used up."""
        if self.rows is not None:
            return next(iter(self))
        batch: tuple[Tensor, Tensor] = self._first or next(self._batches)
        self._first = batch
        return batch
