"""Pictures with five points each, such as the eyes, the nose and the corners of the mouth of a face."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.utils import draw_keypoints

from litlab.data.arguments import check_listed_once, file_path, text_of
from litlab.data.augment import Augmentation
from litlab.data.drawn_splits import DrawnSplits
from litlab.data.file_names import FileNames
from litlab.data.listing import Listing
from litlab.data.picture_check import NAMED
from litlab.data.pictures import PictureDataModule

POINTS = 5
LARGEST = 1e6  # pixels: a coordinate must be smaller
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Augmentations after which the points are still right.
MOVE_NOTHING = ("cutout", "color_jitter", "random_erasing", "gaussian_blur")


class Landmarks(PictureDataModule):
    """Pictures and points from a tab-separated file: on each line a path, then x and y of five points, in pixels.

    Targets are float32 [B, 5, 2]: x as a part of the width and y as a part of the height, from the upper left corner.
    Pictures are squeezed to `image_size`, which does not change these parts.

    Args:
        annotations: the file; paths in it are relative to its folder.
        image_size: see `PictureDataModule`.
        augment: see `PictureDataModule`; only those in `MOVE_NOTHING`.
        val_size: see `PictureDataModule`.
        test_size: see `PictureDataModule`.
        pictures: other arguments of `PictureDataModule` (except those that crop or transform) and of `DataModule`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
        FileNotFoundError: there is no such file.
    """

    name = "landmarks"
    task = "regression"
    target_shape = (POINTS, 2)

    def __init__(
        self,
        annotations: str | Path,
        image_size: int | None = None,
        augment: Iterable[str | Mapping[str, Any] | Augmentation] = (),
        val_size: float = 0.1,
        test_size: float = 0.1,
        **pictures: Any,
    ) -> None:
        if moved := [name for name in ("random_crop", "transforms", "center_crop") if pictures.get(name)]:
            raise ValueError(f"{moved[0]} moves the picture and not its landmarks: leave it out")
        for entry in augment if not isinstance(augment, str) else ():
            name = entry.get("name") if isinstance(entry, Mapping) else entry
            if isinstance(name, str) and name not in MOVE_NOTHING:
                raise ValueError(
                    f"augment {name} moves the picture and not its landmarks; choose from {', '.join(MOVE_NOTHING)}"
                )
        self.annotations = file_path("annotations", annotations)
        pictures = pictures | {"center_crop": False}
        super().__init__(image_size, augment=augment, val_size=val_size, test_size=test_size, **pictures)
        self.roots = [self.annotations.parent]

    @property
    def title(self) -> str:
        return self.annotations.stem

    def setup(self, stage: str | None = None) -> None:
        """Read the annotations, check the files and split them; does nothing the second time.

        Raises:
            ValueError: a line is wrong (the message names the file and the line), or too many files are unreadable.
        """
        if self.train_set is not None:
            return
        paths, points = read_annotations(self.annotations)
        names = FileNames.of(paths)
        if self.measured and (rows := self._known(names)):  # the others need not even be there
            names, points = FileNames.of([paths[row] for row in rows]), points[rows]
        listing = Listing.of(names)
        checked = self.check_of([listing]).look()
        readable = torch.from_numpy(checked.readable).nonzero().flatten()
        files = listing.files.take(readable)
        targets = points[readable] / torch.from_numpy(checked.pixels)[readable][:, None]
        outside = ((targets < 0) | (targets > 1)).flatten(1).any(1).nonzero().flatten().tolist()
        if outside:
            named = ", ".join(files.text(i) for i in outside[:NAMED]) + (", ..." if len(outside) > NAMED else "")
            note = f"landmarks lie outside of {len(outside):,} of {len(files):,} pictures: {named}"
            warnings.warn(f"annotations {self.annotations}: {note}", stacklevel=2)
        splits = self.divide(files, self.roots)
        if "train" in splits:
            splits["train"] = self._limited(splits["train"])
        for name, indices in splits.items():
            setattr(self, f"{name}_set", self.picture_set(files.take(indices), targets[indices], training=False))

    def _known(self, files: FileNames) -> list[int]:
        """The numbers of the files that are measured, as far as an earlier run has recorded its splits."""
        known = self.known_splits or DrawnSplits()
        return [row for row, split in enumerate(known.of(files, self.roots)) if split == self.measured]


def read_annotations(file: Path) -> tuple[list[Path], Tensor]:
    """Paths of N pictures and their points in pixels, float32 [N, 5, 2].

    Raises:
        ValueError: a line is not a path and ten numbers, with tabs between them, or its picture is listed twice (the
            message names the first such line); or the file is empty, or not UTF-8.
    """
    paths, points = [], []
    seen: dict[str, int] = {}
    for number, line in enumerate(text_of("annotations", file).splitlines(), 1):
        if not line.strip():
            continue
        name, *values = next(csv.reader([line], delimiter="\t"))  # a name may be in quotes
        where = f"annotations {file}, line {number}"
        if wrong := _wrong_numbers(values):
            raise ValueError(f"{where}: must be a path and ten numbers, between tabs, but {wrong}")
        check_listed_once(name.strip(), number, where, seen)
        paths.append(file.parent / name.strip())
        points.append([float(value) for value in values])
    if not paths:
        raise ValueError(f"annotations {file}: is empty")
    return paths, torch.tensor(points).view(-1, POINTS, 2)


def _wrong_numbers(values: list[str]) -> str:
    """What is wrong with the cells behind a path; empty if they are ten numbers."""
    if not values:
        return "has no tab"
    if len(values) != 2 * POINTS:
        return f"has {len(values)} cell{'s' * (len(values) > 1)} after the path"
    for value in values:
        if not NUMBER.fullmatch(value.strip()) or abs(float(value)) >= LARGEST:
            return f"{value!r} is no number of pixels"
    return ""


def draw_points(image: Tensor, points: Tensor, colour: str = "red") -> Tensor:
    """A copy of an image with points drawn on it, uint8 [3, H, W].

    Args:
        image: uint8 [C, H, W], C is 1 or 3.
        points: float [P, 2], x as a part of the width and y as a part of the height.
        colour: of the points.
    """
    H, W = image.shape[1:]
    keypoints = points[None].cpu() * torch.tensor([W, H])
    return draw_keypoints(image.cpu().expand(3, -1, -1).contiguous(), keypoints, colors=colour, radius=max(1, W // 60))
