"""Groups of parameters with learning rates and weight decay of their own, for fine-tuning."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import Optimizer

from litlab.networks import head_of

# Blocks of torchvision's DenseNet, RegNet and ViT.
IN_WORDS = re.compile(r"denselayer\d+|block\d+-\d+|encoder_layer_\d+")


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters with the same learning rate and weight decay.

    Args:
        parameters: by name.
        factor: their learning rate, as a multiple of `optimizer.lr`.
        weight_decay: of them.
    """

    parameters: dict[str, nn.Parameter]
    factor: float
    weight_decay: float

    @property
    def count(self) -> int:
        """How many numbers they are."""
        return sum(parameter.numel() for parameter in self.parameters.values())


class Grouped:
    """Makes an optimizer whose groups of parameters have learning rates and weight decay of their own.

    The first group is the head's, so that its learning rate is the one that is shown.

    Args:
        make: from parameters to an optimizer.
        network: whose parameters they are.
        lr: learning rate of the head.
        weight_decay: of all that decays.
        decay_norm_and_bias: False for no weight decay on parameters with one dimension: biases, and scales and shifts
            of normalisations.
        backbone_factor: learning rate of all but the head, as a multiple of `lr`.
        layer_decay: learning rate of a block, as a multiple of that of the next block towards the head (Clark et al.
            2020, https://arxiv.org/abs/2003.10555, section 3.3). A block is what has a number in its name.

    Raises:
        ValueError: an argument has a wrong value; the message begins with the argument's name.
    """

    def __init__(
        self,
        make: Callable[[Any], Optimizer],
        network: nn.Module,
        lr: float,
        weight_decay: float = 0.0,
        decay_norm_and_bias: bool = True,
        backbone_factor: float = 1.0,
        layer_decay: float = 1.0,
    ) -> None:
        for name, value in (("backbone_factor", backbone_factor), ("layer_decay", layer_decay)):
            if not 0 < value <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, not {value}")
        self.make, self.network, self.lr, self.weight_decay = make, network, lr, weight_decay
        self.decay_norm_and_bias = decay_norm_and_bias
        self.backbone_factor, self.layer_decay = backbone_factor, layer_decay

    def __call__(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The optimizer of these parameters of the network."""
        return self.make(
            [
                {
                    "params": list(group.parameters.values()),
                    "lr": self.lr * group.factor,
                    "weight_decay": group.weight_decay,
                }
                for group in self.groups(parameters)
            ]
        )

    def groups(self, parameters: Iterable[nn.Parameter]) -> list[ParameterGroup]:
        """The groups of these parameters of the network, in the order of the optimizer."""
        wanted = {id(parameter) for parameter in parameters}
        head, named = head_of(self.network), list(self.network.named_parameters())
        depths = block_depths({name: parameter.ndim for name, parameter in named}, head)
        deepest = max(depths.values(), default=0)
        groups: dict[tuple[float, float], dict[str, nn.Parameter]] = {}
        for name, parameter in named:
            if id(parameter) in wanted:
                factor = self.layer_decay ** (deepest - depths[name])
                factor *= 1.0 if name.startswith(head) and head else self.backbone_factor
                decays = self.decay_norm_and_bias or parameter.ndim > 1
                groups.setdefault((factor, self.weight_decay if decays else 0.0), {})[name] = parameter
        ordered = sorted(groups.items(), key=lambda group: group[0], reverse=True)
        return [ParameterGroup(group, factor, weight_decay) for (factor, weight_decay), group in ordered]


def block_depths(dimensions: Mapping[str, int], head: Sequence[str]) -> dict[str, int]:
    """How many blocks lie before each parameter, by its name; the head is a block of its own.

    What has no number in its name belongs to the block before it, and so does a normalisation that stands alone. If
    nothing has a number, each layer is a block.

    Args:
        dimensions: of all parameters, by their names, from the input to the output.
        head: beginnings of the names of the head's parameters.
    """
    body = [name for name in dimensions if not (head and name.startswith(tuple(head)))]
    keys = [_block(name) for name in body]
    if not any(keys):
        keys = [name.rpartition(".")[0] for name in body]
    has_weights = {key for name, key in zip(body, keys, strict=True) if dimensions[name] > 1}
    depths: dict[str, int] = {}
    seen: dict[str, int] = {}
    for name, key in zip(body, keys, strict=True):
        if key in has_weights and key:
            seen.setdefault(key, len(seen))
        depths[name] = seen.get(key, max(len(seen) - 1, 0))
    return {name: depths.get(name, len(seen)) for name in dimensions}


def _block(name: str) -> str:
    """The block of a parameter; nothing if it lies outside of them.

    `layer1.0` of `layer1.0.conv1.weight`, `stages.1.blocks.2` of `stages.1.blocks.2.norm.bias`, and `mixed` of
    `mixed.branch1.0.conv.weight`. The last number is that of a layer in a block, if its weight stands right behind
    it: `blocks.3` of `blocks.3.layers.7.weight`.
    """
    *parts, leaf = name.split(".")
    for place, part in enumerate(parts):
        if IN_WORDS.fullmatch(part):
            return ".".join(parts[: place + 1])
        if place and part.startswith("branch"):
            return ".".join(parts[:place])
    numbers = [place for place, part in enumerate(parts) if part.isdigit()]
    if not numbers:
        return ""
    last = numbers[0]
    for place in numbers[1:]:
        is_layer = place == len(parts) - 1 and leaf in ("weight", "bias")
        if is_layer or place - last > 2 or (place - last == 2 and parts[place - 1] not in ("blocks", "layers")):
            break
        last = place
    return ".".join(parts[: last + 1])


def layers_in_words(groups: Sequence[ParameterGroup], names: Sequence[str]) -> list[str]:
    """The layers of each group, such as `conv1, layer1`, or `weights of conv1, layer1` where others of them decay less.

    Args:
        groups: of all parameters that are trained.
        names: of all parameters of the network.
    """
    found = []
    for group in groups:
        alike = [other for other in groups if other.factor == group.factor]
        layers = ", ".join(_largest({name for other in alike for name in other.parameters}, names))
        which = "norms, biases" if all(p.ndim <= 1 for p in group.parameters.values()) else "weights"
        found.append(layers if len(alike) == 1 else f"{which} of {layers}")
    return found


def _largest(some: set[str], names: Sequence[str]) -> list[str]:
    """The fewest modules that have these parameters and no others, in the order of the network."""
    modules = {name: [name[:at] for at, sign in enumerate(name) if sign == "."] for name in names}
    others = {module for name in names if name not in some for module in modules[name]}
    found = (next((m for m in modules[name] if m not in others), name) for name in names if name in some)
    return list(dict.fromkeys(found))
