"""The parts that the networks with published weights share: their layout, their head, and a frozen backbone.

These networks are torchvision's, and their parameters have torchvision's names. So every `state_dict` of torchvision
fits.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, Self

from torch import Tensor, nn

from litlab.networks.shapes import check_image_shape

Variant = Literal["auto", "imagenet", "small"]
Head = Literal["replace", "append"]
Freeze = Literal["backbone"]

SMALL_BELOW = 64  # pixels of the shorter side
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class AppendedLinear(nn.Linear):
    """A linear layer, and a new one, `appended`, after it. The first keeps its name, so its published weights fit.

    Args:
        first: from features to the published outputs.
        num_classes: number of outputs of the new layer.
    """

    def __init__(self, first: nn.Linear, num_classes: int) -> None:
        super().__init__(first.in_features, first.out_features, bias=first.bias is not None)
        self.weight, self.bias = first.weight, first.bias
        self.appended = nn.Linear(first.out_features, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Outputs [B, num_classes] of features [B, in_features]."""
        return self.appended(super().forward(features))


class Freezable(nn.Module):
    """A network of which only the head may be trained. Batch norm then keeps its statistics."""

    frozen = False  # whether only the head is trained
    frozen_names: tuple[str, ...] = ()  # of the parameters that would be trained otherwise

    def freeze_backbone(self, head: Iterable[nn.Parameter]) -> None:
        """Freezes all parameters except those of the head."""
        kept = {id(parameter) for parameter in head}
        named = [(name, p) for name, p in self.named_parameters() if id(p) not in kept]
        self.frozen, self.frozen_names = True, tuple(name for name, p in named if p.requires_grad)
        for _, parameter in named:
            parameter.requires_grad_(False)

    def unfreeze(self) -> None:
        """Trains the backbone too, from now on."""
        self.frozen = False
        for name in self.frozen_names:
            self.get_parameter(name).requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Like `nn.Module.train`, but batch norm in a frozen backbone keeps its statistics."""
        super().train(mode)
        if self.frozen:
            for module in self.modules():
                if isinstance(module, BATCH_NORMS):
                    module.eval()
        return self


class Transfer(Freezable):
    """A network that can begin with published weights, except for its last layer.

    - `head="replace"`: the last linear layer is new and has `num_classes` outputs.
    - `head="append"`: the last linear layer keeps its 1000 outputs, and a new one with `num_classes` outputs follows.
    - `freeze="backbone"`: only the new layer is trained, and batch norm keeps its statistics.
    """

    heads: tuple[str, ...]  # names of the last linear layers; the first makes the predictions
    published_arguments: ClassVar[dict[str, Any]] = {"variant": "imagenet"}  # the published weights need these
    optional: ClassVar[tuple[str, ...]] = ()  # beginnings of names in published weights that the network may lack
    published_in_order = False  # whether published weights have the order of the network, and other names
    inner: ClassVar[str] = ""  # what the names of the parameters begin with, and those in published weights do not

    @classmethod
    def published(cls, **arguments: Any) -> Any:
        """The ImageNet weights for a network with these arguments: torchvision's `WeightsEnum`, or one like it.

        Raises:
            ValueError: there are none.
        """
        raise NotImplementedError

    def adapt(self, num_classes: int, head: Head, freeze: Freeze | None) -> None:
        """Gives a network with 1000 outputs its head, and freezes the rest if `freeze` says so.

        Args:
            num_classes: number of outputs.
            head: `replace` or `append`.
            freeze: `backbone` or None.

        Raises:
            ValueError: `head` or `freeze` is something else.
        """
        if head not in ("replace", "append"):
            raise ValueError(f"head must be replace or append, not {head!r}")
        if freeze not in (None, "backbone"):
            raise ValueError(f"freeze must be backbone or null, not {freeze!r}")
        new = []
        for name in self.heads:
            last = self.get_submodule(name)
            if head == "append":
                if not isinstance(last, nn.Linear):
                    raise ValueError("head must be replace: the last layer is a convolution")
                self.set_submodule(name, AppendedLinear(last, num_classes))
                new.append(f"{name}.appended.")
            else:
                self.set_submodule(name, _renewed(last, num_classes))
                new.append(f"{name}.")
        self.new_layers = tuple(new)
        if freeze == "backbone":
            self.freeze_backbone(p for name, p in self.named_parameters() if name.startswith(self.new_layers))


def _renewed(last: nn.Module, num_classes: int) -> nn.Module:
    """A new layer in place of the last one: a linear layer, or a 1x1 convolution."""
    if isinstance(last, nn.Conv2d):
        return nn.Conv2d(last.in_channels, num_classes, 1)
    assert isinstance(last, nn.Linear)
    return nn.Linear(last.in_features, num_classes)


def with_frozen_backbone(network: nn.Module) -> Freezable:
    """Freezes any network except for its last linear layer, in place, as `freeze="backbone"` does for a `Transfer`.

    Raises:
        ValueError: it has no linear layer.
    """
    heads = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    if not heads:
        raise ValueError("freeze must be null: the network has no linear layer that could be trained alone")
    kind = type(network)
    network.__class__ = type(kind.__name__, (Freezable, kind), {})  # the rest of the network stays as it is
    assert isinstance(network, Freezable)
    network.freeze_backbone(heads[-1].parameters())
    return network


def is_small(input_shape: Sequence[int], variant: Variant) -> bool:
    """Whether a network has its layout for small images: as `variant` says, or by the size if that is `auto`.

    Raises:
        ValueError: `input_shape` is not (C, H, W), or there is no such variant.
    """
    check_image_shape(input_shape)
    if variant not in ("auto", "imagenet", "small"):
        raise ValueError(f"variant must be auto, imagenet or small, not {variant!r}")
    return min(input_shape[1:]) < SMALL_BELOW if variant == "auto" else variant == "small"
