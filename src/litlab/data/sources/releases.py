"""What a published data set is: its parts with their checksums, and the sources it can come from."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

Parts = dict[str, bytes]  # the name of each part, and its raw uint8 values


class Arrays(NamedTuple):
    """A data set in memory: images uint8 [N, C, H, W], labels uint8 or int64 [N]."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@dataclass(frozen=True)
class Part:
    """One array of a release: its shape, and the SHA-256 of its raw uint8 values."""

    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Source:
    """One place that a data set can come from.

    `read(data_dir, scratch)` returns the four parts. It may write into `scratch`, an empty folder. Any error that it
    raises is the reason why this source failed.
    """

    name: str
    read: Callable[[Path, Path], Parts]


@dataclass(frozen=True)
class Release:
    """A published data set: its parts, its sources, and what the user can do if all sources fail."""

    name: str
    parts: dict[str, Part]
    sources: tuple[Source, ...]
    by_hand: str  # an instruction for the user; `{data_dir}` stands for the folder


class SourcesFailedError(FileNotFoundError):
    """No source of a data set worked. The message lists the reason of each, and what the user can do."""


def verify(release: Release, parts: Parts) -> None:
    """Check decoded parts against the published sizes and SHA-256 sums.

    Raises:
        ValueError: a part differs; the message names the first one.
    """
    for name, part in release.parts.items():
        if len(parts[name]) != math.prod(part.shape):
            raise ValueError(f"{name} has {len(parts[name]):,} bytes instead of {math.prod(part.shape):,}")
        found = hashlib.sha256(parts[name]).hexdigest()
        if found != part.sha256:
            raise ValueError(f"{name} has SHA-256 {found[:12]}... instead of the published {part.sha256[:12]}...")
