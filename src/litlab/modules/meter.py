"""Loss and metrics of one split, on the device."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite. `step` is the training step (from 0) at which it was first seen."""

    def __init__(self, loss: float, step: int) -> None:
        super().__init__(f"the loss became {loss} at step {step}")
        self.loss, self.step = loss, step


def as_float(value: Tensor) -> float:
    """A float32 scalar as the shortest number that is the same float32: 0.918, not 0.9179999828338623."""
    return float(str(value.detach().cpu().float().numpy()))


class Meter:
    """Accumulates the loss and metrics of one pass over a split.

    `add` only keeps references, so a step costs no synchronisation and next to no Python. `flush` hands a whole
    block of batches to torchmetrics at once.

    Args:
        metrics: name to torchmetrics metric, each updated with (predictions [B, ...], targets [B, ...]).
        weigh: from targets [B, ...] to what the loss of their batch counts for, []; by default their number. A loss
            with class weights is no mean over images.
    """

    def __init__(self, metrics: dict[str, Metric], weigh: Callable[[Tensor], Tensor] | None = None) -> None:
        self.names = ["loss", *metrics]
        self.loss = MeanMetric()
        self.weigh = weigh
        self.metrics = MetricCollection(dict(metrics))
        self._block: list[tuple[Tensor, Tensor, Tensor]] = []
        self._block_start = 0

    def __len__(self) -> int:
        """Number of batches since the last flush."""
        return len(self._block)

    def add(self, loss: Tensor, predictions: Tensor, targets: Tensor, step: int = 0) -> None:
        """Takes one batch: loss [], predictions [B, ...], targets [B, ...]."""
        if not self._block:
            self._block_start = step
        self._block.append((loss.detach(), predictions.detach(), targets))

    def flush(self) -> "Flushed":
        """Updates the metrics with the batches kept so far. Nothing waits for the device."""
        block_losses, predictions, targets = zip(*self._block, strict=True)
        self._block = []
        losses = torch.stack(block_losses).float()
        if self.weigh:
            sizes = torch.stack([self.weigh(t) for t in targets])
        else:
            sizes = losses.new_tensor([len(t) for t in targets])
        self.to(losses.device)
        self.loss.update(losses, sizes)
        block = self.metrics(torch.cat(predictions), torch.cat(targets))
        values = {"loss": (losses * sizes).sum() / sizes.sum(), **block}
        return Flushed(values, losses, self._block_start)

    def compute(self) -> dict[str, Tensor]:
        """The mean loss and metrics since the last `reset`, over all devices; then resets."""
        if self._block:
            self.flush()
        values = {"loss": self.loss.compute(), **self.metrics.compute()}
        self.reset()
        return values

    def state_dict(self) -> dict[str, Any]:
        """All that was accumulated, as plain data and tensors on the CPU.

        The batches kept since the last flush are part of it as they are: to flush them here would add the numbers up
        in another order than a run that did not stop here.

        Raises:
            NonFiniteLoss: as `flush`; nothing that holds a NaN is worth keeping.
        """
        losses = torch.stack([loss for loss, _, _ in self._block]).tolist() if self._block else []
        for number, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise NonFiniteLoss(loss, self._block_start + number)
        return {
            "block": [[tensor.cpu() for tensor in batch] for batch in self._block],
            "block_start": self._block_start,
            "states": {name: _state(metric) for name, metric in self._all().items()},
        }

    def load_state_dict(self, state: dict[str, Any], device: Any) -> None:
        """Goes on from `state`, on `device`."""
        self.reset()
        self.merge(state, device)

    def merge(self, state: dict[str, Any], device: Any) -> None:
        """Adds what another meter had accumulated, on another rank."""
        self.to(device)
        self._block_start = state["block_start"]
        for loss, predictions, targets in state["block"]:
            self._block.append((loss.to(device), predictions.to(device), targets.to(device)))
        for name, metric in self._all().items():
            count, values = state["states"][name]["updates"], _moved(state["states"][name]["values"], device)
            if metric._update_count == 0:
                for key, value in values.items():
                    setattr(metric, key, value)
            elif count:
                metric.merge_state(values)
            metric._update_count += count

    def _all(self) -> dict[str, Metric]:
        return {"loss": self.loss, **dict(self.metrics.items(copy_state=True))}

    def reset(self) -> None:
        """Forgets everything."""
        self._block = []
        self.loss.reset()
        self.metrics.reset()

    def to(self, device: Any) -> None:
        if self.loss.device == torch.device(device):  # metrics look through all they have, whether it moves or not
            return
        self.loss.to(device)
        self.metrics.to(device)


@dataclass(frozen=True)
class Flushed:
    """What a block of batches came to, on the device.

    Args:
        values: loss and metrics by their names, [] each, on this device alone.
        losses: of each batch, [n].
        start: the step of the first of them.
    """

    values: dict[str, Tensor]
    losses: Tensor
    start: int

    def check(self) -> None:
        """Waits for the device.

        Raises:
            NonFiniteLoss: at the first batch whose loss is NaN or infinite.
        """
        finite = torch.isfinite(self.losses)
        if not finite.all():
            first = int((~finite).nonzero()[0])
            raise NonFiniteLoss(self.losses[first].item(), self.start + first)


def _state(metric: Metric) -> dict[str, Any]:
    return {"updates": metric._update_count, "values": _moved(metric.metric_state, "cpu")}


def _moved(values: dict[str, Any], device: Any) -> dict[str, Any]:
    """A metric's state, which may hold lists of tensors, copied to another device."""
    return {
        name: [v.detach().to(device, copy=True) for v in value]
        if isinstance(value, list)
        else value.detach().to(device, copy=True)
        for name, value in values.items()
    }
