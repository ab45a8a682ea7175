"""The base class of data sets whose images are in memory.

A new data set is a subclass with its facts as class attributes. It needs `load_arrays`, and `prepare_data` if there is
something to fetch, unless a `Release` in `sources` describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from litlab.data import sources
from litlab.data.arguments import folder_path, images_in, split_size, whole_number
from litlab.data.augment import Augmentation
from litlab.data.base import Batch, DataModule
from litlab.data.folds import checked_folds, held_out
from litlab.data.in_memory import ImageDataset
from litlab.data.placement import Placement
from litlab.data.sources import Arrays, Release
from litlab.errors import described


class ImageDataModule(DataModule):
    """Images in memory. The loaders yield uint8 [B, C, H, W] and int64 [B]; `preprocess` makes float32 of the images.

    Args:
        data_dir: the folder of the verified cache, and of files that the user put there.
        val_size: number of training images that are held out for validation, or their part if below 1, drawn by `seed`
            alone. None means 5000 (500 for the sample); 0 means no validation.
        folds: number of folds for cross-validation. One of them is held out in place of `val_size` images. Each has its
            share of every class.
        fold: which of them is held out, from 0; None means the first.
        image_size: pixels per side to which each batch is resized on its device; None keeps the size of the images.
        normalize: True for the data set's own mean and standard deviation, False or None to scale to [0, 1] only, or
            `{mean: [...], std: [...]}` with one value per channel.
        augment: transforms of the training batches: names, mappings or callables, see `build_augmentations`.
        device: where the uint8 images are kept: `cpu`, `gpu` (the GPU that trains), or `auto`: on the GPU if they
            take at most a quarter of its free memory.
        loading: see `DataModule`. Workers seldom help, because a batch is one indexing.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    data_dir_is_cache: ClassVar[bool] = True  # the same data wherever `data_dir` is, so it does not identify a run
    release: ClassVar[Release]
    default_val_size: ClassVar[int] = 5000
    default_eval_batch_size = 1000

    def __init__(
        self,
        data_dir: str | Path = "data",
        val_size: float | None = None,
        folds: int | None = None,
        fold: int | None = None,
        image_size: int | None = None,
        normalize: bool | Mapping[str, Sequence[float]] | Sequence[Sequence[float]] | None = True,
        augment: Iterable[str | Mapping[str, Any] | Augmentation] = (),
        device: Literal["auto", "cpu", "gpu"] = "auto",
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.device, self._placement = device, Placement(device)
        if device == "gpu" and self.num_workers:
            raise ValueError("device=gpu needs no workers: num_workers must be 0")
        self.data_dir = folder_path("data_dir", data_dir)
        self.val_size = split_size("val_size", self.default_val_size if val_size is None else val_size)
        self.folds, self.fold = checked_folds(folds, fold)
        self._set_preprocessing(normalize, (self.mean, self.std), augment)
        self._stored_shape = self.input_shape
        self.image_size = None if image_size is None else whole_number("image_size", image_size, 1)
        if self.image_size is not None:
            self.input_shape = (self.input_shape[0], self.image_size, self.image_size)

    def prepare_data(self) -> None:
        """Find, decode and verify the data set once; raises the errors of `sources.prepare`."""
        if hasattr(self, "release"):  # without one, `load_arrays` is the user's own, and may need nothing before it
            sources.prepare(self.release, self.data_dir)

    def load_arrays(self) -> Arrays:
        """The verified data set: images uint8 [N, C, H, W], labels [N]. `setup` calls it once."""
        if not hasattr(self, "release"):
            needed = "write def load_arrays(self), which returns Arrays(train_images, train_labels, test_images, "
            raise ValueError(f"{type(self).__name__} has no load_arrays: {needed}test_labels)")
        return sources.load(self.release, self.data_dir)

    def setup(self, stage: str | None = None) -> None:
        """Load the arrays and split them; does nothing the second time.

        Raises:
            ValueError: a cache file is corrupt, the arrays do not fit the class attributes, or `val_size` or
                `drop_last` leaves nothing to train on.
        """
        if self.train_set is not None:
            return
        arrays = self.load_arrays()
        if not isinstance(arrays, Arrays):
            raise ValueError(f"load_arrays must return Arrays({', '.join(Arrays._fields)}), not {described(arrays)}")
        self._check(arrays.train_images, arrays.train_labels, "train")
        self._check(arrays.test_images, arrays.test_labels, "test")
        train_labels = arrays.train_labels.long()
        train, val = self._split(train_labels)
        self.train_set = ImageDataset(arrays.train_images, train_labels, train)
        self.val_set = ImageDataset(arrays.train_images, train_labels, val) if self.validates else None
        self.test_set = ImageDataset(arrays.test_images, arrays.test_labels.long())

    def preprocess(self, inputs: Tensor, targets: Tensor, training: bool) -> Batch:
        """Augment and mix (in training only), normalise and resize: images uint8 [B, C, H, W] become float32."""
        images = self.augmented(inputs) if training else inputs
        images = self.normalize(images)
        if self.input_shape != self._stored_shape:
            images = F.interpolate(images, self.input_shape[1:], mode="bilinear", antialias=True)
        return self.mixed(images, targets) if training else (images, targets)

    def placed(self, dataset: Dataset, device: torch.device) -> Dataset:
        if not isinstance(dataset, ImageDataset) or self.num_workers:
            return dataset
        return self._placement.of(dataset, device)

    def _check(self, images: Tensor, labels: Tensor, split: str) -> None:
        """Checks the arrays of a split against the class attributes."""
        C, H, W = self._stored_shape
        is_uint8 = isinstance(images, Tensor) and images.dtype == torch.uint8
        if not is_uint8 or images.shape[1:] != (C, H, W):
            raise ValueError(
                f"load_arrays: {split}_images must be uint8 [N, {C}, {H}, {W}], 0 to 255, not {described(images)}"
            )
        is_integer = isinstance(labels, Tensor) and not labels.is_floating_point()
        if not is_integer or labels.shape != (len(images),):
            raise ValueError(
                f"load_arrays: {split}_labels must be whole numbers, one for each of the {len(images)} images, not "
                f"{described(labels)}"
            )
        if split == "train" and not len(labels):
            raise ValueError("load_arrays: train_images is empty; there must be images to train on")
        if len(labels) and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"load_arrays: {split}_labels must be from 0 to {self.num_classes - 1}, as there are "
                f"{self.num_classes} class_names, not from {labels.min()} to {labels.max()}"
            )

    @property
    def validates(self) -> bool:
        return bool(self.val_size or self.folds)

    def _split(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Sorted indices of the training and of the validation split, int64."""
        size = len(labels)
        if self.folds:
            val = held_out(self._permutation(size), labels, self.folds, self.fold)
            is_train = torch.ones(size, dtype=torch.bool)
            is_train[val] = False
            return self._limited(is_train.nonzero().flatten()), val
        held = images_in(self.val_size, size)
        if held >= size:
            raise ValueError(f"val_size must be under {size:,}, the size of the training set, not {held:,}")
        order = self._permutation(size)
        val, train = order[:held].sort().values, order[held:].sort().values
        return self._limited(train), val
