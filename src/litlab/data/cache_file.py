"""Decoded pictures in a file that runs and processes share. Pictures are only added to it, and never changed.

`KEY.u8` has the pictures one after the other. `KEY.npz` says which they are, and is written after them. So what a run
that was killed has added counts for nothing, and the next run writes over it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from litlab.data.index_file import elsewhere
from litlab.files import atomic, try_to_disk, write_at

log = logging.getLogger(__name__)

NAME = ".litlab-cache"
FORMAT = 1
SAVE_EVERY_S = 30  # seconds, after which a file says what was added to it
NAME_BYTES, BYTES = 16, 32  # of an identity: those of the name alone, and all of them

Decode = Callable[[Tensor], Iterator[Tensor]]


def folder_of_cache(root: Path, beside: bool = True) -> Path:
    """Where decoded pictures are kept: in their folder if it can be written, else in the cache folder of the user.

    Args:
        root: the folder of the picture files.
        beside: False to write nothing into it.
    """
    folder = root / NAME
    if beside and os.access(folder if folder.is_dir() else root, os.W_OK):
        return folder
    return elsewhere(root, "-decoded")


def identities(names: Sequence[str], sizes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """What identifies the content of each file, uint8 [N, BYTES]. It begins with what identifies the name.

    Args:
        names: of N files, relative to their folder.
        sizes: in bytes, int64 [N].
        times: of the last change, in nanoseconds, int64 [N].
    """
    parts = []
    for name, size, changed in zip(names, sizes.tolist(), times.tolist(), strict=True):
        digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=NAME_BYTES).digest()
        parts.append(digest + struct.pack("<qq", size, changed))
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, BYTES)


@dataclass(frozen=True)
class CacheFile:
    """A file of decoded pictures of one size, all made by the same settings.

    Args:
        folder: where it is.
        key: what its name begins with; it stands for the settings.
        shape: of a picture, (C, H, W).
    """

    folder: Path
    key: str
    shape: tuple[int, ...]

    @property
    def pictures(self) -> Path:
        return self.folder / f"{self.key}.u8"

    @property
    def index(self) -> Path:
        return self.folder / f"{self.key}.npz"

    @property
    def row_bytes(self) -> int:
        """Bytes of a picture."""
        return torch.Size(self.shape).numel()

    def get(self, wanted: np.ndarray, decode: Decode) -> tuple[Tensor, Tensor]:
        """The pictures, after those that are not in the file yet were added. One process adds, and others wait for it.

        Args:
            wanted: see `identities`, uint8 [N, BYTES].
            decode: from the numbers of pictures, int64 [M], to batches of them in this order, uint8 [B, C, H, W].

        Returns:
            All pictures of the file, uint8 [R, C, H, W], mapped into memory; where in it each picture is, int64 [N].

        Raises:
            OSError: they cannot be written or read.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{self.key}.lock"):
            known = self.known()
            if len(known) > 2 * len({row[:NAME_BYTES] for row in _texts(known)}):  # most files have changed
                known = known[:0]
            missing = np.flatnonzero(_find(wanted, known) < 0)
            if len(missing):
                known = self._add(known, wanted[missing], decode(torch.from_numpy(missing)))
            pixels = np.memmap(self.pictures, np.uint8, mode="c", shape=(len(known), *self.shape))
            return torch.from_numpy(pixels), torch.from_numpy(_find(wanted, known))

    def known(self) -> np.ndarray:
        """What identifies the pictures in the file, uint8 [R, BYTES]. A damaged file has none."""
        try:
            with np.load(self.index, allow_pickle=False) as file:
                known, version = file["files"], int(file["format"])
            is_whole = self.pictures.stat().st_size >= len(known) * self.row_bytes
            if version != FORMAT or known.dtype != np.uint8 or known.shape != (len(known), BYTES) or not is_whole:
                raise ValueError("its parts do not fit each other")
            return known
        except FileNotFoundError:
            pass
        except Exception as error:  # a damaged file can cause almost any error
            log.info("%s counts for nothing: %s", self.index, error)
        return np.zeros((0, BYTES), np.uint8)

    def _add(self, known: np.ndarray, added: np.ndarray, batches: Iterator[Tensor]) -> np.ndarray:
        """Writes pictures behind those that are known.

        Returns:
            What identifies all of them. If that fails, what was written before is kept.
        """
        self._check_room(len(added))
        if not len(known):  # another process may still read the old file: it stays as it is until that one ends
            self.pictures.unlink(missing_ok=True)
            self.index.unlink(missing_ok=True)
        done, saved_at, whole = 0, time.monotonic(), known
        try:
            for images in batches:
                write_at(self.pictures, (len(known) + done) * self.row_bytes, images.numpy().tobytes())
                done += len(images)
                if time.monotonic() - saved_at > SAVE_EVERY_S:
                    self._save(np.concatenate([known, added[:done]]))
                    saved_at = time.monotonic()
        finally:
            if done:
                whole = np.concatenate([known, added[:done]])
                self._save(whole)
        return whole

    def _save(self, known: np.ndarray) -> None:
        try_to_disk(self.pictures)  # before the index: else a power cut could leave pictures that are not there
        with atomic(self.index) as temporary, temporary.open("wb") as file:
            np.savez(file, files=known, format=np.int64(FORMAT))

    def _check_room(self, count: int) -> None:
        """Raises OSError if the disk has no room for so many pictures."""
        needed, free = count * self.row_bytes, shutil.disk_usage(self.folder).free
        if needed > free:
            raise OSError(f"{count:,} pictures need {in_words(needed)}, and {in_words(free)} are free")


def in_words(size: int) -> str:
    """`1.4 GiB`, `12.0 MiB` or `15.0 KiB`: bytes for a reader."""
    power = 3 if size >= 2**30 else 2 if size >= 2**20 else 1
    return f"{size / 1024**power:,.1f} {('KiB', 'MiB', 'GiB')[power - 1]}"


def _texts(identities: np.ndarray) -> list[bytes]:
    whole = identities.tobytes()
    return [whole[start : start + BYTES] for start in range(0, len(whole), BYTES)]


def _find(wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where each of the wanted pictures is among those that are known, int64 [N]; -1 if it is not there."""
    where = {text: row for row, text in enumerate(_texts(known))}
    return np.array([where.get(text, -1) for text in _texts(wanted)], np.int64)
