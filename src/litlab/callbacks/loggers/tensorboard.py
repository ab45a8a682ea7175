"""The logger for TensorBoard, which a resumed run continues where its checkpoint was written."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from litlab.callbacks.loggers.event_file import EventWriter
from litlab.console import warn
from litlab.files import try_to_disk


class TensorBoard(TensorBoardLogger):
    """Writes an event file into `save_dir`, and nothing else beside it."""

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__(save_dir, name="", version="", default_hp_metric=False)
        self.folder = Path(save_dir)
        self._writer: EventWriter | None = None
        self._purge_step: int | None = None
        self._warned = False

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_writer": None}

    @property
    @rank_zero_experiment
    def experiment(self) -> EventWriter:
        """torch's SummaryWriter, to add whatever it can add. The event file is made when this is first asked for."""
        if self._writer is None:
            self._writer = EventWriter(self.folder, self._purge_step)
        return self._writer

    @property
    def unsaved(self) -> str | None:
        """That the event file lacks something, and why; None if it lacks nothing."""
        failure = self._writer and self._writer.failure
        return f"TensorBoard's event file ({failure.strerror or failure})" if failure else None

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Adds scalars."""
        super().log_metrics(metrics, step)
        self._warn()

    @rank_zero_only
    def write(self, call: Callable[[EventWriter], Any]) -> None:
        """Lets `call` add what is not a scalar."""
        call(self.experiment)
        self._warn()

    @rank_zero_only
    def save(self) -> None:
        """Writes now what was logged, so that TensorBoard sees it."""
        self.experiment.flush()
        self._warn()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Writes what was logged. More may come: a training is followed by a test."""
        self.save()

    def state_dict(self) -> dict[str, Any]:
        """The size of each event file, after everything was written to the disk."""
        self.save()
        try_to_disk(*self._files(), self.folder)
        return {"sizes": {path.name: path.stat().st_size for path in self._files()}}

    @rank_zero_only
    def load_state_dict(self, state: dict[str, Any], step: int) -> None:
        """Removes what was written after `state` was taken, at `step`. Must be called before anything is logged."""
        sizes = state.get("sizes", {})
        for path in self._files():
            if path.name in sizes:
                os.truncate(path, min(sizes[path.name], path.stat().st_size))
            else:
                path.unlink()
        # TensorBoard reads files in the order of their names, which begin with the second: the next must be the last.
        while sizes and any(int(path.name.split(".")[3]) >= int(time.time()) for path in self._files()):
            time.sleep(0.05)
        if sizes:  # a TensorBoard that is running has read what was removed
            self._purge_step = step + 1

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("events.out.tfevents.*"))

    def _warn(self) -> None:
        if self.unsaved and not self._warned:
            warn(f"not written: {self.unsaved}; training goes on, the next write tries again")
        self._warned = self.unsaved is not None
