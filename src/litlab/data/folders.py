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
from litlab.data.file_names import FileNames
from litlab.data.listing import Listing, list_files
from litlab.data.picture_dataset import NAMED, find_readable
from litlab.data.picture_files import is_of_system, suffixes
from litlab.data.picture_index import Checked, check_pictures
from litlab.data.pictures import PictureDataModule

SUFFIXES = frozenset(suffixes())  # of picture files, such as .jpg
SPLITS = ("train", "val", "test")
PARTS = (*SPLITS, "all")  # `all`: the pictures of a folder without splits
LIKE_A_SPLIT = re.compile(r"(train|val|valid|validation|dev|eval|test)(ing)?([-_ ]?(set|data|images))?", re.IGNORECASE)


class ImageFolder(PictureDataModule):
    """Pictures of any size and format, in one folder for each class, at any depth below it.

    If `data_dir` has folders `train/` and `val/` (and `test/`) above the class folders, they are the splits. All other
    pictures are split by `val_size`, `test_size` and `seed`. Several folders become one data set: classes with the same
    name are merged.

    Args:
        data_dir: the folder, or several.
        pictures: see `PictureDataModule` and `DataModule`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name. It begins with
            `data_dir` if there are fewer than two classes, or a folder has a name like a split, such as `valid`.
        FileNotFoundError: there is no such folder.
    """

    name = "image_folder"

    def __init__(self, data_dir: str | Path | Sequence[str | Path], **pictures: Any) -> None:
        super().__init__(**pictures)
        folders = [data_dir] if isinstance(data_dir, str | Path) else list(data_dir)
        self.roots = [folder_path("data_dir", root) for root in folders]
        for root in self.roots:
            if not root.is_dir():
                raise FileNotFoundError(f"data_dir {root}: no such folder")
        split_folders = [split for root in self.roots for split in _split_folders(root).values()]
        self.class_names = tuple(sorted({path.name for split in split_folders for path in _subfolders(split)}))
        if len(self.class_names) < 2:
            found = ", ".join(self.class_names) or "none"
            raise ValueError(
                f"data_dir {folders[0]} must have a folder for each of two classes or more; found: {found}"
            )
        if not self.validates:
            raise ValueError("val_size must be above 0: there is no val/ in data_dir")

    @property
    def title(self) -> str:
        return " + ".join(root.resolve().name for root in self.roots)

    @property
    def validates(self) -> bool:
        return bool(self.val_size) or any("val" in _split_folders(root) for root in self.roots)

    def setup(self, stage: str | None = None) -> None:
        """List the files, check them and split them; does nothing the second time.

        Raises:
            ValueError: too many files are unreadable, or a class or a split has no pictures.
        """
        if self.train_set is not None:
            return
        listing, split_of, class_of = self._listed()
        if not len(listing):
            raise ValueError(f"data_dir {self.roots[0]} holds no pictures: {', '.join(sorted(SUFFIXES)[:12])}, ...")
        parts = {name: (split_of == number).nonzero().flatten() for number, name in enumerate(PARTS)}
        splits = self._split(parts, class_of, listing.files)
        self._check_classes(class_of[splits["train"]])
        self._mention_unvalidated(class_of[splits["val"]])
        chosen = self._limited(self._permutation(len(splits["train"])))  # a limit takes some of every class
        splits["train"] = splits["train"][chosen.sort().values]
        for name in SPLITS:
            if len(rows := splits[name]):
                part = self.picture_set(listing.files.take(rows), class_of[rows], training=name == "train")
                setattr(self, f"{name}_set", part)

    def _listed(self) -> tuple[Listing, Tensor, Tensor]:
        """The picture files of all roots that can be read. Warns of files with other endings.

        Returns:
            The files; the number of each file's split in `PARTS`, int64 [N], -1 if it cannot be read; its class, int64
            [N].

        Raises:
            ValueError: too many files are unreadable, or a class has no pictures to train on.
        """
        others: Counter[str] = Counter()
        listings, found, split_of, class_of = [], [], [], []
        for root in self.roots:
            parts = []
            for name, split in _split_folders(root).items():
                for cls in _subfolders(split):
                    parts.append(list_files(cls, SUFFIXES, others))
                    split_of.append(torch.full((len(parts[-1]),), PARTS.index(name)))
                    class_of.append(torch.full((len(parts[-1]),), self.class_names.index(cls.name)))
            listings.append(Listing.together(parts))
            found.append(check_pictures(listings[-1], root, self.index_beside))
        if others:
            endings = ", ".join(f"{ending} {count:,}" for ending, count in others.most_common(NAMED))
            warnings.warn(f"left out, not the ending of a picture file: {others.total():,} ({endings})", stacklevel=3)
        listing, splits, classes = Listing.together(listings), torch.cat(split_of), torch.cat(class_of)
        if len(listing):
            readable = find_readable(listing, Checked.together(found), self.max_bad_fraction)
            splits[torch.from_numpy(~readable)] = -1
            in_training = (splits == PARTS.index("train")) | (splits == PARTS.index("all"))
            self._check_classes(classes[in_training])
        return listing, splits, classes

    def _without(self, classes: Tensor) -> list[str]:
        """The names of the classes that are not among these numbers, int64 [N]."""
        there = set(classes.unique().tolist())
        return [name for number, name in enumerate(self.class_names) if number not in there]

    def _check_classes(self, trained: Tensor) -> None:
        """Raises ValueError if a class has no pictures to train on."""
        if missing := [repr(name) for name in self._without(trained)]:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            classes = ("class " if len(missing) == 1 else "classes ") + ", ".join(missing[:NAMED]) + more
            raise ValueError(f"data_dir {self.roots[0]}: no readable pictures to train on for {classes}")

    def _mention_unvalidated(self, validated: Tensor) -> None:
        """Warns of classes that have no validation pictures."""
        if missing := self._without(validated):
            warnings.warn(f"no validation pictures for {listed(missing, NAMED)}", stacklevel=3)

    def _split(self, files: dict[str, Tensor], class_of: Tensor, names: FileNames) -> dict[str, Tensor]:
        """The pictures of each split, int64, after those without one were divided.

        If there is a `train/` but no `val/` or no `test/`, some of its pictures go into the missing split.

        Args:
            files: the pictures of each folder of `PARTS`, int64.
            class_of: of each picture, int64 [N].
            names: of the N pictures.
        """
        without_split, train = files.pop("all"), files["train"]
        files["train"] = train[:0]
        needs_val, needs_test = not len(files["val"]), not len(files["test"])
        if needs_val:
            without_split, train = torch.cat((without_split, train)), train[:0]
        for pictures, held_out in ((without_split, (True, needs_test)), (train, (False, needs_test))):
            if len(pictures):
                classes = class_of[pictures].tolist()
                for name, indices in self.divide(names.take(pictures), self.roots, *held_out, classes=classes).items():
                    files[name] = torch.cat((files[name], pictures[indices]))
        if not len(files["val"]):
            raise ValueError(f"data_dir {self.roots[0]}: no readable pictures for val")
        return files


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
