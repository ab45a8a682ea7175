"""Data sets that torchvision fetches, checks by MD5 and reads. Each has one form only, the official one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from filelock import FileLock
from torch import Tensor
from torchvision import datasets

from litlab.data.sources.cache import shortened
from litlab.data.sources.releases import Arrays
from litlab.socket_timeout import socket_timeout


@dataclass(frozen=True)
class ByTorchvision:
    """A data set of torchvision's.

    Args:
        name: for messages.
        open: from a folder, whether the training split is meant, and whether to download, to torchvision's data set.
        arrays: from that data set to its images uint8 [N, C, H, W] and labels [N].
        url: where torchvision fetches it.
        files: what to put where in the folder if it cannot be fetched.
        in_parts: whether the two splits are fetched one by one.
    """

    name: str
    open: Callable[[Path, bool, bool], Any]
    arrays: Callable[[Any], tuple[Tensor, Tensor]]
    url: str
    files: str
    in_parts: bool = False


class STL10Labelled(datasets.STL10):
    """STL-10 without the 2.7 GB of images that have no labels, which torchvision would check at each start."""

    train_list = datasets.STL10.train_list[:2]


CIFAR100 = ByTorchvision(
    "CIFAR-100",
    lambda folder, train, download: datasets.CIFAR100(folder, train=train, download=download),
    lambda found: (torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(found.targets)),
    datasets.CIFAR100.url,
    "cifar-100-python.tar.gz into it",
)
KMNIST = ByTorchvision(
    "KMNIST",
    lambda folder, train, download: datasets.KMNIST(folder, train=train, download=download),
    lambda found: (found.data[:, None], found.targets),
    datasets.KMNIST.mirrors[0],
    "the four files *-ubyte.gz into its folder KMNIST/raw",
)
EMNIST = ByTorchvision(
    "EMNIST",
    lambda folder, train, download: datasets.EMNIST(folder, "balanced", train=train, download=download),
    lambda found: (found.data.mT[:, None].contiguous(), found.targets),  # its files have rows and columns swapped
    datasets.EMNIST.url,
    "gzip.zip into its folder EMNIST/raw",
    in_parts=True,
)
SVHN = ByTorchvision(
    "SVHN",
    lambda folder, train, download: datasets.SVHN(folder, "train" if train else "test", download=download),
    lambda found: (torch.from_numpy(found.data).contiguous(), torch.from_numpy(found.labels)),
    datasets.SVHN.split_list["train"][0],
    "train_32x32.mat and test_32x32.mat into it",
    in_parts=True,
)
STL10 = ByTorchvision(
    "STL-10",
    lambda folder, train, download: STL10Labelled(folder, "train" if train else "test", download=download),
    lambda found: (torch.from_numpy(found.data).contiguous(), torch.from_numpy(found.labels)),
    datasets.STL10.url,
    "stl10_binary.tar.gz into it",
)


def prepare_by_torchvision(source: ByTorchvision, data_dir: str | Path) -> None:
    """Makes sure that `data_dir` holds a data set, unpacked.

    Raises:
        FileNotFoundError: it could not be fetched; the message says what to do.
        ValueError: a package is missing.
    """

    def fetch(folder: Path) -> None:
        for train in (True, False) if source.in_parts else (True,):
            source.open(folder, train, True)

    fetch_by_torchvision(source.name, source.url, source.files, data_dir, fetch)


def fetch_by_torchvision(name: str, url: str, files: str, data_dir: str | Path, fetch: Callable[[Path], None]) -> None:
    """Lets torchvision fetch a data set, in one process at a time.

    Args:
        name: of the data set, for messages.
        url: where it is fetched.
        files: what to put where in the folder if it cannot be fetched.
        data_dir: the folder.
        fetch: makes sure that the folder holds the data set.

    Raises:
        FileNotFoundError: it could not be fetched; the message says what to do.
        ValueError: a package is missing.
    """
    data_dir = Path(data_dir).expanduser()
    lock = re.sub(r"\W", "", name.lower())
    try:
        if data_dir.is_dir() and not os.access(data_dir, os.W_OK):
            return  # shared, and only to be read: `load` says if it holds no data set
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / f".{lock}.lock"), socket_timeout():
            fetch(data_dir)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ValueError(f"{name} needs {package}: pip install {package}") from error
    except Exception as error:
        raise FileNotFoundError(
            f"data_dir {data_dir} holds no {name}, and {urlparse(url).hostname} did not help "
            f"({shortened(error)}): put {files}"
        ) from error


def load_by_torchvision(source: ByTorchvision, data_dir: str | Path) -> Arrays:
    """A data set from the files that `prepare_by_torchvision` left.

    Raises:
        FileNotFoundError: they are gone or damaged.
    """
    folder = Path(data_dir).expanduser()
    try:
        splits = [source.open(folder, train, False) for train in (True, False)]
    except RuntimeError as error:
        raise FileNotFoundError(
            f"data_dir {folder} holds no {source.name}, or a damaged one: put {source.files}"
        ) from error
    return Arrays(*(part for split in splits for part in source.arrays(split)))
