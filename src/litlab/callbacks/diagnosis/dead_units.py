"""Counts the units of ReLUs that never fire."""

from typing import Any

import torch
from torch import Tensor, nn

IMAGES, FEWEST = 256, 50  # validation images on which units are watched: at most, and at least


class DeadUnits:
    """Watches the ReLUs of a network on the first images of a validation.

    `counts` has for each call of a ReLU its name, how many of its units never fired, and how many it has.
    """

    def __init__(self) -> None:
        self.counts: list[tuple[str, int, int]] = []
        self._hooks: list[Any] = []
        self._fired: list[list[tuple[str, Tensor]]] = []  # of each batch, in the order of the calls
        self._images = 0

    def begin(self, network: nn.Module) -> None:
        """Watches from now on."""
        self._hooks = removed(self._hooks)
        self._fired, self._images = [[]], 0

        def watch(name: str) -> Any:
            return lambda module, inputs, output: self._fired[-1].append((name, fires(output[:IMAGES])))

        relus = ((name, module) for name, module in network.named_modules() if isinstance(module, nn.ReLU))
        self._hooks = [module.register_forward_hook(watch(name)) for name, module in relus]

        def after_batch(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._images += len(output)
            if self._images < IMAGES:
                self._fired.append([])
            else:
                self._hooks = removed(self._hooks)

        self._hooks.append(network.register_forward_hook(after_batch))

    def end(self) -> None:
        """Ends watching and counts."""
        self._hooks = removed(self._hooks)
        calls = list(zip(*filter(None, self._fired), strict=True)) if self._images >= FEWEST else []
        self._fired = []
        if calls:
            ever = [torch.stack([fired for _, fired in call]).any(0) for call in calls]
            counts = torch.stack([fired.sum() for fired in ever]).tolist()
            self.counts = [
                (call[0][0] or "the network", len(fired) - count, len(fired))
                for call, fired, count in zip(calls, ever, counts, strict=True)
            ]


def fires(activations: Tensor) -> Tensor:
    """Which units are above zero for any image, at any place: bool [C], for activations [B, C, ...]."""
    return activations.flatten(2).amax((0, 2)) > 0 if activations.dim() > 2 else activations.amax(0) > 0


def removed(hooks: list[Any]) -> list[Any]:
    """Removes hooks. Returns an empty list."""
    for hook in hooks:
        hook.remove()
    return []
