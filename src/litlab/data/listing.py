"""Finds the files below a folder, with their sizes and times, without opening them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from litlab.data.file_names import FileNames, joined
from litlab.data.picture_files import is_of_system


@dataclass
class Listing:
    """Files, and what says whether they have changed.

    Args:
        files: N names.
        sizes: bytes, int64 [N]; -1 if the file is not there.
        times: of the last change, in nanoseconds, int64 [N].
    """

    files: FileNames
    sizes: np.ndarray
    times: np.ndarray

    @classmethod
    def of(cls, files: FileNames) -> Listing:
        """The listing of files whose names are known."""
        found = np.array([_size_and_time(files.text(i)) for i in range(len(files))], np.int64).reshape(-1, 2)
        return cls(files, found[:, 0], found[:, 1])

    @classmethod
    def together(cls, parts: Sequence[Listing]) -> Listing:
        """The files of all parts, one part after the other."""
        if not parts:
            return cls.of(FileNames.of([]))
        files = FileNames.together([part.files for part in parts])
        sizes, times = (np.concatenate([getattr(part, key) for part in parts]) for key in ("sizes", "times"))
        return cls(files, sizes, times)

    def __len__(self) -> int:
        return len(self.files)


def list_files(top: Path, endings: Collection[str], others: Counter[str]) -> Listing:
    """The files below a folder, at any depth, whose names end so. Those that `is_of_system` names are left out.

    Links to folders are followed, each folder once. The files are in the order of their paths.

    Args:
        top: the folder.
        endings: in small letters, such as `.jpg`.
        others: counts the endings of the other files.
    """
    folders: list[str] = []
    rows: list[tuple[list[str], int, bytes, int, int]] = []  # a key to sort by, the folder, the name, size and time
    for parts, folder, entries in _walk(top):
        number, size_before = len(folders), len(rows)
        for entry in entries:
            if (ending := _ending(entry.name)) in endings:
                rows.append(([*parts, entry.name], number, os.fsencode(entry.name), *_size_and_time(entry)))
            else:
                others[ending or "none"] += 1
        if len(rows) > size_before:
            folders.append(folder)
    rows.sort(key=lambda row: row[0])
    folder_of = torch.tensor([row[1] for row in rows], dtype=torch.int32)
    files = FileNames(folders, folder_of, *joined([row[2] for row in rows]))
    found = np.array([row[3:] for row in rows], np.int64).reshape(-1, 2)
    return Listing(files, found[:, 0].copy(), found[:, 1].copy())


def _walk(top: Path) -> Iterator[tuple[list[str], str, list[os.DirEntry[str]]]]:
    """Each folder: its path below `top` in parts, its whole path, and its files."""
    seen: set[str] = set()
    pending: list[tuple[list[str], str]] = [([], str(top))]
    while pending:
        parts, folder = pending.pop()
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        files = []
        try:
            with os.scandir(folder) as found:
                entries = sorted((e for e in found if not is_of_system(e.name)), key=lambda e: e.name, reverse=True)
        except OSError:  # no permission, or gone in the meantime
            continue
        for entry in entries:
            if _is_folder(entry):
                pending.append(([*parts, entry.name], entry.path))
            else:
                files.append(entry)
        yield parts, folder, files[::-1]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _size_and_time(file: os.DirEntry[str] | str) -> tuple[int, int]:
    try:
        status = os.stat(file) if isinstance(file, str) else file.stat()  # noqa: PTH116 (a Path for each would take longer)
    except (OSError, ValueError):
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _ending(name: str) -> str:
    """`.jpg` of `a.b.JPG`, as `Path.suffix` has it; empty if there is none."""
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""
