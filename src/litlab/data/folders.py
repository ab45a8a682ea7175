"""Pictures in folders, with one folder for each class."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litlab.console import listed
from litlab.data.arguments import folder_path
from litlab.data.class_pictures import PARTS, ClassPictures
from litlab.data.drawn_splits import SPLITS
from litlab.data.listing import Listing, list_files
from litlab.data.picture_check import NAMED
from litlab.data.picture_files import is_of_system, suffixes
from litlab.files import not_a_folder

SUFFIXES = frozenset(suffixes())  # of picture files, such as .jpg
COMMON = ".jpg, .jpeg, .png, .gif, .bmp, .tif, .webp"  # some of them
LIKE_A_SPLIT = re.compile(r"(train|val|valid|validation|dev|eval|test)(ing)?([-_ ]?(set|data|images))?", re.IGNORECASE)


class ImageFolder(ClassPictures):
    """Pictures of any size and format, in one folder for each class, at any depth below it.

    If `data_dir` has folders `train/` and `val/` (and `test/`) above the class folders, they are the splits. All other
    pictures are split by `val_size`, `test_size` and `seed`. Several folders become one data set: classes with the same
    name are merged.

    Args:
        data_dir: the folder, or several.
        pictures: see `PictureDataModule` and `DataModule`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name. It begins with
            `data_dir` if there are no classes, or a folder has a name like a split, such as `valid`.
        FileNotFoundError: there is no such folder.
    """

    name = "image_folder"
    needed = "a folder for each of two classes or more"

    def __init__(self, data_dir: str | Path | Sequence[str | Path], **pictures: Any) -> None:
        super().__init__(**pictures)
        folders = [data_dir] if isinstance(data_dir, str | Path) else list(data_dir)
        self.roots = [folder_path("data_dir", root) for root in folders]
        for root in self.roots:
            if not root.is_dir():
                raise FileNotFoundError(f"data_dir {root}: {not_a_folder(root)}")
        self.source = f"data_dir {self.roots[0]}"
        split_folders = [split for root in self.roots for split in _split_folders(root).values()]
        self.class_names = tuple(sorted({path.name for split in split_folders for path in _subfolders(split)}))
        if not self.class_names:
            self.check_enough_classes()
        if not self.validates:
            raise ValueError("val_size must be above 0: there is no val/ in data_dir")

    @property
    def title(self) -> str:
        return " + ".join(root.resolve().name for root in self.roots)

    @property
    def validates(self) -> bool:
        return bool(self.val_size or self.folds) or any("val" in _split_folders(root) for root in self.roots)

    def list_pictures(self) -> tuple[Sequence[Listing], Tensor, Tensor]:
        """Finds the picture files of all roots, see `ClassPictures`. Warns of files with other endings.

        Raises:
            ValueError: there are none.
        """
        others: Counter[str] = Counter()
        listings, split_of, class_of = [], [], []
        for root in self.roots:
            parts = []
            for name, split in _split_folders(root).items():
                for cls in _subfolders(split):
                    parts.append(list_files(cls, SUFFIXES, others))
                    split_of.append(torch.full((len(parts[-1]),), PARTS.index(name)))
                    class_of.append(torch.full((len(parts[-1]),), self.class_names.index(cls.name)))
            listings.append(Listing.together(parts))
        self._mention_strays()
        if others:
            endings = ", ".join(f"{ending} {count:,}" for ending, count in others.most_common(NAMED))
            warnings.warn(f"left out, not the ending of a picture file: {others.total():,} ({endings})", stacklevel=3)
        if not sum(map(len, listings)):
            raise ValueError(
                f"data_dir {self.roots[0]} holds no pictures: no file in its folders ends in {COMMON}, ..."
            )
        return listings, torch.cat(split_of), torch.cat(class_of)

    def _mention_strays(self) -> None:
        """Warns of pictures that are in no folder of a class, and of folders beside those of the splits."""
        for root in self.roots:
            splits = _split_folders(root)
            tops = {root, *splits.values()}
            loose = [path for top in tops for path in sorted(top.iterdir()) if path.suffix.lower() in SUFFIXES]
            loose = [path for path in loose if path.is_file() and not is_of_system(path.name)]
            if loose:
                more = f"{len(loose):,} pictures, such as" if len(loose) > 1 else "the picture"
                warnings.warn(f"left out, not in the folder of a class: {more} {loose[0]}", stacklevel=4)
            beside = [] if "all" in splits else [path.name for path in _subfolders(root) if path.name not in SPLITS]
            if beside:
                warnings.warn(f"left out, beside the folders of the splits: {listed(beside, NAMED)}", stacklevel=4)


def holds_classes(root: Path) -> bool:
    """Whether a folder looks like one for `ImageFolder`: two folders or more hold pictures, maybe below `train/`."""
    try:
        classes = [cls for split in _split_folders(root).values() for cls in _subfolders(split)]
        return sum(any(path.suffix.lower() in SUFFIXES for path in cls.iterdir()) for cls in classes) > 1
    except (OSError, ValueError):  # it cannot be read, or not as it is
        return False


def _split_folders(root: Path) -> dict[str, Path]:
    """The folders of the splits by name, `train`, `val` and `test`; or `root` itself as `all`, if it has none."""
    names = [path.name for path in _subfolders(root)]
    like = [name for name in names if LIKE_A_SPLIT.fullmatch(name)]
    odd = [name for name in like if name not in SPLITS]
    if odd and ("train" in names or like == names):  # otherwise it may be a class, such as valid beside invalid
        raise ValueError(f"data_dir {root}: folders of splits must be named train, val and test, not {', '.join(odd)}")
    return {name: root / name for name in SPLITS if name in names} or {"all": root}


def _subfolders(parent: Path) -> list[Path]:
    """The folders in a folder, without hidden ones and those that are no user's own, such as `@eaDir`."""
    return sorted(path for path in parent.iterdir() if not is_of_system(path.name) and path.is_dir())
