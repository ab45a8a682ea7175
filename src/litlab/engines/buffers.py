"""The memory that a captured step reads from and writes to: it stays in one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from litlab.data import Block


class Buffers:
    """Inputs, learning rates and results of up to `steps` steps, and a counter that says which step is next.

    Where the data set is on the device, only the numbers of the images travel. Else each batch is copied to one place,
    without a wait.

    Args:
        block: like those that will come.
        steps: most steps of a block.
        device: of the training.
        groups: how many learning rates there are.
    """

    def __init__(self, block: Block, steps: int, device: torch.device, groups: int) -> None:
        self.device = device
        self.dataset: Any = block.dataset if block.is_on(device) else None
        self.next = torch.zeros(1, dtype=torch.long, device=device)
        self.rates = torch.zeros(steps, groups, device=device)
        if self.dataset is not None:
            assert block.positions is not None
            self.positions = torch.zeros(steps, block.positions.shape[1], dtype=torch.long, device=device)
        self.inputs: tuple[Tensor, Tensor] | None = None
        self.outputs: tuple[Tensor, ...] = ()
        self.steps = steps

    # Outside of the graph

    def begin(self, block: Block, rates: list[list[float]]) -> None:
        """Before the replays of a block: which images, and the learning rate of each group in each step."""
        self.next.zero_()
        self._send(torch.tensor(rates), self.rates)
        if self.dataset is not None:
            assert block.positions is not None
            self._send(block.positions, self.positions)

    def feed(self, block: Block) -> Iterator[None]:
        """Once before each replay of a block."""
        batches: Iterable[Any] = [None] * len(block) if self.dataset is not None else block
        for batch in batches:
            if batch is not None:
                self.put(batch)
            yield

    def put(self, batch: tuple[Tensor, Tensor]) -> None:
        """Copies a batch to where the graph reads it."""
        if self.inputs is None:
            images, targets = (torch.empty_like(part, device=self.device) for part in batch)
            self.inputs = images, targets
        for place, part in zip(self.inputs, batch, strict=True):
            place.copy_(part, non_blocking=True)

    def allocate(self, *results: Tensor) -> None:
        """Makes room for the results of `steps` steps like these: loss, predictions, targets."""
        kept = results if self.dataset is None else results[:2]  # else the data set has the targets
        self.outputs = tuple(
            torch.zeros(self.steps, *part.shape, dtype=part.dtype, device=self.device) for part in kept
        )

    def results(self, count: int) -> tuple[Tensor, ...]:
        """Copies of the results of a block: losses [K], predictions [K, B, ...], targets [K, B, ...]."""
        copies = tuple(part[:count].clone() for part in self.outputs)
        if self.dataset is None:
            return copies
        labels = self.dataset.labels.index_select(0, self.positions[:count].flatten())
        return (*copies, labels.view(count, -1, *labels.shape[1:]))

    def _send(self, values: Tensor, place: Tensor) -> None:
        values = values.pin_memory() if self.device.type == "cuda" else values
        place[: len(values)].copy_(values, non_blocking=True)

    # Within the graph

    def batch(self) -> tuple[Tensor, Tensor]:
        """The batch of the next step."""
        if self.dataset is None:
            assert self.inputs is not None
            return self.inputs
        positions = self.positions.index_select(0, self.next)[0]
        return self.dataset.images.index_select(0, positions), self.dataset.labels.index_select(0, positions)

    def rates_to(self, values: Tensor) -> None:
        """Writes the learning rates of the next step to `values`, [1, groups]."""
        torch.index_select(self.rates, 0, self.next, out=values)

    def keep(self, *results: Tensor) -> None:
        """Writes the results of the step, and counts it."""
        for place, result in zip(self.outputs, results, strict=False):
            place.index_copy_(0, self.next, result.detach().to(place.dtype)[None])
        self.next.add_(1)
