"""Builds the network of a checkpoint, and gives it the weights.

The network is built on the meta device first, where tensors have a shape and no values. So sizes that do not fit the
weights in the file are refused before memory of that size is allocated.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from litlab.checkpoint import trust as trusted
from litlab.checkpoint.plain import NotAllowed, excerpt
from litlab.checkpoint.record import Data, Named
from litlab.console import listed
from litlab.errors import one_line
from litlab.networks import with_versions

MOST_NAMED = 2  # weights, in a message


def rebuild(architecture: Named, weights: Mapping[str, Tensor], data: Data, trust: Sequence[str]) -> nn.Module:
    """The network of a checkpoint with its weights, on the CPU and in evaluation mode.

    Args:
        architecture: the class of the network, and its arguments.
        weights: by their names in the network.
        data: what the network was trained on.
        trust: packages that the user allows, beside litlab's own, torch.nn and torchvision.models.

    Raises:
        NotAllowed: if the class is not allowed, or something does not fit.
    """
    name, args = architecture.name, architecture.args
    for key, known in (("input_shape", list(data.input_shape)), ("num_classes", data.num_classes)):
        if key in args and args[key] != known:
            raise NotAllowed(f"the network's {key} is {excerpt(args[key])}, and that of its data {known}")
    with torch.device("meta"), _limit_of_parameters(2 * len(weights) + 10_000, name):
        outline: nn.Module = trusted.build(name, args, nn.Module, trusted.NETWORKS, trust)
    _check_weights(outline.state_dict(), weights)
    _check_output(outline, name, data)
    network: nn.Module = trusted.build(name, args, nn.Module, trusted.NETWORKS, trust)
    network.load_state_dict(with_versions(network, weights))
    return network.eval().requires_grad_(False)


@contextlib.contextmanager
def _limit_of_parameters(count: int, name: str) -> Iterator[None]:
    """Stops the building of a network that has more than `count` parameters: arguments can make it grow without end."""

    def registered(*_: Any) -> None:
        nonlocal count
        count -= 1
        if count < 0:
            raise NotAllowed(f"{name} has far more layers than there are weights for")

    hook = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        hook.remove()


def _check_weights(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Compares names, shapes and types.

    Args:
        own: the weights of the network, on the meta device.
        weights: those of the file.
    """
    if missing := [excerpt(name) for name in own if name not in weights]:
        raise NotAllowed(f"it lacks {len(missing)} of the network's weights: {listed(missing, MOST_NAMED)}")
    if unexpected := [excerpt(name) for name in weights if name not in own]:
        raise NotAllowed(f"it has {len(unexpected)} weights the network has not: {listed(unexpected, MOST_NAMED)}")
    for name, tensor in weights.items():
        wanted = own[name]
        if tensor.shape != wanted.shape:
            raise NotAllowed(f"its weight {name} is {list(tensor.shape)}; the network needs {list(wanted.shape)}")
        if tensor.dtype != wanted.dtype and not (tensor.is_floating_point() and wanted.is_floating_point()):
            raise NotAllowed(f"its weight {name} is {tensor.dtype}; the network needs {wanted.dtype}")


def _check_output(outline: nn.Module, name: str, data: Data) -> None:
    """Passes an image through a network on the meta device, which takes no time, and checks the shape of the output."""
    try:
        with torch.no_grad():
            output = outline.eval()(torch.zeros(1, *data.input_shape, device="meta"))
    except NotImplementedError:  # the meta device lacks an operation: the first real image will show it
        return
    except Exception as error:
        raise NotAllowed(f"{name} cannot take images {list(data.input_shape)}: {excerpt(one_line(error))}") from None
    if not isinstance(output, Tensor) or output.shape[0] != 1 or not _is_one_each(output, data):
        made = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise NotAllowed(f"{name} makes {made} of one image, not the {data.num_classes} outputs of its classes")


def _is_one_each(output: Tensor, data: Data) -> bool:
    """Whether there is an output for each class, if there are classes."""
    return not data.class_names or output.numel() == data.num_classes
