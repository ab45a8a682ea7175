"""A tiny release in MNIST's and in CIFAR-10's format, and the real ones, fetched once."""

import gzip
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from pictures import draw_folder
from tiny_release import make_arrays, make_release

from litlab.data import ImageDataset
from litlab.data.sources import Arrays, Release, Source
from litlab.data.sources.idx import IDX_FILES

Arrange = Callable[[Sequence[Source]], Release]


@pytest.fixture(scope="session")
def grey() -> Arrays:
    return make_arrays(channels=1, size=28)


@pytest.fixture(scope="session")
def colour() -> Arrays:
    return make_arrays(channels=3, size=32)


@pytest.fixture(scope="session")
def grey_release(grey: Arrays) -> Arrange:
    return lambda chain: make_release(grey, chain)


@pytest.fixture(scope="session")
def colour_release(colour: Arrays) -> Arrange:
    return lambda chain: make_release(colour, chain)


@pytest.fixture(scope="session")
def idx_files(grey: Arrays) -> dict[str, bytes]:
    """The tiny arrays as the four IDX files, by name."""
    files = {}
    for part, name in IDX_FILES.items():
        values = getattr(grey, part)
        shape = [n for i, n in enumerate(values.shape) if i != 1]  # IDX has no axis for the channel
        files[name] = struct.pack(f">I{len(shape)}I", 0x800 + len(shape), *shape) + values.numpy().tobytes()
    return files


@pytest.fixture
def place_idx(idx_files: dict[str, bytes]) -> Callable[[Path, bool], None]:
    def place(folder: Path, gzipped: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in idx_files.items():
            (folder / (f"{name}.gz" if gzipped else name)).write_bytes(gzip.compress(data) if gzipped else data)

    return place


@pytest.fixture
def dataset() -> ImageDataset:
    """Five of twenty images; the first pixel of an image is its number, the label ten times that."""
    images = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1).expand(20, 3, 4, 4).contiguous()
    return ImageDataset(images, torch.arange(20) * 10, torch.tensor([3, 5, 7, 11, 13]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two classes of ten small pictures each."""
    return draw_folder(tmp_path / "root", count=10)
