"""The file of a checkpoint. It is written atomically, and nothing in it can run when it is read."""

import os
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litlab.checkpoint.plain import excerpt
from litlab.console import printable
from litlab.errors import one_line
from litlab.files import atomic

MAX_VALUES = 4_000_000  # tensors, numbers and texts in a file
OLD = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")  # how files of PyTorch before 1.6 begin
CONVERT = "where you trust it, torch.save(model.state_dict(), 'weights.pt'), and begin from that with model.weights="


def write(checkpoint: dict[str, Any], path: str | Path, keep: str | Path | None = None) -> None:
    """Writes atomically: at any moment `path` holds either the old checkpoint or the whole new one.

    Args:
        checkpoint: tensors and plain data.
        path: the file. Its folder is made if need be.
        keep: where the old checkpoint at `path` goes.

    Raises:
        OSError: if it cannot be written. The file at `path` is then as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        try:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except RuntimeError as error:  # torch raises this for a failed write, and for many other things
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        if keep is not None and path.exists():
            copy(path, Path(keep))


def read(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Reads a checkpoint of tensors and plain data. Nothing in the file can run.

    Args:
        path: the file.
        map_location: the device for the tensors, as `torch.load` takes it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds anything else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        if not _is_old(Path(path)):
            _check_archive(Path(path))
            verify(path)
        outline = torch.load(path, map_location="meta", weights_only=True)  # allocates no tensors
        _check_sizes(outline, Path(path).stat().st_size)
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f" ({excerpt(found[1])})" if found else ""
        raise ValueError(
            f"{path}: holds pickled objects{what}, which could run code when loaded, and so was not; {CONVERT}"
        ) from None
    except PermissionError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except Exception as error:
        reason = printable(one_line(error))
        raise ValueError(f"{path}: not a whole checkpoint of tensors and plain data ({reason})") from None


def verify(path: str | Path) -> None:
    """Compares the content with its checksums (CRC-32). `torch.save` writes them, and `torch.load` does not read them.

    Raises:
        zipfile.BadZipFile: if the file is cut short or altered.
    """
    with zipfile.ZipFile(path) as file:
        if damaged := file.testzip():
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")


def copy(source: Path, target: Path) -> None:
    """Makes `target` the same checkpoint as `source`, atomically. Where links work, no second copy is written."""
    with atomic(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            temporary.write_bytes(source.read_bytes())


def _is_old(path: Path) -> bool:
    """Whether this is a file of PyTorch before 1.6, as torchvision still has some: no archive, and no checksums."""
    with path.open("rb") as file:
        return file.read(len(OLD)) == OLD


def _check_archive(path: Path) -> None:
    """Checks that a zip file is like those of `torch.save`: nothing is compressed, and no name leads out of it."""
    with path.open("rb") as file:
        start = file.read(2)
    if not start:
        raise ValueError("the file is empty")
    if start != b"PK":
        raise ValueError("it does not begin like one")
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", entry.filename):
                raise ValueError(f"its entry {excerpt(entry.filename)} leads out of it")
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > path.stat().st_size:
                raise ValueError(f"its entry {excerpt(entry.filename)} is compressed, which torch.save never does")


def _check_sizes(outline: Any, file_size: int) -> None:
    """Checks that the tensors are not larger than the file. A view can have a shape that its few bytes do not fill.

    Together they may be four times as large as the file, since tied weights are counted more than once.

    Args:
        outline: the content of the file, with tensors on the meta device.
        file_size: bytes.
    """
    total = 0
    for tensor in _tensors_in(outline):
        if tensor.layout is not torch.strided or tensor.is_quantized:
            raise ValueError(f"it holds a tensor of layout {tensor.layout}")
        size = tensor.numel() * tensor.element_size()
        total += size
        if size > file_size:
            raise ValueError(f"a tensor of shape {list(tensor.shape)} is larger than the whole file")
        if total > 4 * file_size:
            raise ValueError("its tensors are larger than the file")


def _tensors_in(content: Any) -> Iterator[Tensor]:
    """Every tensor in mappings and lists that may hold each other."""
    seen: set[int] = set()
    pending, left = [content], MAX_VALUES
    while pending:
        value = pending.pop()
        left -= 1
        if left < 0:
            raise ValueError("it holds too many values")
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            pending += value.values() if isinstance(value, Mapping) else value
