"""Data sets of torch's kind, whose items are single inputs and targets, as litlab reads them: in whole batches."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, default_collate


class Collated(Dataset[tuple[Tensor, Tensor]]):
    """A data set whose `__getitem__` returns an input and a target, with whole batches as `default_collate` makes them.

    Decimal numbers of 64 bits, which those of Python and NumPy are, become float32.

    Args:
        dataset: such as torch's `TensorDataset` or `Subset`, or one of torchvision's.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    @property
    def targets(self) -> Tensor:
        """The targets of all items [N, ...]. Without an attribute of this name, each item is read for its target."""
        known = getattr(self.dataset, "targets", None)
        return torch.as_tensor([target for _, target in self.dataset] if known is None else known)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __getitems__(self, batch: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """A whole batch: inputs [B, ...] and targets [B, ...]."""
        found: Any = tuple(_in_32_bits(part) for part in default_collate([self.dataset[int(index)] for index in batch]))
        return found


def _in_32_bits(values: Any) -> Any:
    return values.float() if isinstance(values, Tensor) and values.dtype == torch.float64 else values


class InWholeBatches:
    """An attribute of a data module: a data set that returns whole batches, or None. Others become `Collated`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.place = f"_{name}"

    def __get__(self, module: Any, owner: type) -> Any:
        return None if module is None else vars(module).get(self.place)

    def __set__(self, module: Any, dataset: Any) -> None:
        # The `__getitems__` of a Subset returns a list of items.
        is_whole = dataset is None or (hasattr(dataset, "__getitems__") and not isinstance(dataset, Subset))
        vars(module)[self.place] = dataset if is_whole else Collated(dataset)
