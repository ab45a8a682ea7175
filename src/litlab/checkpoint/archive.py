"""The file of a checkpoint: written atomically, and read so that nothing in it can run."""

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litlab.checkpoint.trust import shown
from litlab.console import printable
from litlab.errors import one_line
from litlab.files import atomic

CONVERT = "where you trust it, torch.save(model.state_dict(), 'weights.pt'), and begin from that with model.weights="


def write(checkpoint: dict[str, Any], path: str | Path, keep: str | Path | None = None) -> None:
    """Writes atomically: at any moment `path` holds either the old checkpoint or the whole new one.

    Args:
        keep: where the old checkpoint goes, once the new one is safe.

    Raises:
        OSError: if it cannot be written; whatever was at `path` and `keep` is still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        try:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's name for a write that failed, and for much else
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        if keep is not None and path.exists():
            copy(path, Path(keep))


def read(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Reads tensors and plain data only, so that nothing in the file can run.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds anything else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        _check_archive(Path(path))
        verify(path)
        outline = torch.load(path, map_location="meta", weights_only=True)  # sizes only: nothing is allocated
        _check_sizes(outline, Path(path).stat().st_size)
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f" ({shown(found[1])})" if found else ""
        raise ValueError(
            f"{path}: holds pickled objects{what}, which could run code when loaded, and so was not; {CONVERT}"
        ) from None
    except Exception as error:
        reason = printable(one_line(error))
        raise ValueError(f"{path}: not a whole checkpoint of tensors and plain data ({reason})") from None


def verify(path: str | Path) -> None:
    """Holds every byte that counts against the checksums (CRC-32) that `torch.save` writes and does not read.

    Raises:
        zipfile.BadZipFile: if the file is cut short or altered.
    """
    with zipfile.ZipFile(path) as file:
        if damaged := file.testzip():
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")


def copy(source: Path, target: Path) -> None:
    """Makes `target` the same checkpoint as `source`, atomically, and without a second copy where links work."""
    with atomic(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            temporary.write_bytes(source.read_bytes())


def _check_archive(path: Path) -> None:
    """A zip file as `torch.save` writes it: nothing compressed, so nothing that grows, and plain names."""
    with path.open("rb") as file:
        start = file.read(2)
    if not start:
        raise ValueError("the file is empty")
    if start != b"PK":
        raise ValueError("it does not begin like one; files of PyTorch before 1.6 must be saved again")
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", entry.filename):
                raise ValueError(f"its entry {shown(entry.filename)} leads out of it")
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > path.stat().st_size:
                raise ValueError(f"its entry {shown(entry.filename)} is compressed, which torch.save never does")


def _check_sizes(outline: Any, file_size: int) -> None:
    """Tensors are no larger than the file: a view can claim a shape that its few bytes do not hold.

    All together they may be up to four times as large, since tied weights are counted once each.
    """
    seen, pending, left, total = set(), [outline], 4_000_000, 0
    while pending:
        value = pending.pop()
        left -= 1
        if left < 0:
            raise ValueError("it holds too many values")
        if isinstance(value, Tensor):
            if value.layout is not torch.strided or value.is_quantized:
                raise ValueError(f"it holds a tensor of layout {value.layout}")
            if value.numel() * value.element_size() > file_size:
                raise ValueError(f"a tensor of shape {list(value.shape)} is larger than the whole file")
            total += value.numel() * value.element_size()
            if total > 4 * file_size:
                raise ValueError("its tensors are larger than the file")
        elif isinstance(value, Mapping):
            if id(value) not in seen:
                seen.add(id(value))
                pending += value.values()
        elif isinstance(value, list | tuple) and id(value) not in seen:
            seen.add(id(value))
            pending += value
