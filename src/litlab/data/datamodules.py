"""One LightningDataModule per data set: found and verified once, split by the seed, batched in one indexing.

A new data set is a subclass of `ImageDataModule` with its facts as class attributes, and `prepare_data` and
`load_arrays` unless a `Release` in `sources` describes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from litlab.data import sources
from litlab.data.augment import Augmentation, Normalize, build_augmentations
from litlab.data.datasets import EpochBatchSampler, ImageDataset, collate
from litlab.data.sources import Arrays, Release

Batch = tuple[Tensor, Tensor]


class ImageDataModule(L.LightningDataModule):
    """Images in memory; the loaders yield uint8 [B, C, H, W] and int64 [B], normalised on the device.

    Args:
        data_dir: the folder of the processed cache, and of files put there by hand.
        batch_size: of a training step, all devices together; each gets an equal share.
        eval_batch_size: of validation and test; None means 1000, or `batch_size` when that is larger.
        val_size: how many training images are held out for validation, drawn by `seed` alone; None means 5000
            (500 for the sample).
        num_workers: processes that load batches. 0 suits data in memory: a batch is one indexing.
        pin_memory: load into page-locked memory; None means only when the trainer is on a GPU.
        persistent_workers: keep the workers between epochs; None means yes, when there are any.
        prefetch_factor: batches that each worker loads in advance; None means PyTorch's default.
        shuffle: a new order of the training images each epoch, by `seed` and the epoch alone.
        drop_last: leave out a last training batch that is not full.
        train_limit: train on no more than this many images, after the validation split; None means all.
        normalize: True for the data set's own mean and standard deviation, False or None to scale to [0, 1] only,
            or one's own: `{mean: [...], std: [...]}`, a value per channel.
        augment: transforms of the training batches: names, mappings or callables, see `build_augmentations`.
        seed: of the validation split and the order of the training images.

    Raises:
        ValueError: a value that cannot be; the message begins with the argument's name.
    """

    name: str
    class_names: ClassVar[tuple[str, ...]]
    input_shape: ClassVar[tuple[int, int, int]]  # channels, height, width
    mean: tuple[float, ...]
    std: tuple[float, ...]
    release: ClassVar[Release]
    default_val_size: ClassVar[int] = 5000
    background: ClassVar[int | None] = None  # brightness, 0 to 255, of all images' borders; None: it varies

    def __init__(
        self,
        data_dir: str | Path = "data",
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        val_size: int | None = None,
        num_workers: int = 0,
        pin_memory: bool | None = None,
        persistent_workers: bool | None = None,
        prefetch_factor: int | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
        train_limit: int | None = None,
        normalize: bool | Mapping[str, Sequence[float]] | Sequence[Sequence[float]] | None = True,
        augment: Iterable[str | Mapping[str, Any] | Augmentation] = (),
        seed: int = 42,
    ) -> None:
        super().__init__()
        self.data_dir = _folder("data_dir", data_dir)
        self.batch_size = _whole("batch_size", batch_size, 1)
        self.eval_batch_size = max(batch_size, 1000)
        if eval_batch_size is not None:
            self.eval_batch_size = _whole("eval_batch_size", eval_batch_size, 1)
        self.val_size = _whole("val_size", self.default_val_size if val_size is None else val_size, 1)
        self.num_workers = _whole("num_workers", num_workers, 0)
        self.pin_memory = None if pin_memory is None else _flag("pin_memory", pin_memory)
        self.persistent_workers = num_workers > 0
        if persistent_workers is not None:
            self.persistent_workers = _flag("persistent_workers", persistent_workers)
        self.prefetch_factor = None if prefetch_factor is None else _whole("prefetch_factor", prefetch_factor, 1)
        self.shuffle = _flag("shuffle", shuffle)
        self.drop_last = _flag("drop_last", drop_last)
        self.train_limit = None if train_limit is None else _whole("train_limit", train_limit, 1)
        self.seed = _whole("seed", seed, 0)
        self._refuse_settings_without_workers()

        self.mean, self.std = self._statistics(normalize)
        self.normalize = Normalize(self.mean, self.std)
        self.augment = build_augmentations(augment)
        self._try_augmentations()
        self.train_set: ImageDataset | None = None
        self.val_set: ImageDataset | None = None
        self.test_set: ImageDataset | None = None

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of images in each split, once `setup` was called."""
        splits = {"train": self.train_set, "val": self.val_set, "test": self.test_set}
        return {name: len(split) for name, split in splits.items() if split is not None}

    def record(self) -> dict[str, Any]:
        """What a checkpoint must know of the data, as plain data."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "num_classes": self.num_classes,
            "class_names": list(self.class_names),
            "mean": list(self.mean),
            "std": list(self.std),
            "background": self.background,
        }

    def prepare_data(self) -> None:
        """Find, decode and verify the data set, once; see `sources.prepare` for what it raises."""
        sources.prepare(self.release, self.data_dir)

    def load_arrays(self) -> Arrays:
        """The verified data set; called once, by `setup`."""
        return sources.load(self.release, self.data_dir)

    def setup(self, stage: str | None = None) -> None:
        """Load and split; does nothing the second time.

        Raises:
            ValueError: a corrupt cache file, or a `val_size` or `drop_last` that leaves nothing to train on.
        """
        if self.train_set is not None:
            return
        arrays = self.load_arrays()
        train, val = self._split(len(arrays.train_images))
        train_labels = arrays.train_labels.long()
        self.train_set = ImageDataset(arrays.train_images, train_labels, train)
        self.val_set = ImageDataset(arrays.train_images, train_labels, val)
        self.test_set = ImageDataset(arrays.test_images, arrays.test_labels.long())

    def train_dataloader(self) -> DataLoader:
        assert self.train_set is not None, "call setup() first"
        # Lightning's overfit_batches means the same batches in every epoch.
        overfitting = self.trainer is not None and self.trainer.overfit_batches > 0  # type: ignore[attr-defined]
        sampler = EpochBatchSampler(
            len(self.train_set),
            self.batch_size,
            shuffle=self.shuffle and not overfitting,
            seed=self.seed,
            drop_last=self.drop_last,
            rank=self._rank,
            world_size=self._world_size,
        )
        return self._loader(self.train_set, sampler)

    def val_dataloader(self) -> DataLoader:
        assert self.val_set is not None, "call setup() first"
        return self._loader(self.val_set, self._eval_sampler(self.val_set))

    def test_dataloader(self) -> DataLoader:
        assert self.test_set is not None, "call setup() first"
        return self._loader(self.test_set, self._eval_sampler(self.test_set))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment, in training only, and normalise, on the device: images become float32 [B, C, H, W]."""
        images, labels = batch
        if self.trainer is not None and self.trainer.training:
            for transform in self.augment:
                images = transform(images)
        return self.normalize(images), labels

    @property
    def _rank(self) -> int:
        return 0 if self.trainer is None else self.trainer.global_rank

    @property
    def _world_size(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def _eval_sampler(self, dataset: ImageDataset) -> EpochBatchSampler:
        return EpochBatchSampler(
            len(dataset),
            max(self.eval_batch_size, self._world_size),
            shuffle=False,
            seed=self.seed,
            rank=self._rank,
            world_size=self._world_size,
            pad=False,
        )

    def _loader(self, dataset: ImageDataset, sampler: EpochBatchSampler) -> DataLoader:
        on_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        return DataLoader(
            dataset,
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=self.num_workers,
            pin_memory=on_gpu if self.pin_memory is None else self.pin_memory,
            persistent_workers=self.persistent_workers,
            prefetch_factor=self.prefetch_factor,
        )

    def _split(self, size: int) -> tuple[Tensor, Tensor]:
        if self.val_size >= size:
            raise ValueError(f"val_size must be under {size:,}, the size of the training set, not {self.val_size:,}")
        order = torch.randperm(size, generator=torch.Generator().manual_seed(self.seed))
        val, train = order[: self.val_size].sort().values, order[self.val_size :].sort().values
        train = train[: self.train_limit]
        if self.drop_last and len(train) < self.batch_size:
            raise ValueError(f"drop_last leaves no batch of {self.batch_size} from {len(train)} training images")
        return train, val

    def _refuse_settings_without_workers(self) -> None:
        if self.num_workers == 0 and self.persistent_workers:
            raise ValueError("persistent_workers must be false or null without workers: num_workers is 0")
        if self.num_workers == 0 and self.prefetch_factor is not None:
            raise ValueError("prefetch_factor must be null without workers: num_workers is 0")

    def _statistics(self, normalize: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
        channels = self.input_shape[0]
        if normalize is None or normalize is False:
            return (0.0,) * channels, (1.0,) * channels
        if normalize is True:
            return type(self).mean, type(self).std
        if isinstance(normalize, Mapping) and set(normalize) == {"mean", "std"}:
            normalize = (normalize["mean"], normalize["std"])
        try:
            mean, std = (tuple(float(value) for value in values) for values in normalize)
        except (TypeError, ValueError):
            raise ValueError(
                f"normalize must be true, false or {{mean: [...], std: [...]}}, not {normalize!r}"
            ) from None
        if {len(mean), len(std)} != {channels}:
            raise ValueError(f"normalize must have {channels} mean and std, one a channel, not {normalize!r}")
        if not all(math.isfinite(value) for value in mean + std) or min(std) <= 0:
            raise ValueError(f"normalize must have finite values and std above 0, not {list(mean)} and {list(std)}")
        return mean, std

    def _try_augmentations(self) -> None:
        """A transform that cannot take these images, or returns others, is refused before any training."""
        images = torch.zeros(2, *self.input_shape, dtype=torch.uint8)
        with torch.random.fork_rng(devices=[]):
            for transform in self.augment:
                try:
                    found = transform(images)
                except (TypeError, ValueError, RuntimeError) as error:
                    raise ValueError(f"augment cannot take {self.name}'s images: {error}") from error
                if not isinstance(found, Tensor) or found.shape != images.shape or found.dtype != torch.uint8:
                    raise ValueError(f"augment must return uint8 images of the same shape; {transform} does not")


class MNIST(ImageDataModule):
    """Handwritten digits: 60,000 + 10,000 grey images of 28 x 28 (LeCun et al. 1998)."""

    name = "mnist"
    class_names = tuple("0123456789")
    input_shape = (1, 28, 28)
    mean, std = (0.1307,), (0.3081,)
    background = 0
    release = sources.MNIST


class FashionMNIST(ImageDataModule):
    """Articles of clothing: 60,000 + 10,000 grey images of 28 x 28 (Xiao et al. 2017, arXiv:1708.07747)."""

    name = "fashion_mnist"
    class_names = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    input_shape = (1, 28, 28)
    mean, std = (0.2860,), (0.3530,)
    background = 0
    release = sources.FASHION_MNIST


class CIFAR10(ImageDataModule):
    """Photographs of ten kinds of things: 50,000 + 10,000 colour images of 32 x 32 (Krizhevsky 2009)."""

    name = "cifar10"
    class_names = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    input_shape = (3, 32, 32)
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    release = sources.CIFAR10


class MNISTSample(ImageDataModule):
    """MNIST's first 4,000 training and first 1,000 test images, which ship with the package.

    The file `mnist_sample.npz` is `np.savez_compressed` of these four slices of the verified arrays, uint8, under
    the names of `Arrays`.
    """

    name = "mnist_sample"
    class_names = MNIST.class_names
    input_shape = MNIST.input_shape
    mean, std = MNIST.mean, MNIST.std
    background = MNIST.background
    release = sources.MNIST_SAMPLE
    default_val_size = 500

    def prepare_data(self) -> None:
        """Nothing: the data are here."""

    def load_arrays(self) -> Arrays:
        """Read the sample, verified like any other data set."""
        with np.load(Path(__file__).with_name("mnist_sample.npz"), allow_pickle=False) as file:
            parts = {name: file[name] for name in Arrays._fields}
        sources.verify(self.release, {name: values.tobytes() for name, values in parts.items()})
        return Arrays(**{name: torch.from_numpy(values) for name, values in parts.items()})


def _whole(name: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return value


def _folder(name: str, value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f"{name} must be the path of a folder, not {value!r}")
    return Path(value).expanduser()
