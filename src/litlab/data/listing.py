"""Finds the files below a folder, with their sizes and times, without opening them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
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
    parts_of: list[list[str]] = []  # of each folder: its path below `top`
    folder_of: list[int] = []
    names: list[str] = []
    found: list[tuple[int, int]] = []
    for parts, folder, entries in _walk(top):
        before = len(names)
        for entry in entries:
            if (ending := _ending(entry.name)) in endings:
                names.append(entry.name)
                found.append(_size_and_time(entry))
            else:
                others[ending or "none"] += 1
        if len(names) > before:
            folder_of += [len(folders)] * (len(names) - before)
            folders.append(folder)
            parts_of.append(parts)
    order: Sequence[int] = range(len(names))
    if len(folders) > 1:  # the files of one folder are in order already
        order = sorted(order, key=lambda row: [*parts_of[folder_of[row]], names[row]])
    encoded = joined([os.fsencode(names[row]) for row in order])
    files = FileNames(folders, torch.tensor([folder_of[row] for row in order], dtype=torch.int32), *encoded)
    sizes_and_times = np.array([found[row] for row in order], np.int64).reshape(-1, 2)
    return Listing(files, sizes_and_times[:, 0].copy(), sizes_and_times[:, 1].copy())


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
                entries = sorted((e for e in found if not is_of_system(e.name)), key=attrgetter("name"), reverse=True)
        except FileNotFoundError:  # gone in the meantime
            continue
        except OSError as error:
            raise ValueError(f"{folder}: cannot be read: {error.strerror}") from None
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
