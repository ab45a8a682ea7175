"""The folder of a run, in case somebody moves or removes it."""

from pathlib import Path
from typing import Any

import lightning

from litlab.console import reopen_log, warn
from litlab.files import atomic, try_to_disk


class RunFolder(lightning.Callback):
    """Keeps the config of a run: writes it to the disk, and puts it back if the folder disappears during the training.

    Args:
        folder: the run's. Without the config in its `.hydra/`, its checkpoints could not be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = {path: path.read_bytes() for path in folder.glob(".hydra/*.yaml")}

    def on_fit_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.is_global_zero:
            try_to_disk(*self._files, self.folder / ".hydra", self.folder)

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if not trainer.is_global_zero or all(path.exists() for path in self._files):
            return
        try:
            for path, content in self._files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic(path) as temporary:
                    temporary.write_bytes(content)
        except OSError:  # the disk is away; the checkpoint's warning says so
            return
        reopen_log(self.folder)
        warn(f"{self.folder} has gone: training goes on in a new folder, which has what is saved from now on")
