"""A DataLoader that can resume in the middle of an epoch."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from litlab.data.batches import EpochBatchSampler
from litlab.data.block import Block
from litlab.data.in_memory import ImageDataset
from litlab.data.workers import WatchedWorkers


class OtherBatches(ValueError):
    """A pass that was saved in its middle cannot go on, because its batches would be different now."""


class EpochLoader(DataLoader):
    """A DataLoader over an `EpochBatchSampler` that can begin a pass in its middle.

    It never uses torch's global generator. A plain DataLoader draws a seed for its workers from it in each pass. Here
    the random numbers of a training do not depend on how often a pass was begun, nor in which process.

    Args:
        dataset: returns a whole batch from `__getitems__`.
        batch_sampler: the order of the batches.
        trained_on: the device that waits for the batches.
        patience: seconds without a batch, after which the workers are killed, see `WatchedWorkers`.
        arguments: those of a DataLoader.
    """

    batch_sampler: EpochBatchSampler

    def __init__(
        self,
        dataset: Dataset,
        batch_sampler: EpochBatchSampler,
        patience: int = 20,
        trained_on: torch.device | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(dataset, batch_sampler=batch_sampler, generator=torch.Generator(), **arguments)
        self.patience, self.trained_on = patience, trained_on
        self.position = 0  # number of the next batch in the current pass
        self.waited = 0.0  # seconds spent waiting for batches, without the first batch of each pass
        self.plan: Callable[[int], int] | None = None  # the number of batches in the next block

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator, so that a pass begins at its first batch: Lightning makes the iterator before it sets the epoch.
        yield from self._single_batches() if self.plan is None else self._blocks(self.plan)

    def _single_batches(self) -> Iterator[Any]:
        self.generator.manual_seed(self.batch_sampler.seed_of_epoch)
        first = self.position = self.batch_sampler.start
        batches = self._batches()
        while True:
            asked = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            if self.position > first and self._device_waits():
                self.waited += time.perf_counter() - asked
            self.position += 1
            yield batch

    def _device_waits(self) -> bool:
        """True if the device has nothing to do. A GPU may still be busy with the steps before."""
        device = self.trained_on
        return device is None or device.type != "cuda" or torch.cuda.current_stream(device).query()

    def give_blocks(self, plan: Callable[[int], int]) -> None:
        """Gives blocks of batches from the next pass on.

        Args:
            plan: from the number of batches of one size that come next to the number of batches in the next block.
        """
        self.plan = plan

    def _blocks(self, plan: Callable[[int], int]) -> Iterator[Block]:
        """The same batches in blocks, each of batches of one size."""
        sampler, place = self.batch_sampler, self.batch_sampler.start
        sizes = [end - start for start, end in sampler.bounds()]
        rows: Iterator[Tensor] | None = None
        if isinstance(self.dataset, ImageDataset) and not self.num_workers:
            rows, self.position = sampler.tensors(), place
        batches = self._single_batches()
        while place < len(sizes):
            alike = next((n for n, size in enumerate(sizes[place:]) if size != sizes[place]), len(sizes) - place)
            count, is_whole = plan(alike), sizes[place] == sampler.batch_size
            place += count
            if rows is None:
                yield Block(count, is_whole, batches=batches)
            else:
                self.position = place
                yield Block(count, is_whole, self.dataset, torch.stack([next(rows) for _ in range(count)]))

    def _batches(self) -> Iterator[Any]:
        if self.num_workers:
            return WatchedWorkers(self, self.patience).batches(super().__iter__)
        if isinstance(self.dataset, ImageDataset) and not self.pin_memory:
            # The same batches as DataLoader's own, which takes longer than the indexing of a small batch.
            return (self.dataset.__getitems__(indices) for indices in self.batch_sampler.tensors())
        return super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """The position in the current pass, and the facts that say whether another loader has the same batches."""
        sampler = self.batch_sampler
        facts = {name: getattr(sampler, name) for name in ("size", "batch_size", "shuffle", "seed", "drop_last")}
        return {"given": self.position, "sampler": facts | {"balanced": sampler.weights is not None}}

    def check_same(self, state: dict[str, Any]) -> None:
        """Checks that `state` was saved over the same batches.

        Raises:
            OtherBatches: it was not; the message begins with the name of the argument that differs.
        """
        for name, now in self.state_dict()["sampler"].items():
            if (then := state["sampler"].get(name, now)) != now:  # an old checkpoint may not have all facts
                name = "train_limit" if name == "size" else name
                raise OtherBatches(f"{name}={now}: it was {then}, and can change at the end of an epoch only")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Begins the next pass at the batch after the last one that was given when `state` was saved.

        Raises:
            OtherBatches: the batches are different now; the message begins with the argument's name.
        """
        self.check_same(state)
        # A checkpoint may be saved before that pass begins.
        self.position = state["given"] if state["given"] < len(self) else 0
        self.batch_sampler.start_at(self.position)
