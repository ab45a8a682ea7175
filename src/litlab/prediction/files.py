"""The files that `input` names, read as the network sees them."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.console import printable
from litlab.data import Unreadable, fit, open_picture
from litlab.data.picture_files import suffixes
from litlab.errors import ConfigError
from litlab.prediction.invert import on_background

THUMBNAIL = 160  # pixels


def find_files(run: Run) -> list[str]:
    """The files that `input` names: files, folders (all pictures in them, at any depth) and globs, in order.

    A folder lists what has a picture's ending, even where it turns out to be a folder or a broken link.

    Raises:
        ConfigError: if a folder or a glob holds no pictures.
    """
    patterns = [given] if isinstance(given := run.cfg.input, str) else list(given)
    files: list[str] = []
    for pattern in map(os.path.expanduser, map(str, patterns)):
        if os.path.isdir(pattern):  # noqa: PTH112 (paths stay as they were typed)
            found = _pictures_in(pattern)
        elif not os.path.lexists(pattern) and glob.has_magic(pattern):
            found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        else:
            found = [pattern]  # its absence is a row like any other
        if not found:
            raise ConfigError(f"input={printable(pattern)}: no pictures there")
        files += found
    if not files:
        raise ConfigError("input=[]: names no file")
    return list(dict.fromkeys(files))


def _pictures_in(folder: str) -> list[str]:
    endings = suffixes()
    found = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        looks_like = [name for name in folders if Path(name).suffix.lower() in endings]
        folders[:] = [name for name in folders if name not in looks_like and not name.startswith(".")]
        names = sorted([*looks_like, *(name for name in files if not name.startswith("."))])
        found += [os.path.join(parent, name) for name in names if Path(name).suffix.lower() in endings]  # noqa: PTH118
    return found


@dataclass
class Loaded:
    """A file as a worker hands it over: an image uint8 [C, H, W] or an error, and a small version to look at."""

    file: str
    image: Tensor | None = None
    inverted: bool = False
    error: str | None = None
    thumbnail: Tensor | None = None  # uint8 [3, h, w]


class PictureFiles(Dataset[Loaded]):
    """Files as the network sees them; none of them raises.

    Args:
        files: paths.
        trained: what shape, and what background, the network knows.
        invert: `True`, `False`, or `"auto"`: see `on_background`, where the training images have one in common.
        thumbnails: for how many of the first files.
    """

    def __init__(self, files: Sequence[str], trained: Trained, invert: bool | str, thumbnails: int) -> None:
        self.files, self.data, self.invert, self.thumbnails = files, trained.data, invert, thumbnails

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Loaded:
        file = self.files[index]
        try:
            picture = open_picture(file)
            image = fit(picture, self.data.input_shape, self.data.preprocess)
        except Unreadable as error:
            return Loaded(file, error=printable(str(error)))
        inverted = self.invert is True
        if inverted:
            image = 255 - image
        elif self.invert == "auto" and self.data.background is not None:
            image, inverted = on_background(image, self.data.background)
        return Loaded(file, image, inverted, thumbnail=_thumbnail(picture) if index < self.thumbnails else None)


def _thumbnail(picture: Image.Image) -> Tensor:
    scale = min(1.0, THUMBNAIL / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, Image.Resampling.BILINEAR).convert("RGB")
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(size[1], size[0], 3).permute(2, 0, 1)


def as_list(batch: list[Loaded]) -> list[Loaded]:
    """A batch is a list: some of its files may have no image."""
    return batch
