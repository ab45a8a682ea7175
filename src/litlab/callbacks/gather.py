"""What each process of a run has, told to all of them."""

from typing import TypeVar

import torch

T = TypeVar("T")


def gathered(value: T, world_size: int) -> list[T]:
    """The `value` of every rank, in order. All of them must call this."""
    if world_size == 1:
        return [value]
    values: list[T] = [value] * world_size
    torch.distributed.all_gather_object(values, value)
    return values
