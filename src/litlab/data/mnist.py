"""MNIST, the sample of it that is part of the package, and Fashion-MNIST."""

from functools import cache
from pathlib import Path

import numpy as np
import torch

from litlab.data import sources
from litlab.data.datamodules import ImageDataModule
from litlab.data.sources import Arrays


class MNIST(ImageDataModule):
    """Handwritten digits: 60,000 + 10,000 grey images of 28 x 28 (LeCun et al. 1998, section III.A)."""

    name = "mnist"
    class_names = tuple("0123456789")
    input_shape = (1, 28, 28)
    mean, std = (0.1307,), (0.3081,)
    background = 0
    release = sources.MNIST


class MNISTSample(ImageDataModule):
    """The first 4,000 training images and the first 1,000 test images of MNIST, which are part of the package.

    The file `mnist_sample.npz` was written with `np.savez_compressed`. It has four uint8 arrays, with the names of
    `Arrays`.
    """

    name = "mnist_sample"
    class_names = MNIST.class_names
    input_shape = MNIST.input_shape
    mean, std = MNIST.mean, MNIST.std
    background = MNIST.background
    release = sources.MNIST_SAMPLE
    default_val_size = 500

    def prepare_data(self) -> None:
        """Does nothing: the data are part of the package."""

    def load_arrays(self) -> Arrays:
        """The sample, verified by SHA-256. The caller may write to it."""
        return Arrays(*(values.clone() for values in _sample()))


@cache  # 4 MB, decoded once for all jobs of a sweep
def _sample() -> Arrays:
    with np.load(Path(__file__).with_name("mnist_sample.npz"), allow_pickle=False) as file:
        parts = {name: file[name] for name in Arrays._fields}
    sources.verify(sources.MNIST_SAMPLE, {name: values.tobytes() for name, values in parts.items()})
    return Arrays(**{name: torch.from_numpy(values) for name, values in parts.items()})


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
