"""Image files of any kind and size: checked once, decoded in workers, brought to one size."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from litlab.data.augment import Augmentation
from litlab.data.base import Batch, DataModule, flag, whole
from litlab.data.datasets import BadPicture
from litlab.data.picture_files import Unreadable, fit, open_picture, suffixes, why_unreadable
from litlab.errors import one_line
from litlab.machine import cores

log = logging.getLogger(__name__)

SUFFIXES = frozenset(suffixes())  # of picture files, such as .jpg
NAMED = 5  # unreadable files that a message names; the log names all
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GREY_MEAN, GREY_STD = (0.449,), (0.226,)  # the same, of all channels together

Size = int | Sequence[int]


class PictureDataset(Dataset[tuple[Tensor, Tensor]]):
    """Image files and their targets; reading one decodes it.

    Args:
        paths: of N images.
        targets: [N, ...].
        transform: from a Pillow image to uint8 [C, H, W], all of one size.
        grayscale: open them as grey, not as RGB.
    """

    def __init__(
        self, paths: Sequence[Path], targets: Tensor, transform: Callable[[Any], Tensor], grayscale: bool
    ) -> None:
        self.paths, self.targets, self.transform, self.grayscale = list(paths), targets, transform, grayscale

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One image uint8 [C, H, W] and its target; `BadPicture` if it cannot be had."""
        path = self.paths[index]
        try:
            picture = open_picture(path).convert("L" if self.grayscale else "RGB")
        except Unreadable as error:
            raise BadPicture(f"{path} cannot be read any more: {error}") from None
        try:
            return self.transform(picture), self.targets[index]
        except (TypeError, ValueError, RuntimeError) as error:
            raise BadPicture(f"transforms cannot take {path}: {one_line(error)}") from error

    def __getitems__(self, batch: list[int]) -> tuple[Tensor, Tensor]:
        """A whole batch, images uint8 [B, C, H, W] and targets [B, ...]."""
        images, targets = zip(*map(self.__getitem__, batch), strict=True)
        return torch.stack(images), torch.stack(targets)


def readable(paths: Sequence[Path], max_bad_fraction: float) -> list[bool]:
    """Which files are whole pictures; each is decoded once, on all cores, and those that are not are named.

    Raises:
        ValueError: if more than `max_bad_fraction` of them are not.
    """
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(cores()) as pool:
        reasons = list(pool.map(why_unreadable, paths))
    bad = [f"{path} ({reason})" for path, reason in zip(paths, reasons, strict=True) if reason]
    if bad:
        for line in bad:
            log.warning("unreadable: %s", line)
        more = f" and {len(bad) - NAMED} more, named in train.log" if len(bad) > NAMED else ""
        note = f"{len(bad):,} of {len(paths):,} files cannot be read: {', '.join(bad[:NAMED])}{more}"
        if len(bad) > max_bad_fraction * len(paths):
            raise ValueError(f"max_bad_fraction={max_bad_fraction}: {note}")
        warnings.warn(f"skipped: {note}", stacklevel=2)
    return [reason is None for reason in reasons]


class PictureDataModule(DataModule):
    """Pictures from files; the loaders yield uint8 [B, C, H, W], normalised on the device.

    A picture is first passed through `transforms` (in training only), then its shorter side is made `resize` pixels
    long and `image_size` is cut out of its centre, or, without `center_crop`, it is squeezed to `image_size`. Where
    `transforms` make pictures of `image_size` of all, as RandomResizedCrop does, they stay as they are.

    Args:
        image_size: pixels that the network sees, a side, or [height, width].
        resize: length of the shorter side before cropping; None means that of `image_size`.
        center_crop: cut `image_size` out of the centre; False squeezes the picture, and cuts nothing off.
        random_crop: in training, cut anywhere instead, at the same scale.
        transforms: more for the training pictures, by their names in `torchvision.transforms.v2`: `RandomRotation`,
            or with arguments, `{name: RandomResizedCrop, size: 224}`.
        grayscale: one grey channel in place of RGB.
        val_size: how many pictures are held out for validation, by `seed`: a number, or a fraction below 1.
        test_size: how many are held out for the test, likewise; 0 for none.
        max_bad_fraction: how many of the files may be unreadable.
        normalize: True for ImageNet's mean and standard deviation, False or None to scale to [0, 1] only, or one's
            own: `{mean: [...], std: [...]}`, a value per channel.
        augment: of whole batches on the device, see `build_augmentations`.
        loading: see `DataModule`.

    Raises:
        ValueError: a value that cannot be; the message begins with the argument's name.
    """

    def __init__(
        self,
        image_size: Size | None = None,
        resize: int | None = None,
        center_crop: bool = True,
        random_crop: bool = False,
        transforms: Iterable[str | Mapping[str, Any]] = (),
        grayscale: bool = False,
        val_size: float = 0.2,
        test_size: float = 0.0,
        max_bad_fraction: float = 0.01,
        normalize: bool | Mapping[str, Sequence[float]] | Sequence[Sequence[float]] | None = True,
        augment: Iterable[str | Mapping[str, Any] | Augmentation] = (),
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        size = 224 if image_size is None else image_size
        height, width = (size, size) if isinstance(size, int) else size
        self.grayscale = flag("grayscale", grayscale)
        channels = 1 if grayscale else 3
        height, width = whole("image_size", height, 1), whole("image_size", width, 1)
        self.input_shape: tuple[int, int, int] = (channels, height, width)
        self.resize = whole("resize", min(height, width) if resize is None else resize, 1)
        self.center_crop, self.random_crop = flag("center_crop", center_crop), flag("random_crop", random_crop)
        if self.center_crop and self.resize < min(height, width):
            raise ValueError(f"resize must be at least image_size, {min(height, width)}, not {resize}")
        self.resizing = {"resize": self.resize, "center_crop": self.center_crop}
        if self.random_crop and not self.center_crop and self.resize <= min(height, width):
            raise ValueError(
                f"random_crop has nothing to cut: with center_crop=false, resize must be above {min(height, width)}"
            )
        self.transforms = _build_transforms(transforms)
        self._transforms_fit = _try_transforms(self.transforms, channels, (width, height)) == (width, height)
        self.val_size, self.test_size = _part("val_size", val_size), _part("test_size", test_size)
        if not 0 <= max_bad_fraction <= 1:
            raise ValueError(f"max_bad_fraction must be from 0 to 1, not {max_bad_fraction}")
        self.max_bad_fraction = max_bad_fraction
        own = (GREY_MEAN, GREY_STD) if grayscale else (IMAGENET_MEAN, IMAGENET_STD)
        self._treat_images(normalize, own, augment)

    def record(self) -> dict[str, Any]:
        return super().record() | {"preprocess": self.resizing}

    def evaluation_set(self, split: str) -> Any:
        found = super().evaluation_set(split)
        if isinstance(found, PictureDataset):
            return PictureDataset(found.paths, found.targets, self.picture_transform(), found.grayscale)
        return found

    def picture_set(self, paths: Sequence[Path], targets: Tensor, training: bool) -> PictureDataset:
        """The data set of these files, with the transforms of training or of evaluation."""
        return PictureDataset(paths, targets, self.picture_transform(training), self.grayscale)

    def picture_transform(self, training: bool = False) -> Callable[[Any], Tensor]:
        """From a Pillow image to uint8 [C, H, W]."""
        random_crop = training and self.random_crop
        as_made = training and self._transforms_fit and not random_crop
        preprocess = self.resizing | ({"resize": 0} if as_made else {})
        view = partial(fit, shape=self.input_shape, preprocess=preprocess, random_crop=random_crop)
        return v2.Compose([*self.transforms, view]) if training else view

    def preprocess(self, inputs: Tensor, targets: Tensor, training: bool) -> Batch:
        """Augment in training, and normalise: images uint8 [B, C, H, W] become float32."""
        return self.normalize(self.augmented(inputs) if training else inputs), targets

    def hold_out(self, size: int, of_val: bool = True, of_test: bool = True) -> dict[str, Tensor]:
        """Indices of the splits of `size` pictures, drawn by the seed alone: `train`, and `val` and `test` if any."""
        order = self._by_chance(size)
        val, test = of_val * _count(self.val_size, size), of_test * _count(self.test_size, size)
        if val + test >= size:
            raise ValueError(f"val_size and test_size leave nothing to train on: {val} and {test} of {size} pictures")
        splits = {"train": order[val + test :], "val": order[:val], "test": order[val : val + test]}
        return {name: split.sort().values for name, split in splits.items() if len(split)}


def _count(part: float, size: int) -> int:
    return int(part) if part >= 1 or not part else max(1, round(part * size))


def _part(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or (value > 1 and value % 1):
        raise ValueError(f"{name} must be a number of pictures, or a fraction below 1, not {value!r}")
    return value


def _try_transforms(transforms: Sequence[Callable], channels: int, size: tuple[int, int]) -> tuple[int, int]:
    """Size (width, height) of what the transforms make of a picture that is not of `size`.

    Raises:
        ValueError: if they cannot take a picture, or make something else; the message begins with `transforms`.
    """
    picture: Any = Image.new("L" if channels == 1 else "RGB", (size[0] + 31, size[1] + 17))
    with torch.random.fork_rng(devices=[]):
        for transform in transforms:
            name = type(transform).__name__
            try:
                picture = transform(picture)
            except (TypeError, ValueError, RuntimeError) as error:
                raise ValueError(f"transforms {name} cannot take a picture: {error}") from error
            if not isinstance(picture, Image.Image):
                raise ValueError(f"transforms {name} must make a picture, not a {type(picture).__name__}: leave it out")
    return picture.size


def _build_transforms(spec: Iterable[str | Mapping[str, Any]]) -> list[Callable]:
    if isinstance(spec, str | Mapping):
        raise ValueError(f"transforms must be a list, such as [RandomHorizontalFlip], not {spec!r}")
    built: list[Callable] = []
    for entry in spec:
        arguments: dict[str, Any] = dict(entry) if isinstance(entry, Mapping) else {"name": entry}
        name = arguments.pop("name", None)
        cls = getattr(v2, str(name), None)
        if not (isinstance(cls, type) and issubclass(cls, v2.Transform)):
            raise ValueError(f"transforms: torchvision.transforms.v2 has no {name!r}")
        if cls is v2.RandomErasing:  # of tensors only; it lets pictures through
            raise ValueError("transforms RandomErasing does nothing to pictures: write augment=[cutout] instead")
        try:
            built.append(cls(**arguments))
        except (TypeError, ValueError) as error:
            raise ValueError(f"transforms {name}: {error}") from error
    return built
