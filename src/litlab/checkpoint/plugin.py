"""Makes Lightning write and read its checkpoints as litlab does."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

from litlab.checkpoint.archive import read, write
from litlab.distributed import local_size, rank, world_size


class PlainCheckpointIO(CheckpointIO):
    """Makes Lightning write and read its checkpoints through `write` and `read`.

    If a checkpoint cannot be written, the training goes on. An error would leave the other ranks waiting for this one.
    The error is kept in `failure`, and the checkpoint as bytes in `unwritten`, until a later checkpoint is written.
    """

    def __init__(self) -> None:
        self.failure: OSError | None = None
        self.unwritten: bytes | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes a checkpoint. `storage_options` is where the old checkpoint goes."""
        try:
            write(checkpoint, path, keep=storage_options)
        except OSError as error:
            content = io.BytesIO()
            torch.save(checkpoint, content)
            self.failure, self.unwritten = error, content.getvalue()
        else:
            self.failure = self.unwritten = None

    def load_checkpoint(
        self, path: Any, map_location: Callable | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Reads a checkpoint. With several hosts only that of rank 0 needs to have the file."""
        if world_size() > local_size():
            return _of_rank_zero(path)
        return read(path, map_location or "cpu")

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def _of_rank_zero(path: Any) -> dict[str, Any]:
    """The checkpoint that rank 0 reads and sends to all processes."""
    group: Any = torch.distributed.new_group(backend="gloo")  # NCCL would need GPU memory for the whole checkpoint
    checkpoints = [read(path) if rank() == 0 else None]
    torch.distributed.broadcast_object_list(checkpoints, src=0, group=group)
    checkpoint = checkpoints[0]
    assert checkpoint is not None
    return checkpoint
