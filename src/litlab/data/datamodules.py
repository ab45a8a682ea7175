"""One LightningDataModule per data set in memory: found and verified once, split by the seed, batched in one indexing.

A new data set is a subclass of `ImageDataModule` with its facts as class attributes, and `prepare_data` and
`load_arrays` unless a `Release` in `sources` describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from litlab.data import sources
from litlab.data.augment import Augmentation
from litlab.data.base import Batch, DataModule, folder, whole
from litlab.data.datasets import ImageDataset
from litlab.data.sources import Arrays, Release


SHARE_OF_GPU = 0.25  # of its free memory, that images may take unasked


class ImageDataModule(DataModule):
    """Images in memory; the loaders yield uint8 [B, C, H, W] and int64 [B], normalised on the device.

    Args:
        data_dir: the folder of the processed cache, and of files put there by hand.
        val_size: how many training images are held out for validation, drawn by `seed` alone; None means 5000
            (500 for the sample), 0 that there is no validation.
        image_size: resize each batch, on the device, to this many pixels a side; None keeps the images as they are.
        normalize: True for the data set's own mean and standard deviation, False or None to scale to [0, 1] only,
            or one's own: `{mean: [...], std: [...]}`, a value per channel.
        augment: transforms of the training batches: names, mappings or callables, see `build_augmentations`.
        device: where the images are kept, uint8: `cpu`, `gpu` (the one that is trained on), or `auto`: on the GPU if
            they take a quarter of its free memory at most.
        loading: see `DataModule`. Workers seldom help: a batch is one indexing.

    Raises:
        ValueError: a value that cannot be; the message begins with the argument's name.
    """

    data_dir_is_cache: ClassVar[bool] = True  # the data are the same wherever `data_dir` is
    release: ClassVar[Release]
    default_val_size: ClassVar[int] = 5000
    default_eval_batch_size = 1000

    def __init__(
        self,
        data_dir: str | Path = "data",
        val_size: int | None = None,
        image_size: int | None = None,
        normalize: bool | Mapping[str, Sequence[float]] | Sequence[Sequence[float]] | None = True,
        augment: Iterable[str | Mapping[str, Any] | Augmentation] = (),
        device: Literal["auto", "cpu", "gpu"] = "auto",
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if device not in ("auto", "cpu", "gpu"):
            raise ValueError(f"device must be auto, cpu or gpu, not {device!r}")
        if device == "gpu" and self.num_workers:
            raise ValueError("device=gpu needs no workers: num_workers must be 0")
        self.device = device
        self._moved: dict[tuple[int, torch.device], Tensor] = {}
        self.data_dir = folder("data_dir", data_dir)
        self.val_size = whole("val_size", self.default_val_size if val_size is None else val_size, 0)
        self._treat_images(normalize, (self.mean, self.std), augment)
        self._stored_shape = self.input_shape
        self.image_size = None if image_size is None else whole("image_size", image_size, 1)
        if self.image_size is not None:
            self.input_shape = (self.input_shape[0], self.image_size, self.image_size)

    def prepare_data(self) -> None:
        """Find, decode and verify the data set, once; see `sources.prepare` for what it raises."""
        sources.prepare(self.release, self.data_dir)

    def load_arrays(self) -> Arrays:
        """The verified data set; called once, by `setup`."""
        return sources.load(self.release, self.data_dir)

    def setup(self, stage: str | None = None) -> None:
        """Load and split; does nothing the second time.

        Raises:
            ValueError: a corrupt cache file, arrays that are not what the class says, or a `val_size` or `drop_last`
                that leaves nothing to train on.
        """
        if self.train_set is not None:
            return
        arrays = self.load_arrays()
        self._check(arrays.train_images, arrays.train_labels, "train")
        self._check(arrays.test_images, arrays.test_labels, "test")
        train, val = self._split(len(arrays.train_images))
        train_labels = arrays.train_labels.long()
        self.train_set = ImageDataset(arrays.train_images, train_labels, train)
        self.val_set = ImageDataset(arrays.train_images, train_labels, val) if self.val_size else None
        self.test_set = ImageDataset(arrays.test_images, arrays.test_labels.long())

    def preprocess(self, inputs: Tensor, targets: Tensor, training: bool) -> Batch:
        """Augment in training, normalise and resize: images uint8 [B, C, H, W] become float32."""
        images = self.augmented(inputs) if training else inputs
        images = self.normalize(images)
        if self.input_shape != self._stored_shape:
            images = F.interpolate(images, self.input_shape[1:], mode="bilinear", antialias=True)
        return images, targets

    def placed(self, dataset: Dataset, device: torch.device) -> Dataset:
        """A split in the memory of the device that is trained on, if it is to be there."""
        if not isinstance(dataset, ImageDataset) or self.device == "cpu" or self.num_workers:
            return dataset
        if device.type != "cuda":
            if self.device == "gpu":
                raise ValueError("device must be auto or cpu: the training is not on a CUDA GPU")
            return dataset
        parts = [self._on(device, part) for part in (dataset.images, dataset.labels)]
        images, labels = parts
        return dataset if images is None or labels is None else ImageDataset(images, labels, dataset.indices)

    def _on(self, device: torch.device, values: Tensor) -> Tensor | None:
        """The same values on a device, where they are once for all splits; None if there is no room for them."""
        key = values.data_ptr(), device
        if key not in self._moved:
            free, _ = torch.cuda.mem_get_info(device)
            if self.device == "auto" and values.nbytes > free * SHARE_OF_GPU:
                return None
            self._moved[key] = values.to(device)
        return self._moved[key]

    def _check(self, images: Tensor, labels: Tensor, split: str) -> None:
        C, H, W = self._stored_shape
        has_bytes = isinstance(images, Tensor) and images.dtype == torch.uint8
        if not has_bytes or images.shape[1:] != (C, H, W):
            raise ValueError(
                f"load_arrays: {split}_images must be uint8 [N, {C}, {H}, {W}], 0 to 255, not {_described(images)}"
            )
        has_numbers = isinstance(labels, Tensor) and not labels.is_floating_point()
        if not has_numbers or labels.shape != (len(images),):
            raise ValueError(
                f"load_arrays: {split}_labels must be whole numbers [{len(images)}], not {_described(labels)}"
            )
        if len(labels) and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"load_arrays: {split}_labels must be from 0 to {self.num_classes - 1}, as there are "
                f"{self.num_classes} class_names, not from {labels.min()} to {labels.max()}"
            )

    def _split(self, size: int) -> tuple[Tensor, Tensor]:
        if self.val_size >= size:
            raise ValueError(f"val_size must be under {size:,}, the size of the training set, not {self.val_size:,}")
        order = self._by_chance(size)
        val, train = order[: self.val_size].sort().values, order[self.val_size :].sort().values
        return self._limited(train), val


def _described(values: Any) -> str:
    if not isinstance(values, Tensor):
        return f"a {type(values).__name__}"
    return f"{str(values.dtype).removeprefix('torch.')} {list(values.shape)}"


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


class CIFAR100(ImageDataModule):
    """Photographs of a hundred kinds of things: 50,000 + 10,000 colour images of 32 x 32 (Krizhevsky 2009).

    torchvision's, checked against the MD5 sums that it knows; read from `data_dir/cifar-100-python` at each start.
    """

    name = "cifar100"
    class_names = tuple(sources.CIFAR100_NAMES.split())
    input_shape = (3, 32, 32)
    mean, std = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)

    def prepare_data(self) -> None:
        sources.prepare_cifar100(self.data_dir)

    def load_arrays(self) -> Arrays:
        return sources.load_cifar100(self.data_dir)


class Fake(ImageDataModule):
    """Random images of any shape with random labels, drawn by the seed: for trying things.

    Args:
        input_shape: (C, H, W).
        num_classes: how many labels there are.
        train_size: number of training images; of them, `val_size` are held out for validation.
        test_size: number of test images.
        arguments: see `ImageDataModule`, and `DataModule`.
    """

    name = "fake"

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        train_size: int = 1200,
        test_size: int = 200,
        val_size: int = 200,
        **arguments: Any,
    ) -> None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise ValueError(f"input_shape must be (C, H, W), not {list(input_shape)}")
        channels, height, width = input_shape
        self.input_shape = (channels, height, width)
        self.class_names = tuple(map(str, range(whole("num_classes", num_classes, 2))))
        self.train_size, self.test_size = whole("train_size", train_size, 2), whole("test_size", test_size, 1)
        self.mean, self.std = (0.5,) * channels, (0.29,) * channels  # of uniform noise
        super().__init__(val_size=val_size, **arguments)

    def prepare_data(self) -> None:
        """Nothing: they are drawn in `load_arrays`."""

    def load_arrays(self) -> Arrays:
        generator = torch.Generator().manual_seed(self.seed)
        drawn = []
        for size in (self.train_size, self.test_size):
            shape = (size, *self._stored_shape)
            drawn.append(torch.randint(256, shape, dtype=torch.uint8, generator=generator))
            drawn.append(torch.randint(self.num_classes, (size,), generator=generator))
        return Arrays(*drawn)


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
