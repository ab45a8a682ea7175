"""Images in memory, and the order in which a run sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

T = TypeVar("T")


class ImageDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images and labels held as two tensors; a split is a view through `indices`, never a copy.

    Args:
        images: uint8 [N, C, H, W]; or any other inputs, one a row.
        labels: int64 [N]; or any other targets, one a row.
        indices: int64 [M], which images belong to this split; None means all.
    """

    def __init__(self, images: Tensor, labels: Tensor, indices: Tensor | None = None) -> None:
        if len(images) != len(labels):
            raise ValueError(f"images and labels must be equally many, not {len(images)} and {len(labels)}")
        self.images = images
        self.labels = labels
        self.indices = indices

    @property
    def targets(self) -> Tensor:
        """The labels of this split, int64 [M]."""
        return self.labels if self.indices is None else self.labels[self.indices]

    def __len__(self) -> int:
        return len(self.images if self.indices is None else self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One image uint8 [C, H, W] and its label, int64 []."""
        position = index if self.indices is None else self.indices[index]
        return self.images[position], self.labels[position]

    def __getitems__(self, batch: list[int]) -> tuple[Tensor, Tensor]:
        """A whole batch, images uint8 [B, C, H, W] and labels int64 [B], in one indexing."""
        positions = torch.tensor(batch)
        if self.indices is not None:
            positions = self.indices[positions]
        return self.images.index_select(0, positions), self.labels.index_select(0, positions)


def collate(batch: T) -> T:
    """`__getitems__` returns a whole batch: there is nothing left to collate."""
    return batch


class EpochBatchSampler(Sampler[list[int]]):
    """Batches of indices, the same on every machine: the order depends on `seed` and the epoch alone.

    The global batches are cut first and each is then dealt to the ranks, so that `world_size` processes together
    train on the very batches that one process would.

    Args:
        size: how many images there are.
        batch_size: of the global batch, all ranks together.
        shuffle: a new permutation each epoch (see `set_epoch`); otherwise the order of the data set.
        seed: of the permutations.
        weights: float [size], how often each image is drawn, relative to the others, with replacement; None for a
            permutation, in which each comes once. Needs `shuffle`.
        drop_last: leave out a last batch that is not full.
        rank: this process, 0 to `world_size` - 1.
        world_size: how many processes share each global batch.
        pad: repeat images in a last batch that does not divide among the ranks, so that all ranks hold batches of
            one size: for training. False, for evaluation, deals every image exactly once; a last batch with fewer
            images than ranks joins the one before it, because ranks that run a different number of batches wait
            for each other forever where DDP broadcasts buffers (batch norm's). Only when there are fewer images than
            ranks in all is there a rank with no batch.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int,
        weights: Tensor | None = None,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
        pad: bool = True,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be from 0 to {world_size - 1}, not {rank}")
        if batch_size < world_size or (pad and batch_size % world_size):
            kind = "a multiple of" if pad else "at least"
            raise ValueError(f"batch_size must be {kind} {world_size}, the number of processes, not {batch_size}")
        self.size = size
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.weights = weights
        self.drop_last = drop_last
        self.rank = rank
        self.world_size = world_size
        self.pad = pad
        self.epoch = 0

    @property
    def sampler(self) -> EpochBatchSampler:
        """Itself: Lightning calls `set_epoch` on a loader's `batch_sampler.sampler`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(self._has_share(start, end) for start, end in self._bounds())

    def __iter__(self) -> Iterator[list[int]]:
        order = self._order()
        for start, end in self._bounds():
            batch = order[start:end]
            if self.pad and (short := -len(batch) % self.world_size):
                batch = torch.cat((batch, order.repeat(-(-short // self.size))[:short]))
            if self._has_share(start, end):
                yield batch[self.rank :: self.world_size].tolist()

    def _bounds(self) -> list[tuple[int, int]]:
        end = self.size - self.size % self.batch_size if self.drop_last else self.size
        starts = list(range(0, end, self.batch_size))
        if not self.pad and len(starts) > 1 and end - starts[-1] < self.world_size:
            starts.pop()
        return list(zip(starts, [*starts[1:], end], strict=False))

    def _has_share(self, start: int, end: int) -> bool:
        return self.pad or self.rank < end - start

    def _order(self) -> Tensor:
        if not self.shuffle:
            return torch.arange(self.size)
        # SeedSequence mixes the two: seed + epoch would give neighbouring seeds the same permutations.
        mixed = int(np.random.SeedSequence((self.seed, self.epoch)).generate_state(1)[0])
        generator = torch.Generator().manual_seed(mixed)
        if self.weights is not None:
            return torch.multinomial(self.weights.double(), self.size, replacement=True, generator=generator)
        return torch.randperm(self.size, generator=generator)
