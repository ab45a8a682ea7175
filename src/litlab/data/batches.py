"""Which images form which batch, in which order, on which process."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler


class SeededBatch(list[int]):
    """The indices of one batch, with the seed of all that is drawn for its images one by one.

    With it these images do not depend on which process makes them, nor on what that process has drawn before.
    """

    def __init__(self, indices: Iterable[int], seed: int) -> None:
        super().__init__(indices)
        self.seed = seed


class EpochBatchSampler(Sampler[list[int]]):
    """Batches of indices that depend on `seed` and the epoch alone, so they are the same on every machine.

    The global batches are made first, then each is divided among the ranks. So `world_size` processes together train
    on the same batches as one process.

    Args:
        size: number of images.
        batch_size: of the global batch, all ranks together.
        shuffle: True for a new permutation in each epoch (see `set_epoch`), False for the order of the data set.
        seed: of the permutations.
        weights: float [size], how often each image is drawn, relative to the others, with replacement. None draws each
            image once. Needs `shuffle`.
        drop_last: leave out a last batch that is not full.
        rank: this process, 0 to `world_size` - 1.
        world_size: number of processes that share each global batch.
        pad: for training. Repeats images in a last batch that does not divide by `world_size`, so that all ranks have
            batches of the same size. False, for evaluation, uses every image exactly once. A last batch with fewer
            images than ranks is then joined to the batch before it, so that all ranks have equally many batches: FSDP,
            and DDP where it broadcasts buffers, wait for all ranks in every batch. A rank has no batch only if there
            are fewer images than ranks in all.

    Raises:
        ValueError: `rank` or `batch_size` do not fit `world_size`; the message begins with the argument's name.
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
        self.start = 0

    @property
    def sampler(self) -> "EpochBatchSampler":
        """Itself: Lightning calls `set_epoch` on a loader's `batch_sampler.sampler`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of the next pass."""
        self.epoch = epoch

    def start_at(self, batch: int) -> None:
        """Begin the next pass at this batch. The pass after it begins at the first batch again."""
        self.start = batch

    def __len__(self) -> int:
        return sum(self._has_share(start, end) for start, end in self.bounds())

    def __iter__(self) -> Iterator[list[int]]:
        first = self.start
        for number, batch in enumerate(self.tensors(), first):
            yield SeededBatch(batch.tolist(), self._seed_of(number, self.rank))

    def tensors(self) -> Iterator[Tensor]:
        """The same batches as int64 [B]."""
        order = self._order()
        first, self.start = self.start, 0
        for start, end in self.bounds()[first:]:
            batch = order[start:end]
            if self.pad and (missing := -len(batch) % self.world_size):
                batch = torch.cat((batch, order.repeat(-(-missing // self.size))[:missing]))
            if self._has_share(start, end):
                yield batch[self.rank :: self.world_size]

    @property
    def seed_of_epoch(self) -> int:
        """A seed made of `seed` and the epoch. (`seed` + epoch would give neighbouring seeds the same permutations.)"""
        return self._seed_of()

    def _seed_of(self, *parts: int) -> int:
        return int(np.random.SeedSequence((self.seed, self.epoch, *parts)).generate_state(1)[0])

    def bounds(self) -> list[tuple[int, int]]:
        """Where each global batch starts and ends in the order of the epoch."""
        end = self.size - self.size % self.batch_size if self.drop_last else self.size
        starts = list(range(0, end, self.batch_size))
        if not self.pad and len(starts) > 1 and end - starts[-1] < self.world_size:
            starts.pop()
        return list(zip(starts, [*starts[1:], end], strict=False))

    def _has_share(self, start: int, end: int) -> bool:
        """Whether this rank gets images of the global batch from `start` to `end`."""
        return self.pad or self.rank < end - start

    def _order(self) -> Tensor:
        if not self.shuffle:
            return torch.arange(self.size)
        generator = torch.Generator().manual_seed(self.seed_of_epoch)
        if self.weights is not None:
            return torch.multinomial(self.weights.double(), self.size, replacement=True, generator=generator)
        return torch.randperm(self.size, generator=generator)


def rarity(targets: Tensor, num_classes: int) -> Tensor:
    """One weight for each image, float32 [N]: 1 divided by the size of its class.

    Args:
        targets: the class of each image, int64 [N].
        num_classes: number of classes.
    """
    return (1.0 / torch.bincount(targets, minlength=num_classes))[targets]
