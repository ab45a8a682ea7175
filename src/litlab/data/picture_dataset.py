"""Image files as a data set. They are decoded in the workers."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from litlab.data.batches import SeededBatch
from litlab.data.file_names import FileNames
from litlab.data.picture_check import FirstReading
from litlab.data.picture_files import Unreadable, as_image, read_picture
from litlab.data.resize import Fit
from litlab.data.workers import BadPicture
from litlab.errors import one_line

MOST_IN_A_ROW = 100  # unreadable files; then something else is wrong, such as a disk that is gone


class PictureDataset(Dataset[tuple[Tensor, Tensor]]):
    """Image files and their targets. A file is decoded each time it is read.

    Args:
        paths: N image files.
        targets: [N, ...].
        transform: from a Pillow image to uint8 [C, H, W], the same size for all.
        grayscale: open the files as grey images, not as RGB.
        scaled: decode a JPEG at a part of its size where that is large enough. Only if `transform` is a `Fit`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        targets: Tensor,
        transform: Callable[[Any], Tensor],
        grayscale: bool,
        scaled: bool = False,
    ) -> None:
        self.paths = paths if isinstance(paths, FileNames) else FileNames.of(paths)
        self.targets, self.transform, self.grayscale, self.scaled = targets, transform, grayscale, scaled
        self.first_reading: FirstReading | None = None  # where nobody has checked the files before

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One image uint8 [C, H, W] and its target [...].

        With a `first_reading`, the next picture stands in the place of one that cannot be read, with its own target.

        Raises:
            BadPicture: the file cannot be read any more, or `transform` cannot take the picture.
        """
        row, image = self._readable(index)
        return image, self.targets[row]

    def _readable(self, index: int) -> tuple[int, Tensor]:
        """One image uint8 [C, H, W], and the number of its file; see `__getitem__`."""
        if self.first_reading is None:
            try:
                return index, self._image(index)
            except Unreadable as error:
                raise BadPicture(f"{self.paths.text(index)} cannot be read any more: {error}") from None
        for number in range(index, index + min(len(self), MOST_IN_A_ROW)):
            row = number % len(self)
            try:
                return row, self._image(row)
            except Unreadable as error:
                self.first_reading.note_unreadable(row, self.paths.text(row), str(error))
        raise BadPicture(f"{self.paths.text(index)} cannot be read, nor can the {MOST_IN_A_ROW - 1} files behind it")

    def _image(self, index: int) -> Tensor:
        """The image of one file, uint8 [C, H, W]. Raises `Unreadable`."""
        path = self.paths.text(index)
        picture, size = self._read(path)
        if self.first_reading is not None:
            self.first_reading.note(index, size)
        try:
            return self.transform(picture)
        except (TypeError, ValueError, RuntimeError) as error:
            raise BadPicture(f"transforms cannot take {path}: {one_line(error)}") from error

    def _read(self, path: str) -> tuple[Image.Image | np.ndarray, tuple[int, int]]:
        """The picture, and its size in the file, see `read_picture`."""
        if isinstance(self.transform, Fit):
            return read_picture(path, self.transform.needed if self.scaled else None)
        picture, size = read_picture(path)
        return as_image(picture).convert("L" if self.grayscale else "RGB"), size

    def __getitems__(self, batch: list[int]) -> tuple[Tensor, Tensor]:
        """A whole batch: images uint8 [B, C, H, W] and targets [B, ...]. A `SeededBatch` is the same each time."""
        with seeded(batch.seed) if self.is_random and isinstance(batch, SeededBatch) else nullcontext():
            rows, images = zip(*map(self._readable, batch), strict=True)
        return torch.stack(images), self.targets[list(rows)]  # at once: tiny pictures take little longer than a target

    @property
    def is_random(self) -> bool:
        """Whether a picture may look different each time it is read."""
        return not isinstance(self.transform, Fit) or self.transform.random_crop


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the random numbers of torch, NumPy and Python on the CPU, which are as before after the block."""
    with isolate_rng(include_cuda=False):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs too
        np.random.seed(seed)
        random.seed(seed)
        yield


def file_of(dataset: Any, index: int) -> str | None:
    """The file of one image of a data set; None if the images are in memory, as MNIST's are."""
    paths: Sequence[Path] | None = getattr(dataset, "paths", None)
    return None if paths is None else str(paths[index])
