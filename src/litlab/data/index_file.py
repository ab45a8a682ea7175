"""The file of an index of pictures: plain arrays of names, sizes and times. A damaged one counts as none."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from litlab.data.file_names import FileNames
from litlab.data.listing import Listing
from litlab.files import atomic, cache_folder

log = logging.getLogger(__name__)

NAME = ".litlab-pictures.npz"
FORMAT = 1


@dataclass
class Index:
    """Pictures that could be read.

    Args:
        listing: their names, with the folders relative to the root of the index, their sizes and their times.
        pixels: width and height of each when it is upright, int32 [N, 2].
    """

    listing: Listing
    pixels: np.ndarray


def index_path(root: Path, beside: bool = True) -> Path:
    """Where the index of a folder is: in the folder if it can be written, else in the cache folder of the user.

    Args:
        beside: False to write nothing into the folder.
    """
    if beside and os.access(root, os.W_OK):
        return root / NAME
    return elsewhere(root, ".npz")


def elsewhere(root: Path, ending: str) -> Path:
    """A path in the cache folder of the user for what is known about the pictures of a folder."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
    return cache_folder() / "pictures" / f"{name}{ending}"


def load(path: Path) -> Index | None:
    """The index in a file; None if there is none, or it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:  # a compressed one could hold far more than its size says
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("it is compressed")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        facts = json.loads(arrays["facts"].tobytes())
        if facts["format"] != FORMAT:
            raise ValueError(f"its format is {facts['format']}")
        files = FileNames(facts["folders"], *(torch.from_numpy(arrays[key]) for key in ("folder_of", "names", "ends")))
        index = Index(Listing(files, arrays["sizes"], arrays["times"]), arrays["pixels"])
        _check(index)
        return index
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged file can cause almost any error
        log.info("%s is no index of pictures: %s", path, error)
        return None


def save(path: Path, parts: list[Index]) -> None:
    """Writes the pictures of all parts to a file, atomically. Only logs an error: an index saves time, and no more."""
    whole = Listing.together([part.listing for part in parts])
    files = whole.files
    facts = json.dumps({"format": FORMAT, "folders": files.folders}).encode()
    arrays = {
        "facts": np.frombuffer(facts, np.uint8),
        "folder_of": files.folder_of.numpy(),
        "names": files.names.numpy(),
        "ends": files.ends.numpy(),
        "sizes": whole.sizes,
        "times": whole.times,
        "pixels": np.concatenate([part.pixels for part in parts]),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        log.info("the index of pictures could not be written to %s: %s", path, error)


def part_of(index: Index, rows: np.ndarray, folders: list[str]) -> Index:
    """Some pictures of an index, with other names for the folders.

    Args:
        rows: the numbers of the pictures, int64 [M].
        folders: as many as `index` has.
    """
    files, listing = index.listing.files, index.listing
    names = names_of(files, rows)
    ends = np.fromiter(map(len, names), np.int64, len(names)).cumsum()
    letters = np.frombuffer(bytearray(b"".join(names)), np.uint8)
    used, numbers = np.unique(files.folder_of.numpy()[rows], return_inverse=True)
    arrays = (torch.from_numpy(values) for values in (numbers.astype(np.int32), letters, ends))
    chosen = FileNames([folders[number] for number in used], *arrays)
    return Index(Listing(chosen, listing.sizes[rows], listing.times[rows]), index.pixels[rows])


def by_folder(files: FileNames) -> Iterator[tuple[str, np.ndarray]]:
    """Each folder, and the numbers of its files, int64."""
    folder_of = files.folder_of.numpy()
    order = np.argsort(folder_of, kind="stable")
    starts = np.searchsorted(folder_of[order], np.arange(len(files.folders) + 1))
    for number, folder in enumerate(files.folders):
        yield folder, order[starts[number] : starts[number + 1]]


def names_of(files: FileNames, rows: np.ndarray) -> list[bytes]:
    """The names of some files, each in its folder."""
    ends, letters = files.ends.numpy(), memoryview(files.names.numpy())  # type: ignore[arg-type]
    starts = np.where(rows > 0, ends[rows - 1], 0)
    return [letters[a:b].tobytes() for a, b in zip(starts.tolist(), ends[rows].tolist(), strict=True)]


def _check(index: Index) -> None:
    """Raises ValueError if the arrays of an index do not fit each other."""
    files, count = index.listing.files, len(index.listing.sizes)
    lengths = {len(files.folder_of), len(files.ends), len(index.listing.times), len(index.pixels)}
    if lengths != {count} or index.pixels.shape != (count, 2):
        raise ValueError("its arrays have different lengths")
    numbers, ends = files.folder_of.numpy(), files.ends.numpy()
    if count and not 0 <= numbers.min() <= numbers.max() < len(files.folders):
        raise ValueError("a file is in no folder")
    if (np.diff(ends, prepend=0) < 0).any() or (count and ends[-1] != len(files.names)):
        raise ValueError("a name has no end")
