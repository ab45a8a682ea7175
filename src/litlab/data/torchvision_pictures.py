"""Data sets of photographs that torchvision fetches: one class each, with its facts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchvision import datasets

from litlab.data.class_lists import FOODS, IMAGENETTE, PETS
from litlab.data.class_pictures import PARTS, ClassPictures
from litlab.data.file_names import FileNames
from litlab.data.listing import Listing
from litlab.data.sources import pictures_by_torchvision
from litlab.data.sources.pictures_by_torchvision import PicturesByTorchvision


class TorchvisionPictures(ClassPictures):
    """Photographs of a data set of torchvision's. If it has no validation split, one is drawn from the training split.

    A subclass sets the name, the classes and `by_torchvision`.

    Args:
        data_dir: the folder that holds the data set, or will.
        pictures: see `PictureDataModule` and `DataModule`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    by_torchvision: ClassVar[PicturesByTorchvision]

    def __init__(self, data_dir: str | Path = "data", **pictures: Any) -> None:
        super().__init__(**pictures)
        self.roots = [Path(data_dir).expanduser()]
        self.source = f"data_dir {self.roots[0]}"
        if not self.validates:
            raise ValueError(f"val_size must be above 0: {self.by_torchvision.name} has no validation split")

    @property
    def validates(self) -> bool:
        return bool(self.val_size or self.folds) or "val" in self.by_torchvision.splits

    def prepare_data(self) -> None:
        self.by_torchvision.prepare(self.roots[0])

    def list_pictures(self) -> tuple[Sequence[Listing], Tensor, Tensor]:
        """The pictures of all splits, see `ClassPictures`.

        Raises:
            FileNotFoundError: they are not there.
            ValueError: they have other classes.
        """
        splits = self.by_torchvision.load(self.roots[0])
        files = [file for split in splits.values() for file in split.files]
        for split in splits.values():
            if tuple(split.class_names) != tuple(self.class_names):
                raise ValueError(f"{self.source}: other classes than those of {self.by_torchvision.name}")
        listing = Listing.of(FileNames.of(files))
        if missing := [file for file, size in zip(files, listing.sizes.tolist(), strict=True) if size < 0]:
            raise ValueError(f"{self.source}: {len(missing):,} pictures are missing, such as {missing[0]}")
        split_of = torch.cat([torch.full((len(s.files),), PARTS.index(name)) for name, s in splits.items()])
        targets = torch.tensor([label for split in splits.values() for label in split.labels])
        return [listing], split_of, targets


class Flowers102(TorchvisionPictures):
    """Flowers: 1,020 + 1,020 + 6,149 photographs, 102 classes (Nilsback & Zisserman 2008). Needs scipy."""

    name = "flowers102"
    class_names = tuple(datasets.Flowers102.classes)
    by_torchvision = pictures_by_torchvision.FLOWERS102


class OxfordPets(TorchvisionPictures):
    """Cats and dogs: 3,680 + 3,669 photographs, 37 breeds (Parkhi et al. 2012)."""

    name = "oxford_pets"
    class_names = PETS
    by_torchvision = pictures_by_torchvision.OXFORD_PETS


class Food101(TorchvisionPictures):
    """Dishes: 75,750 + 25,250 photographs, 101 classes (Bossard et al. 2014)."""

    name = "food101"
    class_names = FOODS
    by_torchvision = pictures_by_torchvision.FOOD101


class Imagenette(TorchvisionPictures):
    """Ten easy classes of ImageNet: 9,469 + 3,925 photographs, the shorter side 320 pixels (Howard 2019)."""

    name = "imagenette"
    class_names = IMAGENETTE
    by_torchvision = pictures_by_torchvision.IMAGENETTE
