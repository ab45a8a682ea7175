"""A few points in the plane, for the first regressions of a course."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from litlab.data.arguments import whole_number
from litlab.data.base import DataModule
from litlab.data.in_memory import ImageDataset


class Points(DataModule):
    """Pairs of numbers: inputs float32 [B, 1], targets float32 [B, 1]. All are for training.

    A subclass defines `points`.

    Args:
        repeats: number of passes over the points in one epoch.
        loading: see `DataModule`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    kind = "points"
    task = "regression"
    input_shape = (1,)
    target_shape = (1,)
    val_size = 0

    def __init__(self, repeats: int = 1, **loading: Any) -> None:
        super().__init__(**loading)
        self.repeats = whole_number("repeats", repeats, 1)

    def points(self) -> tuple[Tensor, Tensor]:
        """x and y, both float32 [N]."""
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        """Make the training set; does nothing the second time."""
        if self.train_set is None:
            x, y = self.points()
            indices = torch.arange(len(x)).repeat(self.repeats)
            self.train_set = ImageDataset(x[:, None], y[:, None], self._limited(indices))


class LinePoints(Points):
    """Six points near a line: inputs and targets float32 [B, 1]. Least squares gives y = 1.8449 x + 1.1624."""

    name = "line_points"

    def points(self) -> tuple[Tensor, Tensor]:
        return torch.tensor([1, 2, 0.5, 2.5, 2.6, 3.1]), torch.tensor([3.7, 4.6, 1.65, 5.68, 5.98, 6.95])


class SigmoidPoints(Points):
    """Twenty points of the sigmoid from -5 to 5: inputs and targets float32 [B, 1].

    Normal noise is added to the targets, which are then clipped to 0 and 1.

    Args:
        noise: standard deviation of the noise, which depends on `seed` alone.
        points: see `Points`.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    name = "sigmoid_points"

    def __init__(self, noise: float = 0.05, **points: Any) -> None:
        super().__init__(**points)
        if noise < 0:
            raise ValueError(f"noise must be at least 0, not {noise}")
        self.noise = noise

    def points(self) -> tuple[Tensor, Tensor]:
        x = torch.linspace(-5, 5, 20)
        noise = torch.randn(20, generator=torch.Generator().manual_seed(self.seed))
        return x, (torch.sigmoid(x) + self.noise * noise).clamp(0, 1)
