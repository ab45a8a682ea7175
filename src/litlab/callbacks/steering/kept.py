"""The checkpoints of earlier epochs that stay beside the best and the last one (`checkpoint.keep`)."""

import re
from pathlib import Path
from typing import Any, Literal

from litlab.checkpoint import copy

Keep = Literal["last", "all"] | int
NAME = re.compile(r"epoch_(\d+)\.ckpt")


class KeptEpochs:
    """Keeps the checkpoint of each epoch as `epoch_003.ckpt`, or of the epochs with the best values.

    Args:
        folder: of the checkpoints.
        keep: `last` keeps none, `all` keeps each, a number keeps so many of the best by the objective.
        mode: `max` if a higher value is better.
    """

    def __init__(self, folder: Path, keep: Keep, mode: Literal["min", "max"]) -> None:
        self.folder, self.keep, self.mode = folder, keep, mode
        self.scores: dict[int, float | None] = {}  # by the number of the epoch, from 1

    def choose(self, epoch: int, score: float | None) -> None:
        """Decides whether an epoch that has ended is kept, and which others are no longer.

        Args:
            epoch: its number, from 1.
            score: its value of the objective; None if it was not validated.
        """
        if self.keep == "last" or (self.keep != "all" and score is None):
            return
        self.scores[epoch] = score
        if isinstance(self.keep, int):
            sign = -1 if self.mode == "max" else 1
            ranked = sorted(self.scores, key=lambda n: (sign * (self.scores[n] or 0.0), n))  # of equals, the earlier
            self.scores = {n: self.scores[n] for n in sorted(ranked[: self.keep])}

    def write(self, epoch: int, last: Path) -> None:
        """Writes the checkpoint of an epoch if it was chosen, and then removes those that are no longer kept.

        Args:
            epoch: its number, from 1.
            last: the checkpoint of the end of this epoch.

        Raises:
            OSError: if it cannot be written. Nothing is removed then.
        """
        if self.keep == "last":
            return
        if epoch in self.scores:
            copy(last, self.file(epoch))
        for number, file in self.files():
            if number not in self.scores:
                file.unlink(missing_ok=True)

    def restore(self, epochs: int, checkpoint: Path | None) -> None:
        """Removes checkpoints of epochs that are trained again, and writes that of the last epoch if it is missing.

        Args:
            epochs: the number of epochs that are trained.
            checkpoint: of the end of the last of them; None: of another step.
        """
        for number, file in self.files():
            if number > epochs:
                file.unlink(missing_ok=True)
        if checkpoint and epochs in self.scores and not self.file(epochs).exists():
            copy(checkpoint, self.file(epochs))

    def file(self, epoch: int) -> Path:
        """`epoch_003.ckpt` of epoch 3."""
        return self.folder / f"epoch_{epoch:03d}.ckpt"

    def files(self) -> list[tuple[int, Path]]:
        """The numbers and the files of the epochs that there are."""
        found = [(NAME.fullmatch(file.name), file) for file in self.folder.glob("epoch_*.ckpt")]
        return [(int(match[1]), file) for match, file in found if match]

    def state(self) -> dict[str, Any]:
        """The values of the epochs that are kept, as plain data."""
        return {str(epoch): score for epoch, score in self.scores.items()}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from `state`. With another `checkpoint.keep`, the next epoch decides what stays."""
        self.scores = {int(epoch): score for epoch, score in state.items()}
