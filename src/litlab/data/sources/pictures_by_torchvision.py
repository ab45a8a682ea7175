"""Data sets of photographs that torchvision fetches. It checks their archives by MD5 when it unpacks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchvision import datasets

from litlab.data.sources.by_torchvision import fetch_by_torchvision


@dataclass(frozen=True)
class Pictures:
    """The pictures of a split.

    Args:
        files: N paths.
        labels: the number of each file's class.
        class_names: of all classes.
    """

    files: list[str]
    labels: list[int]
    class_names: list[str]


@dataclass(frozen=True)
class PicturesByTorchvision:
    """A data set of photographs of torchvision's.

    Args:
        name: for messages.
        splits: torchvision's name of each split that it has, by that of litlab: train, val and test.
        read: from a folder, torchvision's name of a split, and whether to download, to the pictures of that split.
        url: where torchvision fetches it.
        by_hand: what to put where in the folder if it cannot be fetched.
    """

    name: str
    splits: dict[str, str]
    read: Callable[[Path, str, bool], Pictures]
    url: str
    by_hand: str

    def prepare(self, data_dir: str | Path) -> None:
        """Makes sure that `data_dir` holds the pictures, unpacked.

        Raises:
            FileNotFoundError: they could not be fetched; the message says what to do.
            ValueError: a package is missing.
        """
        first = next(iter(self.splits.values()))

        def fetch(folder: Path) -> None:
            try:
                self.read(folder, first, False)
            except RuntimeError:  # it is not there
                self.read(folder, first, True)

        fetch_by_torchvision(self.name, self.url, self.by_hand, data_dir, fetch)

    def load(self, data_dir: str | Path) -> dict[str, Pictures]:
        """The pictures of each split.

        Raises:
            FileNotFoundError: they are not in `data_dir`.
        """
        folder = Path(data_dir).expanduser()
        try:
            return {split: self.read(folder, name, False) for split, name in self.splits.items()}
        except (RuntimeError, OSError) as error:
            raise FileNotFoundError(f"data_dir {folder} holds no {self.name}: put {self.by_hand}") from error


def as_it_is(path: Any) -> Any:
    """Takes the place of the function with which torchvision opens a picture."""
    return path


def listed(found: Any, class_names: list[str]) -> Pictures:
    """The pictures of a data set that was opened with `as_it_is`."""
    pairs = [found[number] for number in range(len(found))]
    return Pictures([str(file) for file, _ in pairs], [label for _, label in pairs], class_names)


def read_flowers(folder: Path, split: str, download: bool) -> Pictures:
    found = datasets.Flowers102(folder, split, download=download, loader=as_it_is)
    return listed(found, list(found.classes))


def read_foods(folder: Path, split: str, download: bool) -> Pictures:
    found = datasets.Food101(folder, split, download=download, loader=as_it_is)
    return listed(found, list(found.classes))


def read_imagenette(folder: Path, split: str, download: bool) -> Pictures:
    found = datasets.Imagenette(folder, split, size="320px", download=download, loader=as_it_is)
    return listed(found, [names[0] for names in found.classes])


def read_pets(folder: Path, split: str, download: bool) -> Pictures:
    """torchvision opens these pictures itself, so the files are taken from the table that it reads."""
    names = list(datasets.OxfordIIITPet(folder, split, download=download).classes)
    place = folder / "oxford-iiit-pet"
    rows = [line.split() for line in (place / f"annotations/{split}.txt").read_text("utf-8").splitlines()]
    return Pictures([str(place / f"images/{row[0]}.jpg") for row in rows], [int(row[1]) - 1 for row in rows], names)


FLOWERS102 = PicturesByTorchvision(
    "Flowers102",
    {"train": "train", "val": "val", "test": "test"},
    read_flowers,
    "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    "imagelabels.mat, setid.mat and the folder jpg of 102flowers.tgz into its folder flowers-102",
)
OXFORD_PETS = PicturesByTorchvision(
    "Oxford-IIIT Pet",
    {"train": "trainval", "test": "test"},
    read_pets,
    "https://www.robots.ox.ac.uk/~vgg/data/pets/",
    "the folders images and annotations of its archives into its folder oxford-iiit-pet",
)
FOOD101 = PicturesByTorchvision(
    "Food-101",
    {"train": "train", "test": "test"},
    read_foods,
    "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",
    "the folder food-101 of food-101.tar.gz into it",
)
IMAGENETTE = PicturesByTorchvision(
    "Imagenette",
    {"train": "train", "val": "val"},
    read_imagenette,
    "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
    "the folder imagenette2-320 of imagenette2-320.tgz into it",
)
