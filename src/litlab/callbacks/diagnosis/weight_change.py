"""Measures by how much one step of the optimizer changes the weights."""

from typing import Any

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
        self._hooks: list[Any] = []

    def begin_epoch(self, trainer: lightning.Trainer) -> None:
        """Prepares to measure in an epoch that begins now."""
        self.epoch_starts_at = trainer.global_step
        self.go_on(trainer)

    def go_on(self, trainer: lightning.Trainer) -> None:
        """Prepares to measure in an epoch that has begun, if its middle is still to come."""
        self._hooks = removed(self._hooks)
        batches = trainer.num_training_batches
        steps = -(-int(batches) // trainer.accumulate_grad_batches) if batches != float("inf") else 2 * MIDDLE
        to_go = self.epoch_starts_at + steps // 2 - trainer.global_step
        (optimizer,) = trainer.optimizers
        if to_go >= 0 and not isinstance(optimizer, Muon):  # Muon's steps are as large as its learning rate
            self._measure_step(optimizer, to_go)

    def note(self) -> None:
        """Adds the latest measurement to `measured`."""
        if self._latest is not None:
            self.measured.append(self._latest.item())
            self._latest = None

    def _measure_step(self, optimizer: Optimizer, to_go: int) -> None:
        """Measures one step of the optimizer, after `to_go` others."""
        weights, before = measured_weights(optimizer), list[Tensor]()

        def before_step(*_: Any) -> None:
            nonlocal to_go, before
            if to_go == 0:
                before = [weight.detach().clone() for weight in weights]
            to_go -= 1

        def after_step(*_: Any) -> None:
            if before:
                self._latest = change(before, weights)
                self._hooks = removed(self._hooks)

        if weights:
            self._hooks = [
                optimizer.register_step_pre_hook(before_step),
                optimizer.register_step_post_hook(after_step),
            ]


def measured_weights(optimizer: Optimizer) -> list[Tensor]:
    """Some of the trained matrices and kernels, evenly spaced, without those that are too large to copy."""
    weights = [p for group in optimizer.param_groups for p in group["params"] if p.dim() > 1 and p.numel() <= LARGEST]
    return weights[:: -(-len(weights) // LAYERS) or 1]


def change(before: list[Tensor], after: list[Tensor]) -> Tensor:
    """The norm of the change relative to the norm before, []: the median over the tensors."""
    norm = torch.linalg.vector_norm
    with torch.no_grad():
        moved = [norm(new - old) / norm(old).clamp_min(1e-12) for new, old in zip(after, before, strict=True)]
        return torch.stack(moved).median()


def removed(hooks: list[Any]) -> list[Any]:
    """Removes hooks. Returns an empty list."""
    for hook in hooks:
        hook.remove()
    return []
