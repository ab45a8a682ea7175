"""Pictures whose labels are in a CSV file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litlab.data.arguments import boolean, file_path, folder_path
from litlab.data.class_pictures import PARTS, ClassPictures
from litlab.data.drawn_splits import DrawnSplits
from litlab.data.file_names import FileNames
from litlab.data.label_rows import labels_in, read_rows
from litlab.data.listing import Listing
from litlab.files import not_a_folder

OTHER_SIGN = re.compile(r"[|,/&+]")  # what labels may be separated by


class LabelFile(ClassPictures):
    """Pictures of any size and format, and their labels in a CSV file with the columns `file`, `label` and `split`.

    The columns may be in any order. Others are left out. A file without `split`, and rows in which it is empty, are
    split by `val_size`, `test_size` and `seed`. If a row has several labels, the task is `multilabel`.

    Args:
        file: the CSV file, in UTF-8.
        data_dir: the folder that its paths are relative to; None means the folder of `file`.
        label_separator: between the labels of a row.
        multilabel: whether a row may have several labels, or none; None means yes if some row has several.
        pictures: see `PictureDataModule` and `DataModule`.

    Raises:
        ValueError: an argument has a wrong value, or a line of the file; the message begins with the argument's name.
        FileNotFoundError: there is no such file or folder.
    """

    name = "csv"

    def __init__(
        self,
        file: str | Path,
        data_dir: str | Path | None = None,
        label_separator: str = ";",
        multilabel: bool | None = None,
        **pictures: Any,
    ) -> None:
        super().__init__(**pictures)
        self.file = file_path("file", file)
        root = self.file.parent if data_dir is None else folder_path("data_dir", data_dir)
        if not root.is_dir():
            raise FileNotFoundError(f"data_dir {root}: {not_a_folder(root)}")
        self.roots, self.source = [root], f"file {self.file}"
        self.rows = read_rows(self.file)
        if not isinstance(label_separator, str) or not label_separator.strip():
            raise ValueError(f"label_separator must be a sign such as ; or |, not {label_separator!r}")
        several = [labels_in(row.label, label_separator) for row in self.rows]
        self.label_separator = label_separator
        most = max(map(len, several))
        if multilabel is True and most == 1:
            self._mention_other_sign()
        if boolean("multilabel", most > 1 if multilabel is None else multilabel):
            self._check_multilabel()
            self.task, self.labels = "multilabel", several
        else:
            self._mention_numbers()
            self._check_labels()
            self.labels = [[row.label] for row in self.rows]
        self.class_names = tuple(sorted({label for labels in self.labels for label in labels}))
        self._mention_capitals()
        if not self.class_names:
            self.check_enough_classes()
        if not self.validates:
            raise ValueError("val_size must be above 0: no row of the file has the split val")

    def _check_labels(self) -> None:
        """Raises ValueError if a row has no label."""
        if row := next((row for row in self.rows if not row.label), None):
            advice = "" if self._has_numbers() else "; multilabel=true allows that there is none"
            raise ValueError(f"file {self.file}, line {row.line}: {row.file} has no label{advice}")

    def _mention_numbers(self) -> None:
        """Warns of labels that are measured values: each different one is a class."""
        if self._has_numbers():
            warnings.warn(
                f"the labels of file {self.file} are numbers such as {min(self._different_labels())}, and each is "
                "taken for a class: data=csv has no regression, for which you need a data set of your own",
                stacklevel=3,
            )

    def _has_numbers(self) -> bool:
        """Whether the labels are measured values, such as lengths."""
        labels = self._different_labels()
        return len(labels) > len(self.rows) / 2 and all(re.fullmatch(r"-?\d+\.\d+", label) for label in labels)

    def _different_labels(self) -> set[str]:
        return {row.label for row in self.rows if row.label}

    def _mention_capitals(self) -> None:
        """Warns of classes whose names differ in capital letters alone."""
        alike: dict[str, list[str]] = {}
        for name in self.class_names:
            alike.setdefault(name.casefold(), []).append(name)
        if pair := next((names for names in alike.values() if len(names) > 1), None):
            warnings.warn(
                f"{' and '.join(pair)} are {len(pair)} classes of file {self.file}: they differ in capital letters",
                stacklevel=3,
            )

    def _mention_other_sign(self) -> None:
        """Warns of labels that another sign may separate."""
        if sign := next(filter(None, (OTHER_SIGN.search(row.label) for row in self.rows)), None):
            warnings.warn(
                f"no row of file {self.file} has several labels, and {sign.string} is one; write "
                f"data.label_separator='{sign[0]}' if it is several",
                stacklevel=3,
            )

    def _check_multilabel(self) -> None:
        """Raises ValueError for a setting that needs one label for each picture."""
        if self.balanced:
            raise ValueError("balanced must be false where a picture may have several labels")

    @property
    def title(self) -> str:
        return self.file.stem

    @property
    def validates(self) -> bool:
        return bool(self.val_size or self.folds) or any(row.split == "val" for row in self.rows)

    def list_pictures(self) -> tuple[Sequence[Listing], Tensor, Tensor]:
        """The pictures of the file, see `ClassPictures`.

        Raises:
            ValueError: one of them is not there; the message names its line.
        """
        (root,) = self.roots
        listing = Listing.of(FileNames.of([root / row.file for row in self.rows]))
        split_of = torch.tensor([PARTS.index(row.split or "all") for row in self.rows])
        missing = [row for row, size in zip(self.rows, listing.sizes.tolist(), strict=True) if size < 0]
        if self.known_alone(split_of):
            known = self.known_splits or DrawnSplits()
            drawn = known.of(FileNames.of([root / row.file for row in missing]), self.roots)
            missing = [row for row, split in zip(missing, drawn, strict=True) if (split or row.split) == self.measured]
        if missing:
            more = f", and {len(missing) - 1:,} more are not there" if len(missing) > 1 else ""
            where, path = f"file {self.file}, line {missing[0].line}", root / missing[0].file
            hint = "data_dir=DIR names their folder"
            if "\\" in missing[0].file and (root / missing[0].file.replace("\\", "/")).is_file():
                hint = "paths are written with / and not with \\ here"
            raise ValueError(f"{where}: there is no {path}{more}; {hint}")
        numbers = {name: number for number, name in enumerate(self.class_names)}
        if self.task == "multilabel":
            targets = torch.zeros(len(self.rows), len(numbers))
            for row, labels in zip(targets, self.labels, strict=True):
                row[[numbers[label] for label in labels]] = 1
        else:
            targets = torch.tensor([numbers[label] for (label,) in self.labels])
        return [listing], split_of, targets
