"""Pictures in folders, with one folder for each class."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from litlab.console import listed
from litlab.data.arguments import folder_path
from litlab.data.picture_dataset import NAMED, find_readable
from litlab.data.picture_files import is_of_system, suffixes
from litlab.data.pictures import PictureDataModule

SUFFIXES = frozenset(suffixes())  # of picture files, such as .jpg
SPLITS = ("train", "val", "test")
LIKE_A_SPLIT = re.compile(r"(train|val|valid|validation|dev|eval|test)(ing)?([-_ ]?(set|data|images))?", re.IGNORECASE)

Labelled = list[tuple[Path, str]]  # a file and its class


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
    def validates(self) -> bool:
        return bool(self.val_size) or any("val" in _split_folders(root) for root in self.roots)

    def setup(self, stage: str | None = None) -> None:
        """List the files, check them and split them; does nothing the second time.

        Raises:
            ValueError: too many files are unreadable, or a class or a split has no pictures.
        """
        if self.train_set is not None:
            return
        labelled = self._listed()
        files = [(name, path, label) for name, part in labelled.items() for path, label in part]
        if not files:
            raise ValueError(f"data_dir {self.roots[0]} holds no pictures: {', '.join(sorted(SUFFIXES)[:12])}, ...")
        is_readable = find_readable([path for _, path, _ in files], self.max_bad_fraction)
        readable: dict[str, Labelled] = {name: [] for name in labelled}
        for (name, path, label), good in zip(files, is_readable, strict=True):
            if good:
                readable[name].append((path, label))
        self._check_classes({label for _, label in readable["train"] + readable["all"]})
        splits = self._split(readable)
        self._check_classes({label for _, label in splits["train"]})
        self._mention_unvalidated({label for _, label in splits["val"]})
        chosen = self._limited(self._permutation(len(splits["train"])))  # a limit takes some of every class
        splits["train"] = [splits["train"][i] for i in chosen.sort().values.tolist()]
        index = {name: number for number, name in enumerate(self.class_names)}
        for name in SPLITS:
            if pictures := splits[name]:
                targets = torch.tensor([index[label] for _, label in pictures])
                paths = [path for path, _ in pictures]
                setattr(self, f"{name}_set", self.picture_set(paths, targets, training=name == "train"))

    def _listed(self) -> dict[str, Labelled]:
        """The picture files of each split; `all` has those without a split. Warns of files with other endings."""
        labelled: dict[str, Labelled] = {name: [] for name in (*SPLITS, "all")}
        others: Counter[str] = Counter()
        for root in self.roots:
            for name, split in _split_folders(root).items():
                for cls in _subfolders(split):
                    for path in _files(cls):
                        if (ending := path.suffix.lower()) in SUFFIXES:
                            labelled[name].append((path, cls.name))
                        else:
                            others[ending or "none"] += 1
        if others:
            listed = ", ".join(f"{ending} {count:,}" for ending, count in others.most_common(NAMED))
            warnings.warn(f"left out, not the ending of a picture file: {others.total():,} ({listed})", stacklevel=3)
        return labelled

    def _check_classes(self, trained: set[str]) -> None:
        """Raises ValueError if a class has no pictures to train on."""
        if missing := [repr(name) for name in self.class_names if name not in trained]:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            classes = ("class " if len(missing) == 1 else "classes ") + ", ".join(missing[:NAMED]) + more
            raise ValueError(f"data_dir {self.roots[0]}: no readable pictures to train on for {classes}")

    def _mention_unvalidated(self, validated: set[str]) -> None:
        """Warns of classes that have no validation pictures."""
        if missing := [name for name in self.class_names if name not in validated]:
            warnings.warn(f"no validation pictures for {listed(missing, NAMED)}", stacklevel=3)

    def _split(self, files: dict[str, Labelled]) -> dict[str, Labelled]:
        """The pictures of each split, after those without one were divided.

        If there is a `train/` but no `val/` or no `test/`, some of its pictures go into the missing split.
        """
        without_split, train = files.pop("all"), files["train"]
        files["train"] = []
        needs_val, needs_test = not files["val"], not files["test"]
        if needs_val:
            without_split, train = without_split + train, []
        for pictures, held_out in ((without_split, (True, needs_test)), (train, (False, needs_test))):
            if pictures:
                classes = [label for _, label in pictures]
                for name, indices in self.hold_out(len(pictures), *held_out, classes=classes).items():
                    files[name] = files[name] + [pictures[i] for i in indices.tolist()]
        if not files["val"]:
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


def _files(cls: Path) -> list[Path]:
    """The files below a folder at any depth, without those that `is_of_system` names.

    Links to folders are followed, each folder once.
    """
    found: list[Path] = []
    seen = set()
    for place, folders, names in os.walk(cls, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not is_of_system(name)]
        found += [Path(place, name) for name in names if not is_of_system(name)]
    return sorted(found)
