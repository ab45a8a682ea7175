"""Loss and metrics of one split, added up on the device."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from litlab.modules.added import Added


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite. `step` is the first such training step, from 0.

    Args:
        loss: its value, or that of a weight.
        step: from 0.
        of_weights: whether it is a weight after the step, and not the loss before it.
    """

    def __init__(self, loss: float, step: int, of_weights: bool = False) -> None:
        super().__init__(f"the loss became {loss} at step {step}")
        self.loss, self.step = loss, step
        self.before_training = step == 0 and not of_weights  # no learning rate can be the reason


def as_float(value: Tensor) -> float:
    """A scalar [] as the shortest number that is the same float32: 0.918, not 0.9179999828338623."""
    return float(str(value.detach().cpu().float().numpy()))


class Meter:
    """Adds up the loss and the metrics of one pass over a split.

    `add` only keeps references to tensors, so a step does not wait for the device. `flush` gives a whole block of
    batches to torchmetrics at once.

    Args:
        metrics: torchmetrics metrics by name, each updated with (predictions [B, ...], targets [B, ...]).
        weigh: from the targets [B, ...] of a batch to the weight of its loss in the mean, []. None means the number of
            targets, which is right for a loss that is a mean over images. A loss with class weights is not.
        added: metrics of the user beside these.

    Raises:
        ValueError: if two metrics have one name.
    """

    def __init__(
        self,
        metrics: dict[str, Metric],
        weigh: Callable[[Tensor], Tensor] | None = None,
        added: Added | None = None,
    ) -> None:
        self.loss = MeanLoss()
        self.weigh = weigh
        self.metrics = MetricCollection(dict(metrics))
        self.names = ["loss", *metrics]
        self.added = added.copies() if added else MetricCollection({})
        self._prepare = added.prepare if added else None
        for name in added.metrics if added else ():
            if name in self.names:
                raise ValueError(f"{name}: the task itself logs a metric of this name; choose another name")
            self.names.append(name)
        self._block: list[tuple[Tensor, Tensor, Tensor]] = []
        self._block_start = 0

    def __len__(self) -> int:
        """Number of batches since the last flush."""
        return len(self._block)

    def add(self, loss: Tensor, predictions: Tensor, targets: Tensor, step: int = 0) -> None:
        """Keeps one batch.

        Args:
            loss: [].
            predictions: [B, ...].
            targets: [B, ...].
            step: the training step of this batch, from 0.
        """
        if not self._block:
            self._block_start = step
        self._block.append((loss.detach(), predictions.detach(), targets))

    def flush(self) -> "Flushed":
        """Updates the metrics with the batches kept since the last flush. It does not wait for the device."""
        block_losses, predictions, targets = zip(*self._block, strict=True)
        self._block = []
        losses = torch.stack(block_losses).float()
        if self.weigh:
            sizes = torch.stack([self.weigh(t) for t in targets])
        elif len(counts := {len(t) for t in targets}) == 1:  # a list of numbers would wait for the device
            sizes = torch.full_like(losses, counts.pop())
        else:
            sizes = losses.new_tensor([len(t) for t in targets])
        self.to(losses.device)
        self.loss.update(losses, sizes)
        counted = torch.cat(predictions), torch.cat(targets)
        block = self.metrics(*counted)
        if self._prepare:
            block |= self.added(*self._prepare(*counted))
        return Flushed({"loss": (losses * sizes).sum() / sizes.sum(), **block}, losses, self._block_start)

    def compute(self) -> dict[str, Tensor]:
        """The mean loss and the metrics since the last `reset`, over all devices, [] each. Then it resets."""
        if self._block:
            self.flush().check()
        values = {"loss": self.loss.compute(), **self.metrics.compute(), **self.added.compute()}
        self.reset()
        return values

    def state_dict(self) -> dict[str, Any]:
        """Everything that was added up, as plain data and tensors on the CPU.

        The batches since the last flush are saved as they are. A flush here would add numbers in another order than in
        a run that was never saved.

        Raises:
            NonFiniteLoss: the loss of a batch is NaN or infinite, so the state must not be saved.
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
        """Continues from `state`, on `device`."""
        self.reset()
        self.merge(state, device)

    def merge(self, state: dict[str, Any], device: Any) -> None:
        """Adds the state of another meter, such as that of another rank."""
        self.to(device)
        self._block_start = state["block_start"]
        for loss, predictions, targets in state["block"]:
            self._block.append((loss.to(device), predictions.to(device), targets.to(device)))
        for name, metric in self._all().items():
            saved = state["states"].get(name)
            if saved is None or not _is_alike(metric, saved["values"]):  # a metric that a resumed run has changed
                continue
            count, values = saved["updates"], _moved(saved["values"], device)
            if metric.update_count == 0:
                for key, value in values.items():
                    setattr(metric, key, value)
            elif count:
                metric.merge_state(values)
            # Public: `update_count` only reads it, and `merge_state` does not change it.
            metric._update_count += count

    def _all(self) -> dict[str, Metric]:
        """The loss and the metrics by name."""
        both = (*self.metrics.items(copy_state=True), *self.added.items(copy_state=True))
        return {"loss": self.loss, **dict(both)}

    def reset(self) -> None:
        """Starts again from nothing."""
        self._block = []
        self.loss.reset()
        self.metrics.reset()
        self.added.reset()

    def to(self, device: Any) -> None:
        """Moves the metrics to a device."""
        if self.loss.device == torch.device(device):  # torchmetrics' `to` takes long even if nothing moves
            return
        self.loss.to(device)
        self.metrics.to(device)
        self.added.to(device)


class Flushed:
    """What was measured in a block of batches, on its way from the device to the CPU.

    Args:
        values: the loss and the metrics by name, [] each, on this device alone.
        losses: the loss of each batch, [n].
        start: the step of the first batch, from 0.
    """

    def __init__(self, values: dict[str, Tensor], losses: Tensor, start: int) -> None:
        self.start = start
        # Copied at once and without a wait. Read later from the device, they would wait for all that follows there.
        self._values = {name: value.to("cpu", non_blocking=True) for name, value in values.items()}
        self._losses = losses.to("cpu", non_blocking=True)
        self._copied = torch.cuda.Event() if losses.is_cuda else None
        if self._copied is not None:
            self._copied.record()

    def check(self) -> None:
        """Waits until the device has computed the losses, and looks for one that is NaN or infinite.

        Raises:
            NonFiniteLoss: there is one; it names the first.
        """
        finite = torch.isfinite(self.losses)
        if not finite.all():
            first = int((~finite).nonzero()[0])
            raise NonFiniteLoss(self.losses[first].item(), self.start + first)

    @property
    def values(self) -> dict[str, Tensor]:
        """The loss and the metrics by name, [] each, on the CPU."""
        self._wait()
        return self._values

    @property
    def losses(self) -> Tensor:
        """The loss of each batch, [n], on the CPU."""
        self._wait()
        return self._losses

    def _wait(self) -> None:
        if self._copied is not None:
            self._copied.synchronize()


class MeanLoss(Metric):
    """The weighted mean of losses. torchmetrics' MeanMetric waits for the device at each update, to look for NaN."""

    full_state_update = False  # two states can be merged

    mean_value: Tensor  # the names of MeanMetric's states, which checkpoints have
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("mean_value", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("weight", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, losses: Tensor, weights: Tensor) -> None:
        """Adds losses [n] with their weights [n]."""
        self.mean_value += (losses * weights).sum()
        self.weight += weights.sum()

    def compute(self) -> Tensor:
        """The mean, []."""
        return self.mean_value / self.weight


def _state(metric: Metric) -> dict[str, Any]:
    return {"updates": metric.update_count, "values": _moved(metric.metric_state, "cpu")}


def _is_alike(metric: Metric, values: dict[str, Any]) -> bool:
    """Whether a metric that has counted nothing has states of these names and sizes.

    A state that begins as one number, [], may have grown to the size of what was added, as those of R2 do.
    """
    own = metric.metric_state
    return own.keys() == values.keys() and (
        metric.update_count > 0 or all(_size(own[name]) in ((), _size(value)) for name, value in values.items())
    )


def _size(value: Any) -> Any:
    return "any" if isinstance(value, list) else value.shape


def _moved(values: dict[str, Any], device: Any) -> dict[str, Any]:
    """A copy of a metric's state on a device. The state may have lists of tensors."""
    return {
        name: [v.detach().to(device, copy=True) for v in value]
        if isinstance(value, list)
        else value.detach().to(device, copy=True)
        for name, value in values.items()
    }
