"""Regression: one or several numbers for each input."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, R2Score

from litlab.modules.added import Added, of_numbers
from litlab.modules.schedules import Schedule
from litlab.modules.supervised import MakeOptimizer, Supervised


class Regression(Supervised):
    """Trains a network that maps inputs [B, ...] to numbers [B, N], on targets float32 [B, *target_shape].

    N is the product of `target_shape`. Logs the loss, the mean absolute error (`mae`), the mean squared error (`mse`)
    and the coefficient of determination (`r2`, the mean over the numbers of a target).

    Args:
        network: from inputs to [B, N].
        target_shape: of one target, such as (5, 2) for five points.
        loss: from (predictions, targets), both [B, *target_shape], to a scalar; None means mean squared error.
        optimizer: from parameters to an optimizer; None means Adam with learning rate 1e-3.
        scheduler: one of `litlab.modules.schedules`, with its options bound; None keeps the learning rate.
        metrics: more metrics of torchmetrics by name. Each is updated with predictions and targets, both [B, N], or [B]
            where N is 1.

    Raises:
        ValueError: two metrics have one name.
    """

    def __init__(
        self,
        network: nn.Module,
        target_shape: Sequence[int] = (1,),
        loss: nn.Module | None = None,
        optimizer: MakeOptimizer | None = None,
        scheduler: Schedule | None = None,
        metrics: Mapping[str, Metric] | None = None,
    ) -> None:
        def own_metrics() -> dict[str, Metric]:
            return {"mae": MeanAbsoluteError(), "mse": MeanSquaredError(), "r2": R2()}

        added = Added(metrics, of_numbers) if metrics else None
        super().__init__(network, loss or nn.MSELoss(), own_metrics, optimizer, scheduler, added)
        self.target_shape = tuple(target_shape)

    def shaped(self, output: Tensor) -> Tensor:
        """The network's output [B, N] as predictions [B, *target_shape]."""
        return output.reshape(-1, *self.target_shape)


class R2(R2Score):
    """torchmetrics' R2 for targets of any shape. It is NaN, and not an error, for fewer than two targets."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds one batch: predictions and targets, both [B, ...]."""
        super().update(preds.flatten(1).squeeze(1), target.flatten(1).squeeze(1))

    def compute(self) -> Tensor:
        """The mean over the numbers of a target, []."""
        return super().compute() if self.total >= 2 else torch.full((), torch.nan, device=self.total.device)
