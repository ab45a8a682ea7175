"""A DataLoader that can resume in the middle of an epoch."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from litlab.data.batches import EpochBatchSampler
from litlab.data.in_memory import ImageDataset
from litlab.data.workers import WatchedWorkers


class OtherBatches(ValueError):
    """A pass that was saved in its middle cannot go on, because its batches would be different now."""


class EpochLoader(DataLoader):
    """A DataLoader over an `EpochBatchSampler` that can begin a pass in its middle.

    It never uses torch's global generator. (A plain DataLoader draws a seed for its workers in each pass.) So the
    random numbers of a training do not depend on how often a pass was begun, nor in which process.

    Args:
        dataset: returns a whole batch from `__getitems__`.
        batch_sampler: the order of the batches.
        patience: seconds without a batch, after which the workers are killed, see `WatchedWorkers`.
        arguments: those of a DataLoader.
    """

    batch_sampler: EpochBatchSampler

    def __init__(
        self, dataset: Dataset, batch_sampler: EpochBatchSampler, patience: int = 20, **arguments: Any
    ) -> None:
        super().__init__(dataset, batch_sampler=batch_sampler, generator=torch.Generator(), **arguments)
        self.patience = patience
        self.position = 0  # number of the next batch in the current pass
        self.waited = 0.0  # seconds spent waiting for batches, without the first batch of each pass

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator, so that a pass begins at its first batch: Lightning makes the iterator before it sets the epoch.
        self.generator.manual_seed(self.batch_sampler.seed_of_epoch)
        first = self.position = self.batch_sampler.start
        batches = self._batches()
        while True:
            asked = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            if self.position > first:
                self.waited += time.perf_counter() - asked
            self.position += 1
            yield batch

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
        self.batch_sampler.start_at(state["given"] if state["given"] < len(self) else 0)
