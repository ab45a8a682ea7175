"""The pictures that `input` names, read and prepared for the network."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.console import listed, printable
from litlab.data import Unreadable, as_opened, fit, open_picture
from litlab.data.picture_files import is_of_system, suffixes
from litlab.errors import ConfigError
from litlab.prediction.invert import invert_setting, on_background

THUMBNAIL = 160  # pixels of the longer side


def find_files(run: Run) -> list[str]:
    """The files that `input` names, in order: files, folders (all pictures in them, at any depth) and globs.

    Raises:
        ConfigError: if there is no picture in a folder, or none that fits a glob.
    """
    given = run.cfg.input
    patterns = [given] if isinstance(given, str) else list(given)
    files: list[str] = []
    for pattern in map(os.path.expanduser, map(str, patterns)):
        if os.path.isdir(pattern):  # noqa: PTH112 (paths stay as they were typed)
            found = _pictures_in(pattern)
        elif not os.path.lexists(pattern) and glob.has_magic(pattern):
            found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        else:
            found = [pattern]  # if it does not exist, it is a row of the table that says so
        if not found:
            raise ConfigError(f"input={printable(pattern)}: no pictures there{_as_list_hint(given)}")
        files += found
    if not files:
        raise ConfigError("input=[]: names no file")
    if not any(os.path.lexists(file) for file in files):  # before the predictions of an earlier call are overwritten
        raise ConfigError(f"input={printable(listed(files, most=3))}: not there{_as_list_hint(given)}")
    return list(dict.fromkeys(files))


def _as_list_hint(given: Any) -> str:
    """What to write if `input` has names between commas, as in `a.png,b.png`, and one of them is there."""
    names = given.split(",") if isinstance(given, str) else []
    there = any(glob.glob(os.path.expanduser(name)) for name in names if name)  # noqa: PTH111, PTH207
    return f"; several go in brackets: input=[{printable(given)}]" if len(names) > 1 and there else ""


def _pictures_in(folder: str) -> list[str]:
    """All files with the ending of a picture, and folders and broken links with one, so that the user hears of them."""
    endings = suffixes()
    found = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        look_like_pictures = [name for name in folders if Path(name).suffix.lower() in endings]
        folders[:] = [name for name in folders if name not in look_like_pictures and not is_of_system(name)]
        names = sorted([*look_like_pictures, *(name for name in files if not is_of_system(name))])
        found += [os.path.join(parent, name) for name in names if Path(name).suffix.lower() in endings]  # noqa: PTH118
    return found


@dataclass
class Loaded:
    """A file that a worker has read.

    Args:
        file: its path.
        image: uint8 [C, H, W], as the network sees it; None if the file could not be read.
        inverted: whether light and dark were swapped.
        error: why the file could not be read.
        thumbnail: uint8 [3, h, w], for the sheet.
        size: width and height of the picture itself, in pixels.
    """

    file: str
    image: Tensor | None = None
    inverted: bool = False
    error: str | None = None
    thumbnail: Tensor | None = None
    size: tuple[int, int] = (0, 0)


File = str | Image.Image  # a path, or a picture that is in memory already


class PictureFiles(Dataset[Loaded]):
    """Reads files and prepares them for a network. A file that cannot be read gives an error, and raises none.

    Args:
        files: paths, or pictures of Pillow.
        trained: the network, with the shape and the background of its training images.
        invert: True, False or "auto": `on_background`, if the training images have a background in common.
        thumbnails: how many files get one, from all over the list.
    """

    def __init__(self, files: Sequence[File], trained: Trained, invert: bool | str, thumbnails: int) -> None:
        self.files, self.data, self.invert, self.thumbnails = files, trained.data, invert_setting(invert), thumbnails
        count = min(thumbnails, len(files))
        self.on_sheet = {number * len(files) // count for number in range(count)}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Loaded:
        given = self.files[index]
        file = given if isinstance(given, str) else f"picture {index}"
        try:
            picture = open_picture(given) if isinstance(given, str) else as_opened(given)
            image = fit(picture, self.data.input_shape, self.data.preprocess)
        except Unreadable as error:
            return Loaded(file, error=printable(str(error)))
        inverted = self.invert is True
        if inverted:
            image = 255 - image
        elif self.invert == "auto" and self.data.background is not None:
            image, inverted = on_background(image, self.data.background)
        thumbnail = _thumbnail(picture) if index in self.on_sheet else None
        return Loaded(file, image, inverted, thumbnail=thumbnail, size=picture.size)


def _thumbnail(picture: Image.Image) -> Tensor:
    scale = min(1.0, THUMBNAIL / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, Image.Resampling.BILINEAR).convert("RGB")
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(size[1], size[0], 3).permute(2, 0, 1)


def as_list(batch: list[Loaded]) -> list[Loaded]:
    """Leaves a batch a list, because some of its files may have no image."""
    return batch
