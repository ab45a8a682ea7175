"""Another mode of a network for one block of code."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Puts a network into evaluation mode, and afterwards each of its modules back into its mode of before."""
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def trying_training(network: nn.Module) -> Iterator[None]:
    """Puts a network into training mode for a try. Afterwards modes, buffers and random numbers are as before.

    A copy of the network would not do: what keeps a layer's output in an attribute cannot be copied.
    """
    modes = [(module, module.training) for module in network.modules()]
    named = [(module, name, it) for module in network.modules() for name, it in module.named_buffers(recurse=False)]
    before = [buffer.clone() for _, _, buffer in named]
    network.train()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, training in modes:
            module.training = training
        for (module, name, buffer), values in zip(named, before, strict=True):
            with torch.no_grad():
                buffer.copy_(values)
            setattr(module, name, buffer)  # forward may have put another tensor there
