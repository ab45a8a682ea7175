"""The base class of all data modules: batches are drawn, shuffled, balanced, divided among processes and loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from litlab.data.arguments import boolean, whole_number
from litlab.data.augment import AlternatingFlip, Augmentation, build_augmentations, try_augmentations
from litlab.data.batches import EpochBatchSampler, rarity
from litlab.data.block import Block
from litlab.data.collated import InWholeBatches
from litlab.data.in_memory import CachedPictures, collate
from litlab.data.loader import EpochLoader
from litlab.data.mix import Mix
from litlab.data.normalize import Normalize, channel_statistics
from litlab.data.worker_settings import check_worker_settings, number_of_workers
from litlab.data.workers import ignore_signals

Batch = tuple[Tensor, Tensor]
Task = Literal["classification", "multilabel", "regression"]

WORKER_TIMEOUT = 20  # seconds without a batch, after which the workers are killed


class DataModule(L.LightningDataModule):
    """Batches of (inputs, targets), from data sets of torch's kind, or from those whose `__getitems__` returns a whole
    batch, which is faster.

    A subclass sets the attributes below, and `train_set` in `setup`; also `val_set` and `test_set`, if there are any.
    Inputs that are images are uint8 [B, C, H, W]. Others go to the network as they are.
    In classification, targets are class indices int64 [B], and the subclass needs `class_names`. In `multilabel`, they
    are 0 or 1, float32 [B, num_classes], with `class_names` too. In regression, they are float32 [B, *target_shape].

    Args:
        batch_size: of a training step, all devices together; each device gets an equal share.
        eval_batch_size: of validation and test; None means `default_eval_batch_size`, or `batch_size` if that is
            larger.
        num_workers: processes that load batches; `auto` means as many as there are CPU cores for each process that
            trains, at most 8.
        pin_memory: load into page-locked memory; None means only if the trainer uses a GPU.
        persistent_workers: keep the workers between epochs; None means yes, if there are any.
        prefetch_factor: batches that each worker loads in advance; None means PyTorch's default.
        shuffle: a new order of the training data in each epoch. It depends on `seed` and the epoch alone.
        balanced: draw the training data with replacement, so that all classes are equally frequent.
        drop_last: leave out a last training batch that is not full.
        train_limit: train on this many inputs at most, after the validation split; None means all.
        seed: of the splits and of the order of the training data.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    name: str
    task: Task = "classification"
    kind: ClassVar[str] = "images"  # what inputs are called in messages
    input_shape: tuple[int, ...]  # of one input, (C, H, W) if it is an image
    class_names: tuple[str, ...] = ()  # not in regression
    target_shape: tuple[int, ...] = ()  # of one target, only in regression
    train_set, val_set, test_set = InWholeBatches(), InWholeBatches(), InWholeBatches()
    mean: tuple[float, ...] = ()  # subtracted from the images: one value per channel, on the scale where white is 1
    std: tuple[float, ...] = ()  # the images are divided by it afterwards, on the same scale
    augment: Sequence[Augmentation] = ()  # transforms of training batches, see `build_augmentations`
    normalize: Any = None  # a `Normalize`, for all batches of images
    mix: Mix | None = None  # mixes the images of a training batch, and their targets
    background: int | None = None  # brightness of the borders of all images, 0 to 255; None: it varies
    val_size: float = 1  # 0 if `setup` makes no `val_set`
    default_eval_batch_size: ClassVar[int] = 1

    def __init__(
        self,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        num_workers: int | Literal["auto"] = 0,
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
        self.batch_size = whole_number("batch_size", batch_size, 1)
        self.eval_batch_size = max(batch_size, self.default_eval_batch_size)
        if eval_batch_size is not None:
            self.eval_batch_size = whole_number("eval_batch_size", eval_batch_size, 1)
        self.num_workers = number_of_workers(num_workers)
        self.pin_memory = None if pin_memory is None else boolean("pin_memory", pin_memory)
        self.persistent_workers = self.num_workers > 0
        if persistent_workers is not None:
            self.persistent_workers = boolean("persistent_workers", persistent_workers)
        self.prefetch_factor = None if prefetch_factor is None else whole_number("prefetch_factor", prefetch_factor, 1)
        self.shuffle = boolean("shuffle", shuffle)
        self.balanced = boolean("balanced", balanced)
        self.drop_last = boolean("drop_last", drop_last)
        self.train_limit = None if train_limit is None else whole_number("train_limit", train_limit, 1)
        self.seed = whole_number("seed", seed, 0)
        check_worker_settings(self.num_workers, self.persistent_workers, self.prefetch_factor)
        if self.balanced and self.task != "classification":
            raise ValueError(f"balanced must be false for {self.name}: its inputs do not have one class each")
        if self.balanced and not self.shuffle:
            raise ValueError("balanced draws at random: it must be false, or shuffle true")

    @property
    def num_classes(self) -> int:
        """Number of outputs that a network needs: the number of classes, or of values in one target."""
        return torch.Size(self.target_shape).numel() if self.task == "regression" else len(self.class_names)

    @property
    def validates(self) -> bool:
        """Whether `setup` will make a validation set."""
        return bool(self.val_size)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of inputs in each split that `setup` has made."""
        splits: dict[str, Any] = {"train": self.train_set, "val": self.val_set, "test": self.test_set}
        sizes = {name: len(split) for name, split in splits.items() if split is not None}
        return sizes | {"train": min(sizes["train"], self.train_limit or sizes["train"])} if "train" in sizes else sizes

    @property
    def title(self) -> str:
        """The name of the data for a reader: that of the data set, or of the user's own folder."""
        return self.name

    def record(self) -> dict[str, Any]:
        """The facts about the data that a checkpoint keeps, as plain data (see `litlab.checkpoint`)."""
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
        """The data set of a split as evaluation sees it, without random transforms. Needs `setup`.

        Args:
            split: `train`, `val` or `test`.
        """
        return {"train": self.train_set, "val": self.val_set, "test": self.test_set}[split]

    def train_dataloader(self) -> DataLoader:
        assert self.train_set is not None, "call setup() first"
        # Lightning's overfit_batches asks for the same batches in every epoch.
        overfitting = self.trainer is not None and self.trainer.overfit_batches > 0  # type: ignore[attr-defined]
        size, balanced = self.sizes["train"], self.balanced and not overfitting
        sampler = EpochBatchSampler(
            size,
            self.batch_size,
            shuffle=self.shuffle and not overfitting,
            weights=rarity(self.train_set.targets[:size], self.num_classes) if balanced else None,
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

    def predict_dataloader(self) -> DataLoader:
        """The inputs that `trainer.predict` predicts: those of the test set, or of validation if there is none.

        Its batch sampler is torch's own, since Lightning makes it anew for `trainer.predict`.
        """
        dataset = self.val_set if self.test_set is None else self.test_set
        assert dataset is not None, f"{self.name} has neither a test nor a validation set"
        return DataLoader(dataset, batch_size=self.eval_batch_size, collate_fn=collate, num_workers=self.num_workers)

    def preprocess(self, inputs: Tensor, targets: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """A batch [B, ...] of the loaders as the network sees it. It stays on its device. uint8 images are normalised.

        Args:
            inputs: from a loader.
            targets: from the same loader.
            training: True to augment and to mix.
        """
        if len(self.input_shape) != 3 or inputs.dtype != torch.uint8:
            return inputs, targets
        if self.normalize is None:
            self.normalize = Normalize(self.mean or None, self.std or None)
        if not training:
            return self.normalize(inputs), targets
        return self.mixed(self.normalize(self.augmented(inputs)), targets)

    def set_epoch(self, epoch: int) -> None:
        """Tells the augmentations the number of the epoch, from 0."""
        for transform in self.augment:
            if isinstance(transform, AlternatingFlip):
                transform.set_epoch(epoch)
        if self.mix:
            self.mix.set_epoch(epoch)

    def augmented(self, images: Tensor) -> Tensor:
        """Training images after all transforms in `augment`: uint8 [B, C, H, W] to uint8 [B, C, H, W]."""
        if not self.augment:
            return images
        with torch.autocast(images.device.type, enabled=False):  # colours need float32
            for transform in self.augment:
                images = transform(images)
        return images

    def mixed(self, images: Tensor, targets: Tensor) -> Batch:
        """Training images float32 [B, C, H, W] and targets [B], mixed by `mix` if there is one."""
        return self.mix(images, targets) if self.mix else (images, targets)

    def _set_preprocessing(
        self,
        normalize: bool | Mapping[str, Sequence[float]] | Sequence[Sequence[float]] | None,
        own: tuple[Sequence[float], Sequence[float]],
        augment: Iterable[str | Mapping[str, Any] | Augmentation],
    ) -> None:
        """Sets `mean`, `std`, `normalize` and `augment`. For the arguments see `channel_statistics` and
        `build_augmentations`."""
        self.mean, self.std = channel_statistics(normalize, self.input_shape[0], own)
        self.normalize = Normalize(self.mean, self.std)
        self.augment = build_augmentations(augment)
        try_augmentations(self.augment, self.input_shape, self.name)

    def transfer_batch_to_device(
        self, batch: Batch | Block, device: torch.device, dataloader_idx: int
    ) -> Batch | Block:
        if isinstance(batch, Block):  # the engine moves its batches
            return batch
        inputs, targets = batch  # Lightning's own method looks for tensors in every kind of container, which takes time
        return inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)

    @property
    def _rank(self) -> int:
        return 0 if self.trainer is None else self.trainer.global_rank

    @property
    def _world_size(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

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
        workers = 0 if isinstance(dataset, CachedPictures) else self.num_workers
        return EpochLoader(
            placed,
            sampler,
            trained_on=device,
            collate_fn=collate,
            num_workers=workers,
            pin_memory=pin_memory and placed is dataset,
            persistent_workers=self.persistent_workers and workers > 0,
            prefetch_factor=self.prefetch_factor if workers else None,
            patience=WORKER_TIMEOUT,
            worker_init_fn=ignore_signals,
        )

    def placed(self, dataset: Dataset, device: torch.device) -> Dataset:
        """The data set from which the loaders take the images in a training on `device`: a copy there, or itself."""
        return dataset

    def _permutation(self, size: int) -> Tensor:
        """The numbers from 0 to `size` - 1 in random order, int64 [size]. It depends on `seed` alone."""
        return torch.randperm(size, generator=torch.Generator().manual_seed(self.seed))

    def _limited(self, train: Tensor) -> Tensor:
        """The first `train_limit` of the indices [N] of the training split.

        Raises:
            ValueError: `drop_last` would leave no batch.
        """
        train = train[: self.train_limit]
        if self.drop_last and len(train) < self.batch_size:
            raise ValueError(f"drop_last leaves no batch of {self.batch_size} from {len(train)} training images")
        return train
