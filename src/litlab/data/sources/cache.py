"""The verified cache of a release: one file of raw uint8 values for each part, so its checksum is the published one."""

import gzip
import hashlib
import logging
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from filelock import FileLock

from litlab.console import say
from litlab.data.sources.releases import Arrays, Parts, Release, Source, SourcesFailedError, verify
from litlab.errors import one_line
from litlab.files import cache_folder, shown

log = logging.getLogger(__name__)


def prepare(release: Release, data_dir: str | Path, sources: Sequence[Source] | None = None) -> None:
    """Make sure that `data_dir` holds the cache of `release`.

    Many processes may call it at once: one builds the cache, the others wait for it. If the cache is complete, nothing
    is written. If `data_dir` is read-only and has no cache, the cache is made in `cache_folder()`.

    Args:
        release: the data set.
        data_dir: the folder of the cache; files that the user put there are found too.
        sources: tried in this order; None means those of the release.

    Raises:
        SourcesFailedError: no source worked.
        ValueError: `data_dir` cannot be written.
    """
    data_dir = Path(data_dir).expanduser()
    try:
        if _is_cached(release, data_dir):
            return
        data_dir.mkdir(parents=True, exist_ok=True)
        folder = data_dir if is_writable(data_dir) else cache_folder()
        if folder != data_dir:
            log.info("%s: data_dir %s is read-only, the cache is in %s", release.name, data_dir, folder)
            folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{release.name}.lock"):
            if not _is_cached(release, folder):  # another process may have built it while this one waited
                _build(release, data_dir, folder, release.sources if sources is None else sources)
    except SourcesFailedError:
        raise
    except OSError as error:
        raise ValueError(f"data_dir {data_dir} cannot be written: {one_line(error)}") from error


def load(release: Release, data_dir: str | Path) -> Arrays:
    """Map the cache of `release` into memory and verify it.

    Processes share the memory of the files. The mapping is private (copy on write): writing into a tensor does not
    change a file.

    Raises:
        FileNotFoundError: there is no cache; call `prepare` first.
        ValueError: a cache file is corrupt.
    """
    data_dir = Path(data_dir).expanduser()
    folder = next((folder for folder in (data_dir, cache_folder()) if _is_cached(release, folder)), None)
    if folder is None:
        raise FileNotFoundError(f"{release.name} is not in data_dir {data_dir}; call prepare_data() first")
    tensors = {}
    for name, part in release.parts.items():
        path = _file(release, folder, name)
        size = math.prod(part.shape)
        if path.stat().st_size != size:
            raise ValueError(_corrupt(path, f"it has {path.stat().st_size:,} bytes instead of {size:,}"))
        tensor = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
        if hashlib.sha256(tensor.numpy().data).hexdigest() != part.sha256:
            raise ValueError(_corrupt(path, "its SHA-256 is not the published one"))
        tensors[name] = tensor.view(part.shape)
    return Arrays(**tensors)


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder. Its permissions do not tell that on every file system."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def shortened(error: Exception, width: int = 200) -> str:
    """The message of an error on one line, cut to `width` characters; the name of its type if it has no message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= width else text[: width - 3] + "..."


def _file(release: Release, data_dir: Path, part: str) -> Path:
    return data_dir / release.name / f"{part}.uint8"


def _is_cached(release: Release, data_dir: Path) -> bool:
    return all(_file(release, data_dir, part).is_file() for part in release.parts)


def _corrupt(path: Path, reason: str) -> str:
    return f"data_dir holds a corrupt cache file, {path}: {reason}; delete the file and run again"


def _build(release: Release, data_dir: Path, folder: Path, sources: Sequence[Source]) -> None:
    """Write the cache into `folder`, from the first source that works. The caller holds the lock."""
    scratch = folder / f".{release.name}.partial"
    shutil.rmtree(scratch, ignore_errors=True)  # a killed process may have left it
    scratch.mkdir()
    try:
        source, parts = _read_first(release, data_dir, scratch, sources)
        (folder / release.name).mkdir(exist_ok=True)
        for name, data in parts.items():
            (scratch / name).write_bytes(data)
            (scratch / name).replace(_file(release, folder, name))
        say(f"{release.name}: from {source.name}, kept in {shown(folder.absolute())}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _read_first(release: Release, data_dir: Path, scratch: Path, sources: Sequence[Source]) -> tuple[Source, Parts]:
    """The first source that works, and its verified parts."""
    reasons = []
    for number, source in enumerate(sources):
        folder = scratch / str(number)
        folder.mkdir()
        try:
            parts = source.read(data_dir, folder)
            verify(release, parts)
        except Exception as error:  # other people's files and hosts can fail in any way
            reasons.append(f"  {source.name}: {shortened(error)}")
            # A missing file or a host that does not answer is normal. A damaged file deserves a warning.
            normal = isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile)
            level = logging.INFO if normal else logging.WARNING
            log.log(level, "%s: not from %s: %s", release.name, source.name, shortened(error))
        else:
            return source, parts
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    raise SourcesFailedError(
        f"{release.name} could not be read from any source:\n"
        + "\n".join(reasons)
        + f"\nWhat you can do: data=mnist_sample needs no download; or {release.by_hand.format(data_dir=data_dir)}."
    )
