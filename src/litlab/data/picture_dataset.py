"""Image files as a data set: checked once before training, decoded in the workers."""

import logging
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from litlab.data.picture_files import Unreadable, open_picture, why_unreadable
from litlab.data.workers import BadPicture
from litlab.errors import one_line
from litlab.machine import cores

log = logging.getLogger(__name__)

NAMED = 5  # files that a message names; train.log names all unreadable files


class PictureDataset(Dataset[tuple[Tensor, Tensor]]):
    """Image files and their targets. A file is decoded each time it is read.

    Args:
        paths: N image files.
        targets: [N, ...].
        transform: from a Pillow image to uint8 [C, H, W], the same size for all.
        grayscale: open the files as grey images, not as RGB.
    """

    def __init__(
        self, paths: Sequence[Path], targets: Tensor, transform: Callable[[Any], Tensor], grayscale: bool
    ) -> None:
        self.paths, self.targets, self.transform, self.grayscale = list(paths), targets, transform, grayscale

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One image uint8 [C, H, W] and its target [...].

        Raises:
            BadPicture: the file cannot be read any more, or `transform` cannot take the picture.
        """
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
        """A whole batch: images uint8 [B, C, H, W] and targets [B, ...]."""
        images, targets = zip(*map(self.__getitem__, batch), strict=True)
        return torch.stack(images), torch.stack(targets)


def file_of(dataset: Any, index: int) -> str | None:
    """The file of one image of a data set; None if the images are in memory, as MNIST's are."""
    paths: Sequence[Path] | None = getattr(dataset, "paths", None)
    return None if paths is None else str(paths[index])


def find_readable(paths: Sequence[Path], max_bad_fraction: float) -> list[bool]:
    """Whether each file is a complete picture. Decodes each once, on all cores, and warns of those that are not.

    Args:
        paths: the files.
        max_bad_fraction: the largest part of the files that may be unreadable, 0 to 1.

    Raises:
        ValueError: more files are unreadable; the message names some of them.
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
