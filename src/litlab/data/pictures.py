"""The base class of data sets whose images are files of any kind and size."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from litlab.console import listed
from litlab.data.arguments import boolean, images_in, split_size, whole_number
from litlab.data.augment import Augmentation
from litlab.data.base import DataModule
from litlab.data.drawn_splits import SPLITS, DrawnSplits, names_below
from litlab.data.file_names import FileNames
from litlab.data.folds import by_class, checked_folds, held_out
from litlab.data.in_memory import CachedPictures
from litlab.data.listing import Listing
from litlab.data.picture_cache import PictureCache, checked_cache
from litlab.data.picture_check import LOG, PictureCheck
from litlab.data.picture_dataset import PictureDataset
from litlab.data.picture_transforms import build_transforms, try_transforms
from litlab.data.placement import Placement
from litlab.data.resize import INTERPOLATIONS, RESIZERS, Fit

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GREY_MEAN, GREY_STD = (0.449,), (0.226,)  # of ImageNet, all channels together
CACHED = ("train", "val")  # splits; the test set is read once

Size = int | Sequence[int]


class PictureDataModule(DataModule):
    """Pictures from files. The loaders yield uint8 [B, C, H, W]; `preprocess` makes float32 of the images.

    In training, a picture first passes through `transforms`. Then its shorter side is resized to `resize` pixels, and
    `image_size` is cut out of the centre; with `center_crop=False` the picture is squeezed to `image_size` instead.
    Pictures that `transforms` have brought to `image_size` already, as RandomResizedCrop does, stay as they are.

    Args:
        image_size: size of the images that the network sees, in pixels: of both sides, or [height, width]. None means
            224.
        resize: pixels of the shorter side before cropping; None means the shorter side of `image_size`.
        center_crop: True to cut `image_size` out of the centre, False to squeeze the picture and cut nothing off.
        interpolation: between pixels: `bilinear` or `bicubic`; None means bilinear.
        random_crop: in training, cut at a random place instead, at the same scale.
        resizer: `torch` is fast. In training it may decode a JPEG at a half, a quarter or an eighth of its size.
            `pillow` is what litlab 0.1 did.
        transforms: for training pictures, by their names in `torchvision.transforms.v2`: `RandomRotation`, or with
            arguments, `{name: RandomResizedCrop, size: 224}`.
        grayscale: one grey channel instead of RGB.
        val_size: number of pictures held out for validation, or their part if below 1; drawn by `seed`.
        test_size: number of pictures held out for the test, or their part if below 1; 0 means none.
        stratified: split each class in the same proportions, where there are classes.
        folds: number of folds for cross-validation. One of them is held out in place of `val_size` pictures, after the
            test pictures, which are the same in all folds. None means no folds.
        fold: which of them is held out, from 0; None means the first.
        max_bad_fraction: the largest part of the files that may be unreadable, 0 to 1.
        cache: decode the pictures of training and validation once, and keep them as uint8: in `memory`, or on `disk`
            for later runs too; `auto` means in memory if they take at most a quarter of what is free; or `none`.
        device: where cached pictures are kept: `cpu`, `gpu` or `auto`, see `Placement`.
        normalize: True for ImageNet's mean and standard deviation, False or None to scale to [0, 1] only, or
            `{mean: [...], std: [...]}` with one value per channel.
        augment: transforms of whole training batches on their device, see `build_augmentations`.
        loading: see `DataModule`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        image_size: Size | None = None,
        resize: int | None = None,
        center_crop: bool = True,
        interpolation: Literal["bilinear", "bicubic"] | None = None,
        random_crop: bool = False,
        resizer: str = "torch",
        transforms: Iterable[str | Mapping[str, Any]] = (),
        grayscale: bool = False,
        val_size: float = 0.2,
        test_size: float = 0.0,
        stratified: bool = False,
        folds: int | None = None,
        fold: int | None = None,
        max_bad_fraction: float = 0.01,
        cache: Literal["none", "memory", "disk", "auto"] = "none",
        device: Literal["auto", "cpu", "gpu"] = "auto",
        normalize: bool | Mapping[str, Sequence[float]] | Sequence[Sequence[float]] | None = True,
        augment: Iterable[str | Mapping[str, Any] | Augmentation] = (),
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        size = 224 if image_size is None else image_size
        height, width = (size, size) if isinstance(size, int) else size
        self.grayscale = boolean("grayscale", grayscale)
        channels = 1 if grayscale else 3
        height, width = whole_number("image_size", height, 1), whole_number("image_size", width, 1)
        self.input_shape: tuple[int, int, int] = (channels, height, width)
        self.resize = whole_number("resize", min(height, width) if resize is None else resize, 1)
        self.center_crop, self.random_crop = boolean("center_crop", center_crop), boolean("random_crop", random_crop)
        if self.center_crop and self.resize < min(height, width):
            raise ValueError(f"resize must be at least image_size, {min(height, width)}, not {resize}")
        if resizer not in RESIZERS:
            raise ValueError(f"resizer must be one of {', '.join(RESIZERS)}, not {resizer!r}")
        if interpolation not in (None, *INTERPOLATIONS):
            raise ValueError(f"interpolation must be bilinear or bicubic, not {interpolation!r}")
        self.resizing: dict[str, Any] = {"resize": self.resize, "center_crop": self.center_crop, "resizer": resizer}
        self.resizing |= {"interpolation": interpolation} if interpolation else {}
        if self.random_crop and not self.center_crop and self.resize <= min(height, width):
            raise ValueError(
                f"random_crop has nothing to cut: with center_crop=false, resize must be above {min(height, width)}"
            )
        self.transforms = build_transforms(transforms)
        self.device, self._placement = device, Placement(device)
        self.cache = checked_cache(cache, self.transforms, self.random_crop, device)
        self._transforms_resize = try_transforms(self.transforms, channels, (width, height)) == (width, height)
        self.val_size, self.test_size = split_size("val_size", val_size), split_size("test_size", test_size)
        self.stratified = boolean("stratified", stratified)
        self.folds, self.fold = checked_folds(folds, fold)
        if not 0 <= max_bad_fraction <= 1:
            raise ValueError(f"max_bad_fraction must be from 0 to 1, not {max_bad_fraction}")
        self.max_bad_fraction = max_bad_fraction
        own = (GREY_MEAN, GREY_STD) if grayscale else (IMAGENET_MEAN, IMAGENET_STD)
        self._set_preprocessing(normalize, own, augment)
        self.roots: list[Path] = []  # the folders that names of pictures are relative to
        self.index_beside = True  # whether the index and the cache of the pictures may be written beside them
        self.check: PictureCheck | None = None  # of all pictures, after `setup`
        self.bad_named_in = LOG  # the file with the names of all unreadable files, for a message
        self.known_splits: DrawnSplits | None = None  # of an earlier run, instead of a new drawing
        self.drawn_splits = DrawnSplits()  # after `setup`
        self.measured: str | None = None  # the split that is used alone; only its pictures are checked if it is known

    def record(self) -> dict[str, Any]:
        return super().record() | {"preprocess": self.resizing}

    def evaluation_set(self, split: str) -> Any:
        dataset = super().evaluation_set(split)
        if isinstance(dataset, PictureDataset | CachedPictures):
            return self.picture_set(dataset.paths, dataset.targets, training=False)
        return dataset

    def fill_cache(self, splits: Sequence[str] = CACHED) -> None:
        """Decodes the pictures of these splits once, as `cache` says. Their loaders do so at the latest.

        Raises:
            ValueError: there is no room for them, or a file cannot be read any more.
        """
        sets = {name: getattr(self, f"{name}_set") for name in CACHED}
        cache = PictureCache(self.cache, self.num_workers, self.roots, self.index_beside)
        self.cache = cache.kind = cache.settle([dataset for dataset in sets.values() if dataset is not None])
        todo = {name: sets[name] for name in splits if isinstance(sets[name], PictureDataset)}
        if self.cache != "none" and todo:
            self.check_before_caching()
            todo = {name: getattr(self, f"{name}_set") for name in todo}
            for name, dataset in cache.fill(todo).items():
                setattr(self, f"{name}_set", dataset)

    def check_of(self, listings: Sequence[Listing]) -> PictureCheck:
        """Remembers in `check` what is known about these files of each of `roots`, and returns it."""
        beside, named_in = self.index_beside, self.bad_named_in
        self.check = PictureCheck(listings, self.roots, beside, self.max_bad_fraction, named_in)
        return self.check

    def check_before_caching(self) -> None:
        """Called before pictures are decoded once and for all: what is checked late must be checked now."""

    def placed(self, dataset: Dataset, device: torch.device) -> Dataset:
        return self._placement.of(dataset, device) if isinstance(dataset, CachedPictures) else dataset

    def train_dataloader(self) -> DataLoader:
        self.fill_cache()
        return super().train_dataloader()

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        self.fill_cache(["val"])
        return super().val_dataloader()

    def picture_set(self, paths: Sequence[Path], targets: Tensor, training: bool) -> PictureDataset:
        """The data set of these files.

        Args:
            paths: N files.
            targets: [N, ...].
            training: True for the transforms of training, False for those of evaluation.
        """
        scaled = training and self.resizing.get("resizer") == "torch"
        return PictureDataset(paths, targets, self.picture_transform(training), self.grayscale, scaled)

    def picture_transform(self, training: bool = False) -> Callable[[Any], Tensor]:
        """A function from a Pillow image to uint8 [C, H, W], with the transforms of training or of evaluation."""
        random_crop = training and self.random_crop
        is_resized = training and self._transforms_resize and not random_crop
        preprocess = self.resizing | ({"resize": 0} if is_resized else {})
        resized = Fit(self.input_shape, preprocess, random_crop)
        return v2.Compose([*self.transforms, resized]) if training and self.transforms else resized

    def divide(
        self,
        files: FileNames,
        roots: Sequence[Path],
        of_val: bool = True,
        of_test: bool = True,
        classes: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The splits of pictures that have none, as `hold_out` draws them or as `known_splits` has them.

        Pictures that `known_splits` does not know are left out, with a warning: they came later, or could not be read.

        Args:
            files: the pictures.
            roots: the folders that their names are relative to.
            of_val: see `hold_out`.
            of_test: see `hold_out`.
            classes: see `hold_out`.
        """
        if not (of_val or (of_test and self.test_size) or self.known_splits):
            return self.hold_out(len(files), of_val, of_test, classes)
        names = names_below(files, roots)
        known = self.known_splits or DrawnSplits()
        if any(name in known for name in names):
            split_of = [known.get(name) for name in names]
            if late := [name for name, split in zip(names, split_of, strict=True) if split is None]:
                count = f"{len(late):,} picture{'s' * (len(late) > 1)}"
                warnings.warn(f"left out, new or unreadable before: {count} ({listed(late, 3)})", stacklevel=4)
            rows = {name: [i for i, split in enumerate(split_of) if split == name] for name in SPLITS}
            splits = {name: torch.tensor(indices) for name, indices in rows.items() if indices}
        else:
            splits = self.hold_out(len(files), of_val, of_test, classes)
        self.drawn_splits.update((names[i], split) for split, indices in splits.items() for i in indices.tolist())
        return splits

    def hold_out(
        self, size: int, of_val: bool = True, of_test: bool = True, classes: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Sorted indices of the splits, int64, drawn by `seed` alone: `train`, and `val` and `test` if there are any.

        Args:
            size: number of pictures to split.
            of_val: False for no validation split.
            of_test: False for no test split.
            classes: of each picture, int64 [N], for `stratified`.

        Raises:
            ValueError: nothing is left to train on.
        """
        order = self._permutation(size)
        if self.stratified and classes is not None:
            order = by_class(order, classes)
        val, test = of_val * images_in(self.val_size, size), of_test * images_in(self.test_size, size)
        if of_val and self.folds:
            return self._hold_out_fold(order, test, classes)
        if val + test >= size:
            raise ValueError(f"val_size and test_size leave nothing to train on: {val} and {test} of {size} pictures")
        splits = {"train": order[val + test :], "val": order[:val], "test": order[val : val + test]}
        return {name: split.sort().values for name, split in splits.items() if len(split)}

    def _hold_out_fold(self, order: Tensor, test: int, classes: Tensor | None) -> dict[str, Tensor]:
        """The splits, where one fold is the validation split; see `hold_out`.

        Args:
            order: all pictures in random order, int64 [N].
            test: number of test pictures.
        """
        rest = order[test:]
        if self.folds is None or len(rest) < self.folds:
            raise ValueError(f"folds must be at most {len(rest):,}, the number of pictures, not {self.folds}")
        labels = torch.zeros(len(order)) if classes is None or not self.stratified else classes
        val = held_out(rest, labels, self.folds, self.fold)
        is_train = torch.zeros(len(order), dtype=torch.bool)
        is_train[rest], is_train[val] = True, False
        splits = {"train": is_train.nonzero().flatten(), "val": val, "test": order[:test].sort().values}
        return {name: split for name, split in splits.items() if len(split)}
