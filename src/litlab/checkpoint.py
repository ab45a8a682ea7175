"""The one door through which a checkpoint is written and read.

A checkpoint is Lightning's, plus a plain-data record under `litlab` from which the network can be rebuilt without the
config, the data set or the code that trained it:

    network   {"name": "litlab.networks.MLP", "args": {...}}
    task      "Classification" or "Regression"
    data      {"name", "input_shape", "num_classes", "class_names", "mean", "std"}; regression has "target_shape" in
              place of the classes; pictures from files add "resize", "center_crop" and "grayscale"
    metrics   those of the epoch in which it was saved
    config    the composed config, resolved
"""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

FORMAT = 1


def write(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Writes atomically: at any moment `path` holds either the old checkpoint or the whole new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary, temporary.open("wb") as file:
        torch.save(checkpoint, file)
        file.flush()
        os.fsync(file.fileno())


def read(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Reads tensors and plain data only, so that nothing in the file can run.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds anything else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        raise ValueError(f"{path}: not a whole checkpoint of tensors and plain data ({_first_line(error)})") from None


def read_state_dict(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors by name in a `.safetensors` file, in a `state_dict` that torch saved, or of a checkpoint's network.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, or holds anything else.
    """
    if Path(path).suffix == ".safetensors":
        try:
            from safetensors.torch import load_file
        except ImportError:
            raise ValueError(f"{path}: needs pip install safetensors") from None
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file")
        try:
            return load_file(path)
        except Exception as error:
            raise ValueError(f"{path}: not a whole safetensors file ({_first_line(error)})") from None
    found: Any = read(path)
    if isinstance(found, dict) and "litlab" in found:
        prefix = "network."
        found = {k.removeprefix(prefix): v for k, v in found["state_dict"].items() if k.startswith(prefix)}
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"{path}: not a state_dict of tensors by name")
    return dict(found)


def copy(source: Path, target: Path) -> None:
    """Makes `target` the same checkpoint as `source`, atomically, and without a second copy where links work."""
    with atomic(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            temporary.write_bytes(source.read_bytes())


@contextlib.contextmanager
def atomic(path: Path) -> Any:
    """Yields a temporary path beside `path`, which takes its place if the block succeeds and vanishes if not."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; a checkpoint is as open as its folder
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class PlainCheckpointIO(CheckpointIO):
    """Makes Lightning write and read its checkpoints through `write` and `read`."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write(checkpoint, path)

    def load_checkpoint(
        self, path: Any, map_location: Callable | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read(path, map_location or "cpu")

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
