"""What every data module shares: how batches are drawn, shuffled, balanced, dealt to processes and loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from litlab.data.augment import (
    AlternatingFlip,
    Augmentation,
    Normalize,
    build_augmentations,
    channel_statistics,
    try_augmentations,
)
from litlab.data.datasets import Block, EpochBatchSampler, EpochLoader, collate, ignore_signals

Batch = tuple[Tensor, Tensor]
Task = Literal["classification", "regression"]

WORKER_TIMEOUT = 20  # seconds without a batch, after which a worker counts as hung


class DataModule(L.LightningDataModule):
    """Batches of (inputs, targets) from data sets that answer `__getitems__` with a whole batch.

    A subclass says what its data are in the attributes below, and fills `train_set` (and `val_set`, `test_set`, where
    there are any) in `setup`. Classification has class indices int64 [B] as targets and needs `class_names`;
    regression has float32 [B, *target_shape].

    Args:
        batch_size: of a training step, all devices together; each gets an equal share.
        eval_batch_size: of validation and test; None means `default_eval_batch_size`, or `batch_size` when that is
            larger.
        num_workers: processes that load batches.
        pin_memory: load into page-locked memory; None means only when the trainer is on a GPU.
        persistent_workers: keep the workers between epochs; None means yes, when there are any.
        prefetch_factor: batches that each worker loads in advance; None means PyTorch's default.
        shuffle: a new order of the training data each epoch, by `seed` and the epoch alone.
        balanced: draw the training data, with replacement, so that all classes are equally frequent.
        drop_last: leave out a last training batch that is not full.
        train_limit: train on no more than this many, after the validation split; None means all.
        seed: of the splits and of the order of the training data.

    Raises:
        ValueError: a value that cannot be; the message begins with the argument's name.
    """

    name: str
    task: Task = "classification"
    input_shape: tuple[int, ...]  # of one input; (channels, height, width) of images
    class_names: tuple[str, ...] = ()  # of classification
    target_shape: tuple[int, ...] = ()  # of one target, in regression
    mean: tuple[float, ...] = ()  # taken from each channel, on the scale where white is 1, and
    std: tuple[float, ...] = ()  # what it is then divided by
    augment: Sequence[Augmentation] = ()  # of batches of training images: see `build_augmentations`
    normalize: Any = None  # of batches of images: see `Normalize`
    background: int | None = None  # brightness, 0 to 255, of all images' borders; None: it varies
    val_size: float
    default_eval_batch_size: ClassVar[int] = 1

    def __init__(
        self,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        num_workers: int = 0,
        pin_memory: bool | None = None,
        persistent_workers: bool | None = None,
        prefetch_factor: int | None = None,
        shuffle: bool = True,
        balanced: bool = False,
        drop_last: bool = False,
        train_limit: int | None = None,
        seed: int = 42,
    ) -> None:
        super().__init__()
        self.batch_size = whole("batch_size", batch_size, 1)
        self.eval_batch_size = max(batch_size, self.default_eval_batch_size)
        if eval_batch_size is not None:
            self.eval_batch_size = whole("eval_batch_size", eval_batch_size, 1)
        self.num_workers = whole("num_workers", num_workers, 0)
        self.pin_memory = None if pin_memory is None else flag("pin_memory", pin_memory)
        self.persistent_workers = num_workers > 0
        if persistent_workers is not None:
            self.persistent_workers = flag("persistent_workers", persistent_workers)
        self.prefetch_factor = None if prefetch_factor is None else whole("prefetch_factor", prefetch_factor, 1)
        self.shuffle = flag("shuffle", shuffle)
        self.balanced = flag("balanced", balanced)
        self.drop_last = flag("drop_last", drop_last)
        self.train_limit = None if train_limit is None else whole("train_limit", train_limit, 1)
        self.seed = whole("seed", seed, 0)
        self._refuse_settings_without_workers()
        if self.balanced and self.task != "classification":
            raise ValueError(f"balanced must be false for {self.name}: it has no classes")
        if self.balanced and not self.shuffle:
            raise ValueError("balanced draws at random: it must be false, or shuffle true")
        self.train_set: Dataset | None = None
        self.val_set: Dataset | None = None
        self.test_set: Dataset | None = None

    @property
    def num_classes(self) -> int:
        """Width of the output a network needs: the number of classes, or of values in a target."""
        return len(self.class_names) if self.task == "classification" else torch.Size(self.target_shape).numel()

    @property
    def validates(self) -> bool:
        """Whether there will be a validation set once `setup` is called."""
        return bool(self.val_size)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of inputs in each split there is, once `setup` was called."""
        splits = {"train": self.train_set, "val": self.val_set, "test": self.test_set}
        return {name: len(split) for name, split in splits.items() if split is not None}  # type: ignore[arg-type]

    def record(self) -> dict[str, Any]:
        """What a checkpoint must know of the data, as plain data: see `litlab.checkpoint`."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "num_classes": self.num_classes,
            "class_names": list(self.class_names),
            "target_shape": list(self.target_shape),
            "mean": list(self.mean),
            "std": list(self.std),
            "background": self.background,
        }

    def evaluation_set(self, split: str) -> Any:
        """The data set of `train`, `val` or `test` as evaluation sees it, once `setup` was called."""
        return {"train": self.train_set, "val": self.val_set, "test": self.test_set}[split]

    def train_dataloader(self) -> DataLoader:
        assert self.train_set is not None, "call setup() first"
        # Lightning's overfit_batches means the same batches in every epoch.
        overfitting = self.trainer is not None and self.trainer.overfit_batches > 0  # type: ignore[attr-defined]
        sampler = EpochBatchSampler(
            len(self.train_set),  # type: ignore[arg-type]
            self.batch_size,
            shuffle=self.shuffle and not overfitting,
            weights=self._class_weights() if self.balanced and not overfitting else None,
            seed=self.seed,
            drop_last=self.drop_last,
            rank=self._rank,
            world_size=self._world_size,
        )
        return self._loader(self.train_set, sampler)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        return self._eval_loader(self.val_set) if self.val_set is not None else []

    def test_dataloader(self) -> DataLoader | list[DataLoader]:
        return self._eval_loader(self.test_set) if self.test_set is not None else []

    def preprocess(self, inputs: Tensor, targets: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """A batch of the loaders as the network sees it, on whatever device it is on.

        Args:
            inputs: [B, ...].
            targets: [B, ...].
            training: whether to augment.
        """
        return inputs, targets

    def set_epoch(self, epoch: int) -> None:
        """Tells the augmentations which epoch of the training this is, from 0."""
        for transform in self.augment:
            if isinstance(transform, AlternatingFlip):
                transform.set_epoch(epoch)

    def augmented(self, images: Tensor) -> Tensor:
        """Training images uint8 [B, C, H, W] after all of `augment`."""
        if not self.augment:
            return images
        with torch.autocast(images.device.type, enabled=False):  # colours are computed in 32 bits
            for transform in self.augment:
                images = transform(images)
        return images

    def _treat_images(
        self,
        normalize: bool | Mapping[str, Sequence[float]] | Sequence[Sequence[float]] | None,
        own: tuple[Sequence[float], Sequence[float]],
        augment: Iterable[str | Mapping[str, Any] | Augmentation],
    ) -> None:
        """Settles `mean`, `std`, `normalize` and `augment`: see `channel_statistics` and `build_augmentations`."""
        self.mean, self.std = channel_statistics(normalize, self.input_shape[0], own)
        self.normalize = Normalize(self.mean, self.std)
        self.augment = build_augmentations(augment)
        try_augmentations(self.augment, self.input_shape, self.name)

    def transfer_batch_to_device(
        self, batch: Batch | Block, device: torch.device, dataloader_idx: int
    ) -> Batch | Block:
        if isinstance(batch, Block):  # moved step by step
            return batch
        inputs, targets = batch  # and nothing else: Lightning would look into every kind of container
        return inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)

    @property
    def _rank(self) -> int:
        return 0 if self.trainer is None else self.trainer.global_rank

    @property
    def _world_size(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def _class_weights(self) -> Tensor:
        targets = self.train_set.targets  # type: ignore[union-attr]
        return (1.0 / torch.bincount(targets, minlength=self.num_classes))[targets]

    def _eval_loader(self, dataset: Dataset) -> DataLoader:
        sampler = EpochBatchSampler(
            len(dataset),  # type: ignore[arg-type]
            max(self.eval_batch_size, self._world_size),
            shuffle=False,
            seed=self.seed,
            rank=self._rank,
            world_size=self._world_size,
            pad=False,
        )
        return self._loader(dataset, sampler)

    def _loader(self, dataset: Dataset, sampler: EpochBatchSampler) -> DataLoader:
        device = self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
        placed = self.placed(dataset, device)
        pin_memory = device.type == "cuda" if self.pin_memory is None else self.pin_memory
        return EpochLoader(
            placed,
            sampler,
            trained_on=device,
            collate_fn=collate,
            num_workers=self.num_workers,
            pin_memory=pin_memory and placed is dataset,
            persistent_workers=self.persistent_workers,
            prefetch_factor=self.prefetch_factor,
            patience=WORKER_TIMEOUT,
            worker_init_fn=ignore_signals,
        )

    def placed(self, dataset: Dataset, device: torch.device) -> Dataset:
        """A data set where its loader takes it from: here, where it is."""
        return dataset

    def _by_chance(self, size: int) -> Tensor:
        """The numbers below `size`, in an order drawn by the seed alone."""
        return torch.randperm(size, generator=torch.Generator().manual_seed(self.seed))

    def _limited(self, train: Tensor) -> Tensor:
        train = train[: self.train_limit]
        if self.drop_last and len(train) < self.batch_size:
            raise ValueError(f"drop_last leaves no batch of {self.batch_size} from {len(train)} training images")
        return train

    def _refuse_settings_without_workers(self) -> None:
        if self.num_workers == 0 and self.persistent_workers:
            raise ValueError("persistent_workers must be false or null without workers: num_workers is 0")
        if self.num_workers == 0 and self.prefetch_factor is not None:
            raise ValueError("prefetch_factor must be null without workers: num_workers is 0")


def whole(name: str, value: Any, least: int) -> int:
    """`value`, if it is a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def flag(name: str, value: Any) -> bool:
    """`value`, if it is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return value


def folder(name: str, value: Any) -> Path:
    """`value`, as the path of a folder."""
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f"{name} must be the path of a folder, not {value!r}")
    return Path(value).expanduser()
