"""Checks picture files before training. An index keeps what was found, so only new and changed files are opened.

A file that could not be read is not kept. It is opened again at each start, because its permissions may have changed.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock
from rich.progress import track

from litlab.console import console
from litlab.data import index_file
from litlab.data.file_names import FileNames
from litlab.data.index_file import Index, by_folder, index_path, names_of, part_of
from litlab.data.listing import Listing
from litlab.data.picture_files import Unreadable, look_at
from litlab.machine import cores

AT_ONCE = 1024  # files in one step of the progress bar
MANY = 2000  # files, from which on there is a progress bar


@dataclass
class Checked:
    """What is known about N files.

    Args:
        pixels: width and height of each picture when it is upright, int32 [N, 2]; 0 if it cannot be read.
        reasons: why a file cannot be read, by its number.
    """

    pixels: np.ndarray
    reasons: dict[int, str] = field(default_factory=dict)

    @classmethod
    def together(cls, parts: Sequence[Checked]) -> Checked:
        """What is known about the files of all parts, one part after the other."""
        reasons: dict[int, str] = {}
        before = 0
        for part in parts:
            reasons |= {row + before: reason for row, reason in part.reasons.items()}
            before += len(part.pixels)
        return cls(np.concatenate([part.pixels for part in parts]), reasons)

    @property
    def readable(self) -> np.ndarray:
        """Whether each file can be read, bool [N]."""
        return self.pixels[:, 0] > 0


def check_pictures(listing: Listing, root: Path, beside: bool = True, rows: np.ndarray | None = None) -> Checked:
    """Opens each file that is new or has changed since the index was written, and writes the index.

    Several processes may call it at once: one of them opens the files, and the others wait for its index.

    Args:
        listing: the files.
        root: the folder that the index is for.
        beside: False to write nothing into `root`.
        rows: the numbers of the files to check, int64 [M]; None means all. Of the others the index decides.
    """
    path = index_path(root, beside)
    wanted: np.ndarray = np.ones(len(listing), bool)
    if rows is not None:
        wanted[:] = False
        wanted[rows] = True
    known = _known(listing, root, path)
    if known.readable[wanted].all():
        return known
    with _alone(path):
        known = _known(listing, root, path)  # another process may have opened them
        found = Checked(known.pixels.copy())
        try:
            _open_all(listing.files, np.flatnonzero(wanted & ~known.readable), found)
        finally:  # what was found before a Ctrl-C is kept
            if (found.readable > known.readable).any():
                _save(Index(listing, found.pixels), root, path)
    return found


def add_to_index(listing: Listing, root: Path, pixels: np.ndarray, beside: bool = True) -> None:
    """Adds files to the index that somebody else has read.

    Args:
        listing: the files, as they were before they were read.
        root: the folder that the index is for.
        pixels: width and height of each that was read, int32 [N, 2]; 0 for the others.
        beside: False to write nothing into `root`.
    """
    path = index_path(root, beside)
    with _alone(path):
        known = _known(listing, root, path).pixels
        fresh = (pixels[:, 0] > 0) & (known[:, 0] == 0)
        if fresh.any():
            known[fresh] = pixels[fresh]
            _save(Index(listing, known), root, path)


def _open_all(files: FileNames, rows: np.ndarray, found: Checked) -> None:
    """Opens these files on all cores, and notes in `found` what they are."""

    def look(row: int) -> tuple[int, int] | str:
        try:
            return look_at(files.text(row))
        except Unreadable as error:
            return str(error)

    parts = [rows[i : i + AT_ONCE].tolist() for i in range(0, len(rows), AT_ONCE)]
    shown = console.is_terminal and len(rows) >= MANY
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(cores()) as pool:
        for part in track(parts, "checking pictures", console=console, transient=True, disable=not shown):
            for row, answer in zip(part, pool.map(look, part), strict=True):
                if isinstance(answer, str):
                    found.reasons[row] = answer
                else:
                    found.pixels[row] = answer


def _known(listing: Listing, root: Path, path: Path) -> Checked:
    """What the index says about the files that have not changed since; the others are not readable in it."""
    found = Checked(np.zeros((len(listing), 2), np.int32))
    index = index_file.load(path) or index_file.load(root / index_file.NAME)
    if index:
        rows = _rows(listing, index.listing, root)
        same = rows >= 0
        for values, before in ((listing.sizes, index.listing.sizes), (listing.times, index.listing.times)):
            same[same] = values[same] == before[rows[same]]
        found.pixels[same] = index.pixels[rows[same]]
    return found


def _rows(listing: Listing, index: Listing, root: Path) -> np.ndarray:
    """Where each file of a listing stands in an index, int64 [N]; -1 if it is not in it."""
    found = np.full(len(listing), -1, np.int64)
    known = dict(by_folder(index.files))
    for folder, rows in by_folder(listing.files):
        before = known.get(os.path.relpath(folder or ".", root))
        if before is not None:
            where = dict(zip(names_of(index.files, before), before.tolist(), strict=True))
            found[rows] = [where.get(name, -1) for name in names_of(listing.files, rows)]
    return found


def _save(new: Index, root: Path, path: Path) -> None:
    """Writes an index with what is new, and what the old one knows about other folders that are still there."""
    folders = [os.path.relpath(folder or ".", root) for folder in new.listing.files.folders]
    parts = [part_of(new, np.flatnonzero(new.pixels[:, 0] > 0), folders)]
    if old := index_file.load(path):
        listed, files = set(folders), old.listing.files
        kept = [rows for name, rows in by_folder(files) if name not in listed and (root / name).is_dir()]
        parts += [part_of(old, np.concatenate(kept), files.folders)] if kept else []
    index_file.save(path, parts)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits until no other process opens the files of this index. Does not wait where no lock can be made."""
    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
