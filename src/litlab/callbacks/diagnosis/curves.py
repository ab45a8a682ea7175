"""The smoothed loss curves of a run, and where they begin and end."""

import math
import statistics
from collections.abc import Sequence

from litlab.callbacks.diagnosis.evidence import Evidence, digits

FALLS = 0.05  # the loss falls if it ended this share below its start; else it is flat
VAL_FALLS = 0.10  # the same for a validation loss that is compared with a flat training loss


class Curves:
    """The smoothed loss curves, with their start and end."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        finite = [value for value in evidence.losses if math.isfinite(value)]
        self.first = finite[0] if finite else None  # before the first step
        self.blocks = smoothed(finite[1:])
        self.train, self.val = smoothed(evidence.train), smoothed(evidence.val)
        fine = self.train if len(self.train) >= len(self.blocks) else self.blocks
        self.start = self.first if self.first is not None else next(iter(self.train), None)
        self.end = fine[-1] if fine else None
        self.lowest = min(fine, default=None)
        self.scale = max(abs(self.start or 0.0), 1e-12)
        self.peak = max([*finite, *evidence.train], default=None)

    @property
    def chance(self) -> float | None:
        """The cross-entropy of a network that knows nothing; None where the loss is another."""
        classes = self.evidence.num_classes
        return math.log(classes) if classes and classes > 1 and self.evidence.plain_cross_entropy else None

    @property
    def train_falls(self) -> bool | None:
        """Whether the training loss falls; None if that is not known."""
        if self.start is None or self.end is None:
            return None
        return self.end <= self.start - FALLS * abs(self.start)

    @property
    def val_falls(self) -> bool:
        """Whether the validation loss ended clearly below the loss at the start."""
        if not self.val:
            return False
        start = self.val[0] if self.start is None else max(self.start, self.val[0])
        return self.val[-1] <= (1 - VAL_FALLS) * start

    def span(self, name: str) -> str:
        """A curve in words: `train loss 2.31 to 0.12`."""
        if name == "train":
            return f"train loss {digits(self.start)} to {digits(self.end)}"
        first = f"{digits(self.val[0])} to " if len(self.val) > 1 else ""
        return f"val loss {first}{digits(self.val[-1])}"


def smoothed(curve: Sequence[float]) -> list[float]:
    """The median of each value and its two neighbours, so that one outlier has no effect. The ends stay."""
    middle = [statistics.median(curve[i - 1 : i + 2]) for i in range(1, len(curve) - 1)]
    return [curve[0], *middle, curve[-1]] if len(curve) > 2 else list(curve)
