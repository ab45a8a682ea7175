"""From a checkpoint to a network that is ready to use."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration

from litlab.checkpoint import trust as trusted
from litlab.checkpoint.archive import read
from litlab.checkpoint.record import TASKS, Data, Named, checked_record, data_of, entry, named_class
from litlab.checkpoint.trust import NotAllowed, shown
from litlab.console import printable
from litlab.errors import one_line
from litlab.runs import finite


@dataclass(frozen=True)
class Trained:
    """A network, ready to use, and all that its checkpoint says about it."""

    path: Path
    network: nn.Module  # on the CPU, in evaluation mode
    architecture: Named
    task: str
    loss: Named
    data: Data
    source: Named
    metrics: dict[str, float]
    precision: str
    log_every_n_steps: int


def load(path: str | Path, trust: Sequence[str] = ()) -> Trained:
    """Reads a checkpoint that litlab wrote and rebuilds its network, through the allowlist of `litlab.trust`.

    The network is built on the meta device first, so that sizes which do not agree with the weights in the file are
    refused before anything of that size is allocated.

    Args:
        path: the file.
        trust: packages, beside litlab's own, torch.nn and torchvision.models, whose networks may be built.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and what is wrong with it, in one line.
    """
    checkpoint = read(path)
    try:
        record, source = checked_record(checkpoint)
        data = data_of(record)
        architecture = named_class(record, "network")
        weights = _weights(checkpoint)
        network = _rebuild(architecture, weights, data, trust)
        numerics = entry(record, "numerics", dict)
        task = entry(record, "task", str)
        if task not in TASKS:
            raise NotAllowed(f"its task is {shown(task)}, not one of {', '.join(TASKS)}")
        return Trained(
            path=Path(path),
            network=network,
            architecture=architecture,
            task=task,
            loss=named_class(record, "loss"),
            data=data,
            source=source,
            metrics=finite(entry(record, "metrics", dict)),
            precision=entry(numerics, "precision", str),
            log_every_n_steps=max(1, entry(numerics, "log_every_n_steps", int)),
        )
    except NotAllowed as error:
        raise ValueError(f"{path}: {error}") from None


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The weights in a file, by their names in the network: a `state_dict` (`.pt`, `.pth`, `.safetensors`), alone or as
    `model_state_dict` among other things, or one of litlab's checkpoints.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or holds anything else, or the package that reads it is missing.
    """
    if Path(path).suffix == ".safetensors":
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file")
        try:
            from safetensors.torch import load_file
        except ImportError:
            raise ValueError(f"{path}: needs safetensors: pip install safetensors") from None
        try:
            return load_file(path)
        except Exception as error:
            raise ValueError(f"{path}: not a whole safetensors file ({printable(one_line(error))})") from None
    found = read(path)
    try:
        if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
            return _weights(found)
        return _tensors(found.get("model_state_dict", found) if isinstance(found, Mapping) else found)
    except NotAllowed as error:
        raise ValueError(f"{path}: {error}") from None


def _weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    if "state_dict" not in checkpoint:
        raise NotAllowed("it lacks state_dict, the weights")
    weights = _tensors(checkpoint["state_dict"])
    prefix = "network."  # the LightningModule's attribute
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _tensors(found: Any) -> dict[str, Tensor]:
    if not isinstance(found, Mapping):
        raise NotAllowed(f"its weights are a {type(found).__name__}, not a mapping of names to tensors")
    for name, tensor in found.items():
        if type(name) is not str or type(tensor) not in (Tensor, nn.Parameter):
            raise NotAllowed(f"its weight {shown(name)} is a {type(tensor).__name__}, not a tensor")
    return dict(found)


def _rebuild(architecture: Named, weights: Mapping[str, Tensor], data: Data, trust: Sequence[str]) -> nn.Module:
    name, args = architecture.name, architecture.args
    for key, known in (("input_shape", list(data.input_shape)), ("num_classes", data.num_classes)):
        if key in args and args[key] != known:
            raise NotAllowed(f"the network's {key} is {shown(args[key])}, and that of its data {known}")
    with torch.device("meta"), _at_most(2 * len(weights) + 10_000, name):
        outline: nn.Module = trusted.build(name, args, nn.Module, trusted.NETWORKS, trust)
    _compare(outline.state_dict(), weights)
    _try(outline, name, data)
    network: nn.Module = trusted.build(name, args, nn.Module, trusted.NETWORKS, trust)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


@contextlib.contextmanager
def _at_most(count: int, name: str) -> Iterator[None]:
    """Stops a network that its arguments would make grow without end."""

    def registered(*_: Any) -> None:
        nonlocal count
        count -= 1
        if count < 0:
            raise NotAllowed(f"{name} has far more layers than there are weights for")

    hook = registration.register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        hook.remove()


def _compare(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    if missing := [name for name in own if name not in weights]:
        raise NotAllowed(f"it lacks {len(missing)} of the network's weights, such as {shown(missing[0])}")
    if unexpected := [name for name in weights if name not in own]:
        raise NotAllowed(f"it has {len(unexpected)} weights the network has not, such as {shown(unexpected[0])}")
    for name, tensor in weights.items():
        wanted = own[name]
        if tensor.shape != wanted.shape:
            raise NotAllowed(f"its weight {name} is {list(tensor.shape)}; the network needs {list(wanted.shape)}")
        if tensor.dtype != wanted.dtype and not (tensor.is_floating_point() and wanted.is_floating_point()):
            raise NotAllowed(f"its weight {name} is {tensor.dtype}; the network needs {wanted.dtype}")


def _try(outline: nn.Module, name: str, data: Data) -> None:
    """Passes the outline of one image through the outline of a network, which costs nothing."""
    try:
        with torch.no_grad():
            output = outline.eval()(torch.zeros(1, *data.input_shape, device="meta"))
    except NotImplementedError:  # an operation without an outline: the first image will show
        return
    except Exception as error:
        raise NotAllowed(f"{name} cannot take images {list(data.input_shape)}: {shown(one_line(error))}") from None
    if (
        not isinstance(output, Tensor)
        or output.shape[0] != 1
        or (data.class_names and output.numel() != data.num_classes)
    ):
        made = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise NotAllowed(f"{name} makes {made} of one image, not the {data.num_classes} outputs of its classes")
