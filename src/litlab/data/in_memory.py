"""Data sets whose inputs and targets are tensors in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import Dataset

T = TypeVar("T")


class ImageDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images and labels held as two tensors; a split shares them and has its own `indices`.

    The images may be on a GPU; `indices` and the numbers of a batch are on the CPU.

    Args:
        images: uint8 [N, C, H, W]; or any other inputs [N, ...].
        labels: int64 [N]; or any other targets [N, ...].
        indices: int64 [M], the images of this split; None means all.

    Raises:
        ValueError: there are not as many labels as images.
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

    def __getitems__(self, batch: list[int] | Tensor) -> tuple[Tensor, Tensor]:
        """A whole batch in one indexing: images uint8 [B, C, H, W] and labels int64 [B]."""
        positions = torch.as_tensor(batch)
        if self.indices is not None:
            positions = self.indices[positions]
        if self.images.device != positions.device:
            positions = positions.to(self.images.device, non_blocking=True)
        return self.images.index_select(0, positions), self.labels.index_select(0, positions)


class CachedPictures(ImageDataset):
    """Image files that have been decoded already. No workers are needed to read them.

    Args:
        images: uint8 [R, C, H, W], in memory, or a file that is mapped into it.
        targets: [N, ...].
        paths: N image files.
        rows: where in `images` the picture of each file is, int64 [N]; None means that both have the same order.
    """

    def __init__(self, images: Tensor, targets: Tensor, paths: Sequence[Path], rows: Tensor | None = None) -> None:
        labels = targets
        if rows is not None:
            labels = targets.new_zeros(len(images), *targets.shape[1:])
            labels[rows] = targets
        super().__init__(images, labels, rows)
        self.paths = paths


def collate(batch: T) -> T:
    """The batch as it is: `__getitems__` has returned a whole batch already."""
    return batch
