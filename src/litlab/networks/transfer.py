"""What the networks with published weights share: the layout, the head, the frozen backbone, and loading weights.

A network here is torchvision's, with torchvision's names for its parameters, so any `state_dict` of torchvision's fits.
"""

import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from litlab.errors import one_line

Variant = Literal["auto", "imagenet", "small"]
Head = Literal["replace", "append"]
Freeze = Literal["backbone"]

SMALL_BELOW = 64  # pixels of the shorter side
HOST_TIMEOUT = 20  # seconds without a byte, after which the host counts as down
LISTED = 6  # parameter names that an error lists before it only counts them


class AppendedLinear(nn.Linear):
    """A linear layer and a new one, `appended`, behind it. The first keeps its name, and so its published weights."""

    def __init__(self, first: nn.Linear, num_classes: int) -> None:
        super().__init__(first.in_features, first.out_features, bias=first.bias is not None)
        self.weight, self.bias = first.weight, first.bias
        self.appended = nn.Linear(first.out_features, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Outputs [B, num_classes] of features [B, in_features]."""
        return self.appended(super().forward(features))


class Transfer(nn.Module):
    """A network whose weights, or all but the last layer's, can come from elsewhere.

    The three ways to use them:

    - `head="replace"`: the last linear layer is a new one, with `num_classes` outputs.
    - `head="append"`: the last linear layer keeps its 1000 outputs and a new one, `num_classes` wide, comes after it.
    - `freeze="backbone"`: only the new layer is trained, and the statistics of batch norm stand still.
    """

    heads: tuple[str, ...]  # names of the last linear layers; the first is the output's
    published_arguments: ClassVar[dict[str, Any]] = {"variant": "imagenet"}  # with which published weights fit
    optional: ClassVar[tuple[str, ...]] = ()  # layers of published weights that a network may do without
    frozen = False

    @classmethod
    def published(cls, **arguments: Any) -> WeightsEnum:
        """torchvision's ImageNet weights for a network made with these arguments."""
        raise NotImplementedError

    def adapt(self, num_classes: int, head: Head, freeze: Freeze | None) -> None:
        """Gives a network with 1000 outputs its head, and freezes the rest if asked to.

        Raises:
            ValueError: if `head` or `freeze` is something else.
        """
        if head not in ("replace", "append"):
            raise ValueError(f"head must be replace or append, not {head!r}")
        if freeze not in (None, "backbone"):
            raise ValueError(f"freeze must be backbone or null, not {freeze!r}")
        new = []
        for name in self.heads:
            last = self.get_submodule(name)
            assert isinstance(last, nn.Linear)
            if head == "append":
                self.set_submodule(name, AppendedLinear(last, num_classes))
                new.append(f"{name}.appended.")
            else:
                self.set_submodule(name, nn.Linear(last.in_features, num_classes))
                new.append(f"{name}.")
        self.new_layers = tuple(new)
        if freeze == "backbone":
            self.frozen = True
            for name, parameter in self.named_parameters():
                parameter.requires_grad_(name.startswith(self.new_layers))

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`, but a frozen backbone's batch norm keeps its statistics."""
        super().train(mode)
        if self.frozen:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


def is_small(input_shape: Sequence[int], variant: Variant) -> bool:
    """Whether a network is laid out for small images: as `variant` says, or by the size if that is `auto`.

    Raises:
        ValueError: if `input_shape` is not (C, H, W), or there is no such variant.
    """
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (C, H, W) of images, not {list(input_shape)}")
    if variant not in ("auto", "imagenet", "small"):
        raise ValueError(f"variant must be auto, imagenet or small, not {variant!r}")
    return min(input_shape[1:]) < SMALL_BELOW if variant == "auto" else variant == "small"


def preprocessing(weights: WeightsEnum) -> dict[str, Any]:
    """What published weights want of images: `image_size`, `resize` (of the shorter side, before a centre crop of
    `image_size`), in pixels, and `normalize`, `{mean: [...], std: [...]}`."""
    preset = weights.transforms()
    return {
        "image_size": preset.crop_size[0],
        "resize": preset.resize_size[0],
        "normalize": {"mean": list(preset.mean), "std": list(preset.std)},
    }


def load_published(network: Transfer, weights: WeightsEnum) -> None:
    """Fetches torchvision's weights, once, and loads them into all but the new layers.

    Raises:
        FileNotFoundError: if they are neither here nor to be had; the message says where to put the file.
        ValueError: if they do not fit.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(HOST_TIMEOUT)  # torch.hub takes none, and a host that hangs would hang the run
    try:
        state_dict = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:
        action = "delete it and try again" if file.exists() else "put the file there by hand"
        raise FileNotFoundError(
            f"pretrained=true: {weights.url} could not be had ({one_line(error)}); {action}: {file}"
        ) from None
    finally:
        socket.setdefaulttimeout(before)
    load_weights(network, state_dict, skip_head=True)


def load_weights(network: nn.Module, state_dict: Mapping[str, Tensor], skip_head: bool = False) -> list[str]:
    """Loads every parameter and buffer by name; returns the names of those that keep their new values.

    A layer that `head="append"` has added may be missing from `state_dict`.

    Args:
        network: any network; the head of one that is no `Transfer` is its last linear layer.
        state_dict: names to tensors.
        skip_head: leave the new layers of the head as they are where `state_dict` has another size of them, or none.

    Raises:
        ValueError: listing the names that are missing, unexpected, or of another size.
    """
    own = network.state_dict()
    if all(name.startswith("module.") and name not in own for name in state_dict):  # saved from a DataParallel
        state_dict = {name.removeprefix("module."): tensor for name, tensor in state_dict.items()}
    head = head_of(network)
    appended = tuple(name for name in head if name.endswith(".appended."))
    missing = [name for name in own if name not in state_dict and not name.endswith(".num_batches_tracked")]
    resized = [name for name in own if name in state_dict and state_dict[name].shape != own[name].shape]
    optional = network.optional if isinstance(network, Transfer) else ()
    unexpected = [name for name in state_dict if name not in own and not (optional and name.startswith(optional))]

    skipped = [name for name in missing if name.startswith(head if skip_head else appended)] if head else []
    skipped += [name for name in resized if skip_head and head and name.startswith(head)]
    missing, resized = ([name for name in names if name not in skipped] for names in (missing, resized))
    if problems := [
        f"{len(names)} {kind}: {_listed(names)}"
        for kind, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another size", [f"{n} {list(state_dict[n].shape)}, not {list(own[n].shape)}" for n in resized]),
        )
        if names
    ]:
        only_head = bool(head) and not unexpected and all(name.startswith(head) for name in missing + resized)
        hint = "; weights_skip_head=true starts the head anew" if only_head else ""
        raise ValueError(f"weights do not fit {type(network).__name__}: {'; '.join(problems)}{hint}")
    network.load_state_dict({k: v for k, v in state_dict.items() if k not in skipped}, strict=False)
    return skipped


def head_of(network: nn.Module) -> tuple[str, ...]:
    """What the names of the head's parameters begin with."""
    if isinstance(network, Transfer):
        return network.new_layers
    return tuple(f"{name}." for name, layer in network.named_modules() if name and isinstance(layer, nn.Linear))[-1:]


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
