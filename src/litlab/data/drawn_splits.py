"""Which picture was drawn for which split.

Pictures that come later, or go, change what is drawn. So a run keeps what was drawn when it began, in `splits.csv`.
"""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litlab.data.file_names import FileNames
from litlab.files import atomic

SPLITS = ("train", "val", "test")
# A name may hold any byte, and the ends of lines that only some programs know.
AS_WRITTEN: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


class DrawnSplits(dict[str, str]):
    """The split of each picture whose split was drawn, by its name: `train`, `val` or `test`."""

    @classmethod
    def read(cls, path: Path) -> "DrawnSplits | None":
        """What was drawn for a run; None if its folder does not say so.

        Raises:
            ValueError: the file has other lines.
        """
        try:
            with path.open(**AS_WRITTEN) as file:
                rows = list(csv.reader(file))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if rows[:1] != [["file", "split"]] or any(len(row) != 2 or row[1] not in SPLITS for row in rows[1:]):
            raise ValueError(f"{path}: must have the columns file and split, with train, val or test in each line")
        return cls((name, split) for name, split in rows[1:])

    def of(self, files: FileNames, roots: Sequence[Path]) -> list[str | None]:
        """The split of each of these pictures; None where it was not drawn."""
        return [self.get(name) for name in names_below(files, roots)]

    def write(self, path: Path) -> None:
        with atomic(path) as temporary, temporary.open("w", **AS_WRITTEN) as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(("file", "split"))
            lines.writerows((name, self[name]) for name in sorted(self))

    def summary(self) -> dict[str, int | str]:
        """How many pictures each split has, and a checksum of their names; empty if nothing was drawn."""
        if not self:
            return {}
        checksum = hashlib.sha256()
        for name in sorted(self):  # line by line: there may be a million
            checksum.update(f"{self[name]} {name}\n".encode(errors="surrogateescape"))
        counts = {split: sum(it == split for it in self.values()) for split in SPLITS}
        return counts | {"sha256": checksum.hexdigest()}


def names_below(files: FileNames, roots: Sequence[Path]) -> list[str]:
    """The names of pictures that do not depend on where their folder is: `cat/1.jpg`, or `1/cat/1.jpg` in the second of
    several folders, which are counted from 0."""
    below = []
    for folder in files.folders:
        number = next((i for i, root in enumerate(roots) if Path(folder).is_relative_to(root)), None)
        if number is None:
            below.append(f"{folder}/")
        else:
            inner = Path(folder).relative_to(roots[number]).as_posix()
            below.append((f"{number}/" if len(roots) > 1 else "") + (f"{inner}/" if inner != "." else ""))
    return files.renamed(below)
