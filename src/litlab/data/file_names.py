"""Names of very many files, in few bytes each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

AT_ONCE = 2**16  # files whose places are Python's numbers at the same time: each of them takes 32 bytes


class FileNames(Sequence[Path]):
    """Paths of N files, in one array of bytes. A file costs 20 bytes beside its name, and its folder is kept once.

    The arrays are tensors. So processes that load batches share them, however they are started.

    Args:
        folders: the folders, as texts.
        folder_of: the number of each file's folder, int32 [F].
        names: the names of all files one after the other, uint8.
        ends: where each name ends in `names`, int64 [F].
        chosen: the numbers of the files that count, int64 [N]; None means all.
    """

    def __init__(
        self, folders: list[str], folder_of: Tensor, names: Tensor, ends: Tensor, chosen: Tensor | None = None
    ) -> None:
        self.folders, self.folder_of, self.names, self.ends, self.chosen = folders, folder_of, names, ends, chosen

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> FileNames:
        """The names of these files."""
        numbers: dict[str, int] = {}
        folder_of, names = [], []
        for path in paths:
            folder, name = os.path.split(str(path))
            folder_of.append(numbers.setdefault(folder, len(numbers)))
            names.append(os.fsencode(name))
        return cls(list(numbers), torch.tensor(folder_of, dtype=torch.int32), *joined(names))

    @classmethod
    def together(cls, parts: Sequence[FileNames]) -> FileNames:
        """The files of all parts, one part after the other. The parts must be whole: nothing may be chosen in them."""
        folders: list[str] = []
        folder_of, ends, length = [], [], 0
        for part in parts:
            folder_of.append(part.folder_of + len(folders))
            ends.append(part.ends + length)
            folders += part.folders
            length += len(part.names)
        return cls(folders, torch.cat(folder_of), torch.cat([part.names for part in parts]), torch.cat(ends))

    def __len__(self) -> int:
        return len(self.ends) if self.chosen is None else len(self.chosen)

    def __getitem__(self, index: int) -> Path:  # type: ignore[override]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return Path(self.text(index))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(a == b for a, b in zip(self, other))  # noqa: B905

    def __hash__(self) -> int:
        return id(self)

    def text(self, index: int) -> str:
        """The path of one file, as a text."""
        row = index if self.chosen is None else int(self.chosen.numpy()[index])
        return os.path.join(self.folders[self.folder_of.numpy()[row]], os.fsdecode(self.name(row)))  # noqa: PTH118

    def name(self, row: int) -> bytes:
        """The name of a file in its folder. `row` counts all files, also those that are not chosen."""
        ends = self.ends.numpy()  # NumPy takes a fifth of the time of torch for single numbers
        return self.names.numpy()[ends[row - 1] if row else 0 : ends[row]].tobytes()

    def renamed(self, folders: Sequence[str]) -> list[str]:
        """The names of all files, in other folders.

        Args:
            folders: what stands in the place of each of `self.folders`, with its slash.
        """
        letters = memoryview(self.names.numpy())  # type: ignore[arg-type]
        chosen = torch.arange(len(self.ends)) if self.chosen is None else self.chosen
        names = []
        for rows in chosen.split(AT_ONCE):
            starts, ends = torch.where(rows > 0, self.ends[rows - 1], 0), self.ends[rows]
            for number, start, end in zip(self.folder_of[rows].tolist(), starts.tolist(), ends.tolist(), strict=True):
                names.append(folders[number] + os.fsdecode(letters[start:end].tobytes()))
        return names

    def take(self, indices: Tensor) -> FileNames:
        """Some of the files, in this order. The names are not copied.

        Args:
            indices: int64 [M].
        """
        chosen = indices if self.chosen is None else self.chosen[indices]
        return FileNames(self.folders, self.folder_of, self.names, self.ends, chosen)


def joined(names: Sequence[bytes]) -> tuple[Tensor, Tensor]:
    """Names one after the other, uint8, and where each ends, int64 [N]."""
    lengths = np.fromiter(map(len, names), np.int64, len(names))
    letters = np.frombuffer(bytearray(b"".join(names)), np.uint8)
    return torch.from_numpy(letters), torch.from_numpy(lengths.cumsum())
