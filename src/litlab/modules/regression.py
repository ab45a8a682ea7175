"""Regression: numbers for each input."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, R2Score

from litlab.modules.schedules import Schedule
from litlab.modules.supervised import MakeOptimizer, Supervised


class Regression(Supervised):
    """Trains a network that maps inputs [B, ...] to as many numbers as a target has, on targets [B, *target_shape].

    Logs loss, mean absolute error (`mae`), mean squared error (`mse`) and the coefficient of determination (`r2`,
    the mean over the numbers of a target).

    Args:
        network: from inputs to [B, N], N the product of `target_shape`.
        target_shape: of one target, such as (5, 2) for five points.
        loss: from (predictions, targets), both [B, *target_shape], to a scalar; by default mean squared error.
        optimizer: from parameters to optimizer; by default Adam at 1e-3.
        scheduler: one of `litlab.modules.schedules`, with its options bound; `None` keeps the learning rate.
    """

    def __init__(
        self,
        network: nn.Module,
        target_shape: Sequence[int] = (1,),
        loss: nn.Module | None = None,
        optimizer: MakeOptimizer | None = None,
        scheduler: Schedule | None = None,
    ) -> None:
        def metrics() -> dict[str, Metric]:
            return {"mae": MeanAbsoluteError(), "mse": MeanSquaredError(), "r2": R2()}

        super().__init__(network, loss or nn.MSELoss(), metrics, optimizer, scheduler)
        self.target_shape = tuple(target_shape)

    def shaped(self, output: Tensor) -> Tensor:
        """Predictions [B, *target_shape] of what the network makes, [B, N]."""
        return output.reshape(-1, *self.target_shape)


class R2(R2Score):
    """torchmetrics' R2, of targets of any shape, and NaN, not an error, of fewer than two."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Takes a batch: both [B, ...]."""
        super().update(preds.flatten(1).squeeze(1), target.flatten(1).squeeze(1))

    def compute(self) -> Tensor:
        """The mean over the numbers of a target."""
        return super().compute() if self.total >= 2 else torch.full((), torch.nan, device=self.total.device)
