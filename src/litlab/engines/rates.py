"""Learning rates as tensors, so that a captured step of the optimizer takes what they are at each replay."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.optim import Optimizer


class TensorRates:
    """The learning rate of each group of an optimizer as a tensor, float32 [].

    Between steps the groups hold plain numbers, which schedules, logging and checkpoints work with.

    Args:
        optimizer: of the run.
        device: of its parameters.
    """

    def __init__(self, optimizer: Optimizer, device: torch.device) -> None:
        self.optimizer = optimizer
        self.values = torch.zeros(1, len(optimizer.param_groups), device=device)  # one memory for all
        self.tensors = self.values[0].unbind()

    def now(self) -> list[float]:
        """The plain numbers."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def fill(self) -> None:
        """Gives the tensors the plain numbers, without a wait for the device."""
        for tensor, rate in zip(self.tensors, self.now(), strict=True):
            tensor.fill_(rate)

    @contextlib.contextmanager
    def in_groups(self) -> Iterator[None]:
        """In the block the groups hold the tensors, and the optimizer may be captured."""
        before: list[dict[str, Any]] = []
        for group, tensor in zip(self.optimizer.param_groups, self.tensors, strict=True):
            before.append({name: group[name] for name in ("lr", "capturable") if name in group})
            group["lr"] = tensor
            if "capturable" in group:
                group["capturable"] = True
        try:
            yield
        finally:
            for group, values in zip(self.optimizer.param_groups, before, strict=True):
                group.update(values)
