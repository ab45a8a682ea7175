"""Image files as a data set: checked once before training, decoded in the workers."""

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from litlab.data.file_names import FileNames
from litlab.data.listing import Listing
from litlab.data.picture_files import Unreadable, open_picture, read_picture
from litlab.data.picture_index import Checked
from litlab.data.resize import Fit
from litlab.data.workers import BadPicture
from litlab.errors import one_line

log = logging.getLogger(__name__)

NAMED = 5  # files that a message names; train.log names all unreadable files


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

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One image uint8 [C, H, W] and its target [...].

        Raises:
            BadPicture: the file cannot be read any more, or `transform` cannot take the picture.
        """
        path = self.paths.text(index)
        try:
            picture = self._read(path)
        except Unreadable as error:
            raise BadPicture(f"{path} cannot be read any more: {error}") from None
        try:
            return self.transform(picture), self.targets[index]
        except (TypeError, ValueError, RuntimeError) as error:
            raise BadPicture(f"transforms cannot take {path}: {one_line(error)}") from error

    def _read(self, path: str) -> Image.Image | np.ndarray:
        if isinstance(self.transform, Fit):
            return read_picture(path, self.transform.needed if self.scaled else None)
        return open_picture(path).convert("L" if self.grayscale else "RGB")

    def __getitems__(self, batch: list[int]) -> tuple[Tensor, Tensor]:
        """A whole batch: images uint8 [B, C, H, W] and targets [B, ...]."""
        images, targets = zip(*map(self.__getitem__, batch), strict=True)
        return torch.stack(images), torch.stack(targets)


def file_of(dataset: Any, index: int) -> str | None:
    """The file of one image of a data set; None if the images are in memory, as MNIST's are."""
    paths: Sequence[Path] | None = getattr(dataset, "paths", None)
    return None if paths is None else str(paths[index])


def find_readable(listing: Listing, checked: Checked, max_bad_fraction: float) -> np.ndarray:
    """Whether each file is a complete picture, bool [N]. Warns of those that are not.

    Args:
        listing: the files.
        checked: what `check_pictures` says about them.
        max_bad_fraction: the largest part of the files that may be unreadable, 0 to 1.

    Raises:
        ValueError: more files are unreadable; the message names some of them.
    """
    bad = [f"{listing.files.text(row)} ({reason})" for row, reason in checked.reasons.items()]
    if bad:
        for line in bad:
            log.warning("unreadable: %s", line)
        more = f" and {len(bad) - NAMED} more, named in train.log" if len(bad) > NAMED else ""
        note = f"{len(bad):,} of {len(listing):,} files cannot be read: {', '.join(bad[:NAMED])}{more}"
        if len(bad) > max_bad_fraction * len(listing):
            enough = math.ceil(100 * len(bad) / len(listing)) / 100
            raise ValueError(
                f"max_bad_fraction={max_bad_fraction}: {note}; repair or remove them, or skip them with "
                f"data.max_bad_fraction={enough:g}"
            )
        warnings.warn(f"skipped: {note}", stacklevel=2)
    return checked.readable
