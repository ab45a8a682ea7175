"""Random images, for trying things."""

from collections.abc import Sequence
from typing import Any

import torch

from litlab.data.arguments import whole_number
from litlab.data.datamodules import ImageDataModule
from litlab.data.sources import Arrays


class Fake(ImageDataModule):
    """Random images of any shape with random labels, made from `seed`: for trying things.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: number of classes, at least 2.
        train_size: number of training images; those of `val_size` are held out for validation.
        test_size: number of test images.
        val_size: see `ImageDataModule`.
        arguments: see `ImageDataModule` and `DataModule`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    name = "fake"

    def __init__(
        self,
        input_shape: Sequence[int] = (3, 32, 32),
        num_classes: int = 10,
        train_size: int = 1200,
        test_size: int = 200,
        val_size: float = 200,
        **arguments: Any,
    ) -> None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise ValueError(f"input_shape must be (C, H, W), not {list(input_shape)}")
        channels, height, width = input_shape
        self.input_shape = (channels, height, width)
        self.class_names = tuple(map(str, range(whole_number("num_classes", num_classes, 2))))
        self.train_size = whole_number("train_size", train_size, 2)
        self.test_size = whole_number("test_size", test_size, 1)
        self.mean, self.std = (0.5,) * channels, (0.29,) * channels  # those of uniform noise
        super().__init__(val_size=val_size, **arguments)

    def prepare_data(self) -> None:
        """Does nothing: `load_arrays` makes the images."""

    def load_arrays(self) -> Arrays:
        generator = torch.Generator().manual_seed(self.seed)
        drawn = []
        for size in (self.train_size, self.test_size):
            shape = (size, *self._stored_shape)
            drawn.append(torch.randint(256, shape, dtype=torch.uint8, generator=generator))
            drawn.append(torch.randint(self.num_classes, (size,), generator=generator))
        return Arrays(*drawn)
