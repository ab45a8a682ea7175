"""`data.cache`: pictures are decoded and resized once, and kept as uint8 in memory or in a file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import PIL
import torch
from rich.progress import track
from torch import Tensor

from litlab.console import console, say
from litlab.data import jpeg
from litlab.data.batches import EpochBatchSampler
from litlab.data.cache_file import FORMAT, CacheFile, folder_of_cache, identities, in_words
from litlab.data.file_names import FileNames
from litlab.data.in_memory import CachedPictures, collate
from litlab.data.listing import Listing
from litlab.data.loader import EpochLoader
from litlab.data.picture_dataset import PictureDataset
from litlab.data.resize import Fit
from litlab.data.workers import ignore_signals
from litlab.errors import one_line
from litlab.machine import free_memory

KINDS = ("none", "memory", "disk", "auto")
SHARE_OF_MEMORY = 0.25  # of what is free, that `cache=auto` may use
BATCH_BYTES = 2**22  # of pictures that a worker sends at once: containers often have little shared memory
MOST_AT_ONCE = 256  # pictures
MANY = 500  # pictures, from which on there is a progress bar


def checked_cache(kind: Any, transforms: Sequence[Any], random_crop: bool, device: str = "auto") -> str:
    """The setting `cache`, where `auto` is `none` if a picture may look different in each epoch.

    Raises:
        ValueError: it is none of `KINDS`, pictures look different in each epoch, or there is none for `device=gpu`.
    """
    if kind not in KINDS:
        raise ValueError(f"cache must be one of {', '.join(KINDS)}, not {kind!r}")
    random = "transforms" if transforms else "random_crop" if random_crop else None
    if random and kind in ("memory", "disk"):
        off, instead = ("false", "[random_crop]") if random == "random_crop" else ("[]", "[...]")
        raise ValueError(
            f"cache={kind}: data.{random} can change a picture in each epoch; write data.{random}={off}, and perhaps "
            f"data.augment={instead}, which is done on whole batches; or data.cache=none"
        )
    if device == "gpu" and (random or kind == "none"):
        raise ValueError("device=gpu is for pictures that are decoded once: write data.cache=memory beside it")
    return "none" if random else str(kind)


class PictureCache:
    """Decodes data sets of files once.

    Args:
        kind: one of `KINDS`.
        workers: processes that decode.
        roots: the folders of the pictures; a cache on disk is in the first.
        beside: False to write nothing there.
    """

    def __init__(self, kind: str, workers: int, roots: Sequence[Path] = (), beside: bool = True) -> None:
        self.kind, self.workers, self.roots, self.beside = kind, workers, roots, beside

    def settle(self, sets: Sequence[Any]) -> str:
        """What `kind` is for these data sets: `none`, `memory` or `disk`. Says why `auto` is `none`.

        Raises:
            ValueError: they cannot be cached.
        """
        if self.kind == "none" or not sets:
            return self.kind
        if not all(map(decodes_the_same, sets)):
            if self.kind == "auto":
                return "none"
            raise ValueError(f"cache={self.kind}: the pictures are loaded in a way of their own; write data.cache=none")
        if self.kind == "disk":
            return "disk"
        processes = processes_here()
        needed, free = processes * sum(map(bytes_of, sets)), memory_left()
        if self.kind == "auto" and (free is None or needed > SHARE_OF_MEMORY * free):
            of = "" if free is None else f" of {in_words(free)}"
            say(f"cache: none, the pictures need {in_words(needed)}, more than a quarter of the free memory{of}")
            return "none"
        if free is not None and needed > free:
            each = f" in {processes} processes" if processes > 1 else ""
            raise ValueError(
                f"cache=memory: the pictures need {in_words(needed)}{each}, and {in_words(free)} are free; write "
                "data.cache=disk or data.cache=none"
            )
        return "memory"

    def fill(self, sets: dict[str, PictureDataset]) -> dict[str, CachedPictures]:
        """The same data sets, decoded. Says what that takes.

        Args:
            sets: by the name of their split; `settle` has looked at them.

        Raises:
            ValueError: there is no room, or a file cannot be read any more.
        """
        count, size = sum(map(len, sets.values())), sum(map(bytes_of, sets.values()))
        processes = processes_here()
        where = f"in the memory of each of {processes} processes" if processes > 1 else "in memory"
        root = self.root(sets)
        folder = folder_of_cache(root, self.beside)
        if self.kind == "disk":
            where = f"in {folder}"
        say(f"cache: {count:,} pictures {where}, {in_words(size)}")
        if self.kind == "memory":
            return {name: self._in_memory(dataset) for name, dataset in sets.items()}
        try:
            return {name: self._on_disk(dataset, root, folder) for name, dataset in sets.items()}
        except (OSError, NotImplementedError) as error:  # the latter where a file cannot be locked
            raise ValueError(
                f"cache=disk: {folder} cannot be filled: {one_line(error)}; write data.cache=memory or data.cache=none"
            ) from error

    def root(self, sets: dict[str, PictureDataset]) -> Path:
        """The folder of the pictures, or the first of several."""
        folders = (folder for dataset in sets.values() for folder in dataset.paths.folders)
        return self.roots[0] if self.roots else Path(os.path.commonpath(list(folders)))

    def _in_memory(self, dataset: PictureDataset) -> CachedPictures:
        images = torch.empty(len(dataset), *_shape(dataset), dtype=torch.uint8)
        done = 0
        for batch in decoded(dataset, torch.arange(len(dataset)), self.workers):
            images[done : done + len(batch)] = batch
            done += len(batch)
        return CachedPictures(images, dataset.targets, dataset.paths)

    def _on_disk(self, dataset: PictureDataset, root: Path, folder: Path) -> CachedPictures:
        listing = Listing.of(dataset.paths)  # before the files are decoded: they may change in the meantime
        wanted = identities(names_in(dataset.paths, root), listing.sizes, listing.times)
        file = CacheFile(folder, key_of(dataset), _shape(dataset))
        images, rows = file.get(wanted, lambda missing: decoded(dataset, missing, self.workers))
        return CachedPictures(images, dataset.targets, dataset.paths, rows)


def names_in(files: FileNames, root: Path) -> list[str]:
    """The names of files relative to a folder, wherever that is; of files that are not below it, the whole path."""
    top, folders = root.absolute(), []
    for folder in (Path(name).absolute() for name in files.folders):
        inner = folder.relative_to(top) if folder.is_relative_to(top) else folder
        folders.append(f"{inner}/")
    return files.renamed(folders)


def decodes_the_same(dataset: Any) -> bool:
    """Whether a data set has the same pixels each time it is read, as far as that is known."""
    if isinstance(dataset, CachedPictures):
        return True
    is_plain = type(dataset) is PictureDataset and type(dataset.transform) is Fit
    return is_plain and not dataset.transform.random_crop


def key_of(dataset: PictureDataset) -> str:
    """A name for everything that decides the pixels, beside the files: the settings, and what decodes and resizes."""
    fit: Any = dataset.transform
    facts = {
        "format": FORMAT,
        "shape": list(fit.shape),
        "preprocess": {"interpolation": fit.interpolation} | dict(fit.preprocess),
        "scaled": dataset.scaled,
        "simplejpeg": jpeg.version(),
        "pillow": PIL.__version__,
        "torch": [torch.__version__, torch.backends.cpu.get_cpu_capability()],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def decoded(dataset: PictureDataset, rows: Tensor, workers: int) -> Iterator[Tensor]:
    """Some pictures of a data set, batch by batch, uint8 [B, C, H, W].

    Args:
        dataset: of files.
        rows: numbers of the pictures, int64 [M].
        workers: processes that decode.
    """
    part = PictureDataset(
        dataset.paths.take(rows), dataset.targets[rows], dataset.transform, dataset.grayscale, dataset.scaled
    )
    at_once = max(1, min(MOST_AT_ONCE, BATCH_BYTES // torch.Size(_shape(dataset)).numel()))
    sampler = EpochBatchSampler(len(part), at_once, shuffle=False, seed=0)
    loader = EpochLoader(part, sampler, collate_fn=collate, num_workers=workers, worker_init_fn=ignore_signals)
    batches: Iterable[Any] = loader
    if console.is_terminal and len(part) >= MANY:
        batches = track(loader, "decoding pictures", len(sampler), console=console, transient=True)
    for images, _ in batches:
        yield images


def bytes_of(dataset: Any) -> int:
    """Bytes of the decoded pictures of a data set; 0 if they are kept already."""
    return 0 if isinstance(dataset, CachedPictures) else len(dataset) * torch.Size(_shape(dataset)).numel()


def processes_here() -> int:
    """The processes of the run on this machine. Each has its own cache in memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def memory_left() -> int | None:
    """Free bytes of memory; None where the system does not say."""
    try:
        return free_memory()
    except (OSError, KeyError):  # not Linux
        return None


def _shape(dataset: PictureDataset) -> tuple[int, int, int]:
    fit: Any = dataset.transform
    shape: tuple[int, int, int] = fit.shape
    return shape
