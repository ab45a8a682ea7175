"""Pictures sorted into folders, one a class."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from litlab.data.base import folder
from litlab.data.pictures import NAMED, SUFFIXES, PictureDataModule, readable

SPLITS = ("train", "val", "test")
LIKE_A_SPLIT = re.compile(r"(train|val|valid|validation|dev|eval|test)(ing)?([-_ ]?(set|data|images))?", re.IGNORECASE)

Labelled = list[tuple[Path, str]]  # a file and its class


class ImageFolder(PictureDataModule):
    """One folder a class, each with pictures at any depth, of any size, in any format that Pillow opens.

    If there are `train/` and `val/` (and `test/`) above the class folders, those are the splits; what is not split
    is split by `val_size`, `test_size` and `seed`. Several roots are one data set: their classes are merged by name.

    Args:
        data_dir: the folder, or several.
        pictures: see `PictureDataModule`, and `DataModule`.

    Raises:
        ValueError: if there are not two classes, or a folder is named like a split but not as one of the three; the
            message begins with `data_dir`.
        FileNotFoundError: if there is no such folder.
    """

    name = "image_folder"

    def __init__(self, data_dir: str | Path | Sequence[str | Path], **pictures: Any) -> None:
        super().__init__(**pictures)
        given = [data_dir] if isinstance(data_dir, str | Path) else list(data_dir)
        self.roots = [folder("data_dir", root) for root in given]
        for root in self.roots:
            if not root.is_dir():
                raise FileNotFoundError(f"data_dir {root}: no such folder")
        parts = [part for root in self.roots for part in _parts(root).values()]
        self.class_names = tuple(sorted({path.name for part in parts for path in _folders(part)}))
        if len(self.class_names) < 2:
            found = ", ".join(self.class_names) or "none"
            raise ValueError(f"data_dir {given[0]} must have a folder for each of two classes or more; found: {found}")
        if not self.validates:
            raise ValueError("val_size must be above 0: there is no val/ in data_dir")

    @property
    def validates(self) -> bool:
        return bool(self.val_size) or any("val" in _parts(root) for root in self.roots)

    def setup(self, stage: str | None = None) -> None:
        """List, check and split the files; does nothing the second time.

        Raises:
            ValueError: if too many files cannot be read, or a class or a split has none.
        """
        if self.train_set is not None:
            return
        labelled = self._listed()
        files = [(name, path, label) for name, part in labelled.items() for path, label in part]
        if not files:
            raise ValueError(f"data_dir {self.roots[0]} holds no pictures: {', '.join(sorted(SUFFIXES)[:12])}, ...")
        whole = readable([path for _, path, _ in files], self.max_bad_fraction)
        good: dict[str, Labelled] = {name: [] for name in labelled}
        for (name, path, label), is_whole in zip(files, whole, strict=True):
            if is_whole:
                good[name].append((path, label))
        self._refuse_untrained({label for _, label in good["train"] + good["all"]})
        splits = self._split(good)
        chosen = self._limited(self._by_chance(len(splits["train"])))  # not the first, which are of one class
        splits["train"] = [splits["train"][i] for i in chosen.sort().values.tolist()]
        index = {name: number for number, name in enumerate(self.class_names)}
        for name in SPLITS:
            if pictures := splits[name]:
                targets = torch.tensor([index[label] for _, label in pictures])
                paths = [path for path, _ in pictures]
                setattr(self, f"{name}_set", self.picture_set(paths, targets, training=name == "train"))

    def _listed(self) -> dict[str, Labelled]:
        """The files of each split, and of `all`, by their endings; says how many there are of other endings."""
        labelled: dict[str, Labelled] = {name: [] for name in (*SPLITS, "all")}
        others: Counter[str] = Counter()
        for root in self.roots:
            for name, part in _parts(root).items():
                for cls in _folders(part):
                    for path in _files(cls):
                        if (ending := path.suffix.lower()) in SUFFIXES:
                            labelled[name].append((path, cls.name))
                        else:
                            others[ending or "none"] += 1
        if others:
            listed = ", ".join(f"{ending} {count:,}" for ending, count in others.most_common(NAMED))
            warnings.warn(f"left out, by their endings no pictures: {others.total():,} ({listed})", stacklevel=3)
        return labelled

    def _refuse_untrained(self, trained: set[str]) -> None:
        if missing := [repr(name) for name in self.class_names if name not in trained]:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            classes = ("class " if len(missing) == 1 else "classes ") + ", ".join(missing[:NAMED]) + more
            raise ValueError(f"data_dir {self.roots[0]}: no readable pictures to train on for {classes}")

    def _split(self, files: dict[str, Labelled]) -> dict[str, Labelled]:
        """What has no split of its own is divided; a `train/` without `val/` or `test/` gives of its pictures to it."""
        undivided, train = files.pop("all"), files["train"]
        files["train"] = []
        of_val, of_test = not files["val"], not files["test"]
        if of_val:
            undivided, train = undivided + train, []
        for pictures, held_out in ((undivided, (True, of_test)), (train, (False, of_test))):
            if pictures:
                for name, indices in self.hold_out(len(pictures), *held_out).items():
                    files[name] = files[name] + [pictures[i] for i in indices.tolist()]
        if not files["val"]:
            raise ValueError(f"data_dir {self.roots[0]}: no readable pictures for val")
        return files


def _parts(root: Path) -> dict[str, Path]:
    """`train`, `val`, `test` to their folders where `root` has them, else `all` to itself."""
    names = [path.name for path in _folders(root)]
    like = [name for name in names if LIKE_A_SPLIT.fullmatch(name)]
    odd = [name for name in like if name not in SPLITS]
    if odd and ("train" in names or like == names):  # else it is a class: valid, beside invalid
        raise ValueError(f"data_dir {root}: folders of splits must be named train, val and test, not {', '.join(odd)}")
    return {name: root / name for name in SPLITS if name in names} or {"all": root}


def _folders(part: Path) -> list[Path]:
    """Those that are not hidden; archives made on a Mac have another beside them, of no pictures."""
    found = (path for path in part.iterdir() if path.is_dir())
    return sorted(path for path in found if not path.name.startswith(".") and path.name != "__MACOSX")


def _files(cls: Path) -> list[Path]:
    """All that are not hidden and in no hidden folder, at any depth, behind links to folders too: each folder once."""
    found: list[Path] = []
    seen = set()
    for place, folders, names in os.walk(cls, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(found)
