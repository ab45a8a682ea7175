"""The layers of a network, with their shapes and their numbers of parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """One row of a summary. Shapes are those of one image, without the batch dimension."""

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int  # how many
    trainable: int  # how many of them


def summarize(network: nn.Module, input_shape: Sequence[int], max_depth: int = 2) -> list[Layer]:
    """The layers that an image passes through, in order. Parameters that belong to no layer come first.

    Args:
        network: from images [B, C, H, W] to anything.
        input_shape: (C, H, W) of the image.
        max_depth: levels of nested modules that are opened. A deeper module counts as one layer, and so does a module
            that has parameters of its own beside those of its children.
    """
    layers: list[Layer] = []

    def record(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if any(layer.name == name for layer in layers):  # a network may pass through a layer several times
            return
        parameters = list(module.parameters())
        total = sum(p.numel() for p in parameters)
        trainable = sum(p.numel() for p in parameters if p.requires_grad)
        layers.append(Layer(name, type(module).__name__, _shape(inputs), _shape(output), total, trainable))

    rows = _rows(network, max_depth)
    if rows[0][1] is not network:
        for name, parameter in network.named_parameters(recurse=False):
            trainable = parameter.numel() if parameter.requires_grad else 0
            layers.append(Layer(name, type(parameter).__name__, (), (), parameter.numel(), trainable))
    hooks = [module.register_forward_hook(partial(record, name)) for name, module in rows]
    was_training = network.training
    some = next(network.parameters(), torch.empty(0))
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, *input_shape, device=some.device, dtype=some.dtype))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return layers


def _rows(module: nn.Module, depth: int, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """The modules that become rows of the summary, with their dotted names."""
    children = list(module.named_children())
    has_own_parameters = prefix and next(module.parameters(recurse=False), None) is not None
    if not children or depth == 0 or has_own_parameters:
        return [(prefix, module)]
    return [row for name, child in children for row in _rows(child, depth - 1, f"{prefix}.{name}".lstrip("."))]


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of a tensor, or of the first one in a tuple, without the batch dimension."""
    while isinstance(value, tuple | list) and value:
        value = value[0]
    return tuple(value.shape[1:]) if isinstance(value, Tensor) else ()
