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

    A failure to write does not end the training, in which other ranks would then wait for this one: it is kept in
    `failure`, and the checkpoint as bytes in `unwritten`, until a later one could be written. `storage_options` is the
    file that the old checkpoint becomes.
    """

    def __init__(self) -> None:
        self.failure: OSError | None = None
        self.unwritten: bytes | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
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
        if world_size() > local_size():  # other hosts need not have the file
            return _of_rank_zero(path)
        return read(path, map_location or "cpu")

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def _of_rank_zero(path: Any) -> dict[str, Any]:
    """The checkpoint that rank 0 reads, in every process."""
    group: Any = torch.distributed.new_group(backend="gloo")  # through NCCL it would have to fit into the GPUs' memory
    checkpoints = [read(path) if rank() == 0 else None]
    torch.distributed.broadcast_object_list(checkpoints, src=0, group=group)
    checkpoint = checkpoints[0]
    assert checkpoint is not None
    return checkpoint
