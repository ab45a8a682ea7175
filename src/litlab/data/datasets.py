"""Images in memory, and the order in which a run sees them."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

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

    def __getitems__(self, batch: list[int] | Tensor) -> tuple[Tensor, Tensor]:
        """A whole batch, images uint8 [B, C, H, W] and labels int64 [B], in one indexing."""
        positions = torch.as_tensor(batch)
        if self.indices is not None:
            positions = self.indices[positions]
        if self.images.device != positions.device:
            positions = positions.to(self.images.device, non_blocking=True)
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
        self.start = 0

    @property
    def sampler(self) -> EpochBatchSampler:
        """Itself: Lightning calls `set_epoch` on a loader's `batch_sampler.sampler`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(self._has_share(start, end) for start, end in self.bounds())

    def start_at(self, batch: int) -> None:
        """Begin the next pass, and only that, at this batch."""
        self.start = batch

    def __iter__(self) -> Iterator[list[int]]:
        return (batch.tolist() for batch in self.tensors())

    def tensors(self) -> Iterator[Tensor]:
        """The same batches as int64 [B]."""
        order = self._order()
        first, self.start = self.start, 0
        for start, end in self.bounds()[first:]:
            batch = order[start:end]
            if self.pad and (short := -len(batch) % self.world_size):
                batch = torch.cat((batch, order.repeat(-(-short // self.size))[:short]))
            if self._has_share(start, end):
                yield batch[self.rank :: self.world_size]

    def bounds(self) -> list[tuple[int, int]]:
        """Where each global batch begins and ends in the order of the epoch."""
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
        generator = torch.Generator().manual_seed(self.seed_of_epoch)
        if self.weights is not None:
            return torch.multinomial(self.weights.double(), self.size, replacement=True, generator=generator)
        return torch.randperm(self.size, generator=generator)

    @property
    def seed_of_epoch(self) -> int:
        # SeedSequence mixes the two: seed + epoch would give neighbouring seeds the same permutations.
        return int(np.random.SeedSequence((self.seed, self.epoch)).generate_state(1)[0])


class OtherBatches(ValueError):
    """A pass that was saved in its middle cannot go on, because its batches would be others."""


class BadPicture(ValueError):
    """A picture that was whole before training cannot be read, or not transformed, now. The message is one line."""


class WorkerFailed(RuntimeError):
    """A process that loads batches has died, or has made the training wait for too long."""


def ignore_signals(worker: int) -> None:
    """What a data worker does first: a signal sent to all processes is for the one that trains to act upon.

    A worker ends when its parent tells it to, or has gone.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(signum, signal.SIG_IGN)


class Block:
    """Batches of one size, that are trained on without Lightning in between.

    Args:
        count: how many.
        is_whole: whether they are of the full batch size.
        dataset: in memory, from which they are taken; None where they come one by one.
        rows: int64 [count, B], the numbers of the images in the data set.
        batches: where they come from otherwise.
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
        """Where the images are in the memory of the data set, int64 [count, B]."""
        assert self.rows is not None
        positions: Tensor = self.rows if self.dataset.indices is None else self.dataset.indices[self.rows]
        return positions

    def is_on(self, device: torch.device) -> bool:
        """Whether the images are in a data set on this device."""
        return self.rows is not None and self.dataset.images.device == device

    def first(self) -> tuple[Tensor, Tensor]:
        """The first batch, which is still to come."""
        if self.rows is not None:
            return next(iter(self))
        batch: tuple[Tensor, Tensor] = self._first or next(self._batches)
        self._first = batch
        return batch


class EpochLoader(DataLoader):
    """A DataLoader over an `EpochBatchSampler` that can go on in the middle of a pass.

    It draws nothing from torch's global generator (a plain DataLoader draws a seed for its workers in each pass), so
    the random numbers of a training do not depend on how often, or in which process, a pass was begun.

    Args:
        trained_on: the device that waits for batches.
        patience: seconds without a batch, after which workers that hang are killed. torch's own `timeout` does not
            cover the moment in which a batch is handed over: that wait has no end if the worker is stopped.
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
        self.trained_on = trained_on
        self.patience = patience
        self.given = 0
        self.waited = 0.0  # seconds in which training had no batch, but for the first of each pass
        self.plan: Callable[[int], int] | None = None  # how many batches a block has
        self._waits = False  # for a batch of a worker
        self._workers: list[Any] = []

    def give_blocks(self, plan: Callable[[int], int]) -> None:
        """From the next pass on gives blocks of batches.

        Args:
            plan: from the number of batches of one size that follow to the number of those in the next block.
        """
        self.plan = plan

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator, so that a pass begins at the first batch: Lightning makes the iterator before `set_epoch`.
        if self.plan is not None:
            yield from self._blocks(self.plan)
        else:
            yield from self._batches()

    def _blocks(self, plan: Callable[[int], int]) -> Iterator[Block]:
        """The same batches in blocks, each of batches of one size."""
        sizes = [end - start for start, end in self.batch_sampler.bounds()]
        place = self.batch_sampler.start
        if is_in_memory := isinstance(self.dataset, ImageDataset) and not self.num_workers:
            batches = self.batch_sampler.tensors()
            self.given = place
        else:
            batches = self._batches()
        while place < len(sizes):
            alike = next((n for n, size in enumerate(sizes[place:]) if size != sizes[place]), len(sizes) - place)
            count, is_whole = plan(alike), sizes[place] == self.batch_sampler.batch_size
            place += count
            if is_in_memory:
                self.given = place
                yield Block(count, is_whole, self.dataset, torch.stack([next(batches) for _ in range(count)]))
            else:
                yield Block(count, is_whole, batches=batches)

    def _batches(self) -> Iterator[Any]:
        self.generator.manual_seed(self.batch_sampler.seed_of_epoch)
        first = self.given = self.batch_sampler.start
        batches: Iterator[Any]
        if self.num_workers:
            batches = self._guarded()
        elif isinstance(self.dataset, ImageDataset) and not self.pin_memory:
            # What DataLoader would do, without its detours: they take longer than the indexing of a small batch.
            batches = (self.dataset.__getitems__(indices) for indices in self.batch_sampler.tensors())
        else:
            batches = super().__iter__()
        while True:
            asked = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            if self.given > first and self._is_waited_for():
                self.waited += time.perf_counter() - asked
            self.given += 1
            yield batch

    def _is_waited_for(self) -> bool:
        """Whether the device has nothing to do: a GPU may still be working on the steps before."""
        device = self.trained_on
        return device is None or device.type != "cuda" or torch.cuda.current_stream(device).query()

    def _guarded(self) -> Iterator[Any]:
        """The batches of workers, or `WorkerFailed` once one has died or hangs."""
        self._workers = getattr(self._iterator, "_workers", [])  # persistent ones, asked to begin anew
        done, hung = threading.Event(), threading.Event()
        threading.Thread(target=self._watch, args=(done, hung), daemon=True).start()
        batches: Any = None
        try:
            while True:
                try:
                    with self._awaiting():
                        if batches is None:
                            batches = super().__iter__()
                            self._workers = batches._workers
                        batch = next(batches)
                except StopIteration:
                    return
                except BadPicture as error:  # from a worker: its traceback as a text, which ends with the error
                    self._iterator = None  # Python would wait at its end, for ever, for workers that persist
                    batches._shutdown_workers()
                    raise BadPicture(str(error).splitlines()[-1].partition(": ")[2]) from None
                except (RuntimeError, OSError, EOFError) as error:
                    if str(error).startswith("Caught "):  # raised by the data set itself
                        raise
                    # Those of other loaders too: Python waits at its end, for ever, for one that hangs, and for one
                    # that has not been told that it is over.
                    for child in multiprocessing.active_children():
                        if child.daemon:
                            child.kill()
                    reason = f"no batch for {self.patience} s" if hung.is_set() else str(error).split("\n")[0]
                    raise WorkerFailed(reason or type(error).__name__) from error
                yield batch
        finally:
            done.set()

    @contextlib.contextmanager
    def _awaiting(self) -> Iterator[None]:
        """Raises the death of a worker while a batch is awaited, and only then.

        torch raises it wherever the main thread is at that moment, such as in the middle of a save, and never takes its
        handler back.
        """
        is_main = threading.current_thread() is threading.main_thread()  # others may not set handlers
        before = signal.getsignal(signal.SIGCHLD) if is_main else None

        def died(signum: int, frame: Any) -> None:
            for worker in self._workers:
                if not worker.is_alive() and worker.exitcode:  # 0: a pass has ended
                    raise WorkerFailed(f"worker {worker.pid} ended with {worker.exitcode}")

        self._waits = True
        try:
            if before is not None:
                signal.signal(signal.SIGCHLD, died)
            yield
        finally:
            if before is not None:
                signal.signal(signal.SIGCHLD, before)
            self._waits = False

    def _watch(self, done: threading.Event, hung: threading.Event) -> None:
        """Kills the workers when they are waited for too long, which ends the wait.

        Seconds are counted in looks: a program that was stopped as a whole (Ctrl-Z) goes on.
        """
        waited, given = 0, self.given
        while not done.wait(1):
            waited, given = (waited + 1 if self._waits and given == self.given else 0), self.given
            if waited >= self.patience:
                hung.set()
                for worker in self._workers:
                    worker.kill()
                return

    def state_dict(self) -> dict[str, Any]:
        """Where the current pass stands, and what tells whether another loader's batches are the same."""
        sampler = self.batch_sampler
        facts = {name: getattr(sampler, name) for name in ("size", "batch_size", "shuffle", "seed", "drop_last")}
        return {"given": self.given, "sampler": facts | {"balanced": sampler.weights is not None}}

    def check_same(self, state: dict[str, Any]) -> None:
        """Raises `OtherBatches`, beginning with the argument's name, if `state` was taken over other batches."""
        for name, now in self.state_dict()["sampler"].items():
            if (then := state["sampler"].get(name, now)) != now:  # a checkpoint may be older than a fact
                name = "train_limit" if name == "size" else name
                raise OtherBatches(f"{name}={now}: it was {then}, and can change at the end of an epoch only")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Begins the next pass where `state` was taken.

        Raises:
            OtherBatches: if that pass was over other batches; the message begins with the argument's name.
        """
        self.check_same(state)
        self.batch_sampler.start_at(state["given"] if state["given"] < len(self) else 0)
