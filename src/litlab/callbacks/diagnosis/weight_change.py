"""Measures by how much one step of the optimizer changes the weights."""

import lightning
import torch
from torch import Tensor
from torch.optim import Optimizer

from litlab.modules import Muon

LAYERS, LARGEST = 16, 2**22  # how many tensors are measured at most, and how many numbers each has at most
MIDDLE = 50  # the step that is measured where the length of an epoch is not known


class WeightChange:
    """Measures the change of the weights in the middle step of each epoch. All other steps cost nothing.

    `measured` has a value for each epoch: the norm of the change relative to the norm of the weights.
    """

    def __init__(self) -> None:
        self.measured: list[float] = []
        self.epoch_starts_at = 0  # the step
        self._latest: Tensor | None = None  # not yet copied from the device
        self._middle = 0  # the weights are compared before and after this step
        self._optimizer: Optimizer | None = None  # None: there is nothing to measure in this epoch any more
        self._weights: list[Tensor] = []
        self._before: list[Tensor] = []

    def begin_epoch(self, trainer: lightning.Trainer) -> None:
        """Prepares to measure in an epoch that begins now."""
        self.epoch_starts_at = trainer.global_step
        self.go_on(trainer)

    def go_on(self, trainer: lightning.Trainer) -> None:
        """Prepares to measure in an epoch that has begun, if its middle is still to come."""
        batches = trainer.num_training_batches
        steps = -(-int(batches) // trainer.accumulate_grad_batches) if batches != float("inf") else 2 * MIDDLE
        self._middle, self._before = self.epoch_starts_at + steps // 2, []
        (optimizer,) = trainer.optimizers
        self._optimizer = None if isinstance(optimizer, Muon) else optimizer  # its steps are as large as its rate
        looked_at = {self._middle, self._middle + 1} if self._optimizer else set()
        trainer.lightning_module.looked_at = looked_at  # type: ignore[assignment]

    def before_batch(self, trainer: lightning.Trainer) -> None:
        """Copies the weights before the step that is measured."""
        if self._optimizer and not self._before and trainer.global_step == self._middle:
            self._weights = measured_weights(self._optimizer)  # only now: a backbone may be trained from this epoch on
            self._before = [weight.detach().clone() for weight in self._weights]

    def after_batch(self, trainer: lightning.Trainer) -> None:
        """Measures the change after that step."""
        if self._before and trainer.global_step == self._middle + 1:
            self._latest = change(self._before, self._weights)
            self._optimizer, self._weights, self._before = None, [], []

    def note(self) -> None:
        """Adds the latest measurement to `measured`."""
        if self._latest is not None:
            self.measured.append(self._latest.item())
            self._latest = None


def measured_weights(optimizer: Optimizer) -> list[Tensor]:
    """Some of the trained matrices and kernels, evenly spaced, without those that are too large to copy.

    Left out is what learns with a part of the learning rate, such as a backbone beside its head.
    """
    rates = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    groups = [group for group, rate in zip(optimizer.param_groups, rates, strict=True) if rate == max(rates)]
    trained = [p for group in groups for p in group["params"] if p.requires_grad]
    weights = [p for p in trained if p.dim() > 1 and p.numel() <= LARGEST]
    return weights[:: -(-len(weights) // LAYERS) or 1]


def change(before: list[Tensor], after: list[Tensor]) -> Tensor:
    """The norm of the change relative to the norm before, []: the median over the tensors."""
    norm = torch.linalg.vector_norm
    with torch.no_grad():
        moved = [norm(new - old) / norm(old).clamp_min(1e-12) for new, old in zip(after, before, strict=True)]
        return torch.stack([_whole(ratio) for ratio in moved]).median()


def _whole(value: Tensor) -> Tensor:
    """A value that FSDP shares among processes, as a plain tensor: torch 2.11 has no median of it."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value
