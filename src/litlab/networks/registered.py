"""What the networks of the two registries, torchvision's and timm's, have in common."""

import difflib
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from litlab.networks.patches import refusing_cut_images
from litlab.networks.shapes import check_image_shape
from litlab.networks.transfer import Freeze, Head, Transfer

SIZES = (28, 32, 56, 64, 96, 112, 128, 160, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512)  # that are suggested
REFUSALS = (RuntimeError, ValueError, AssertionError, TypeError, NotImplementedError, IndexError)


class Registered(Transfer):
    """A classifier that a registry makes by its name: images [B, C, H, W] to outputs [B, num_classes].

    The names of its parameters are those of the registry, with `model.` before them.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: number of outputs.
        name: in the registry.
        head: how the published outputs become `num_classes`, see `Transfer`.
        freeze: `backbone` to train the head alone, see `Transfer`.
        options: more arguments of the registry.

    Raises:
        ValueError: the registry has no such name, or its network cannot take the images; the message begins with the
            argument's name.
    """

    registry: ClassVar[str]
    published_arguments: ClassVar[dict[str, Any]] = {}
    inner = "model."

    def __init__(
        self,
        input_shape: Sequence[int],
        num_classes: int,
        name: str,
        head: Head,
        freeze: Freeze | None,
        **options: Any,
    ) -> None:
        super().__init__()
        check_image_shape(input_shape)
        self.check_name(name)
        self.name, self.input_shape, self.options = name, tuple(input_shape), options
        try:
            self.model = self.made(self.input_shape)
        except REFUSALS as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"input_shape {list(input_shape)} does not fit {name}: {reason}{self.hint()}") from None
        self.heads = tuple(f"{self.inner}{part}" for part in self.heads_of(name, self.model))
        self.adapt(num_classes, head, freeze)

    @classmethod
    def names(cls, pattern: str = "*") -> list[str]:
        """The names in the registry that match a pattern such as `*vit*`."""
        raise NotImplementedError

    @classmethod
    def check_name(cls, name: str) -> None:
        """Raises ValueError if the registry has no such name."""
        names = cls.names()
        if name not in names:
            close = ", ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.6))
            known = f"did you mean {close}? " if close else ""
            raise ValueError(f"name {name!r} is not one of {cls.registry}'s {len(names):,}: {known}list=true shows all")

    def build(self, input_shape: tuple[int, ...]) -> nn.Module:
        """The registry's network with its published number of outputs, for images of this shape."""
        raise NotImplementedError

    def heads_of(self, name: str, model: nn.Module) -> Sequence[str]:
        """The names of the last layers, the one that makes the predictions first."""
        raise NotImplementedError

    def made(self, input_shape: tuple[int, ...]) -> nn.Module:
        """What `build` makes. If that cannot be made on the meta device, it is made on the CPU and moved there."""
        try:
            return self.build(input_shape)
        except NotImplementedError:
            if torch.get_default_device().type != "meta":
                raise
            with torch.device("cpu"):
                return self.build(input_shape).to("meta")

    def hint(self) -> str:
        """`; it takes 224 x 224: write data.image_size=224`, with the size nearest above that of the images."""
        side = max(self.input_shape[1:])
        for size in sorted(SIZES, key=lambda size: (size < side, abs(size - side))):
            shape = (self.input_shape[0], size, size)
            if shape == self.input_shape:
                continue
            try:
                with torch.device("meta"), torch.no_grad():  # shapes only: it takes no time
                    model = self.made(shape).eval()
                    with refusing_cut_images(model, shape):
                        model(torch.zeros(2, *shape))
            except REFUSALS:
                continue
            return f"; it takes {size} x {size}: write data.image_size={size}"
        return ""

    def forward(self, images: Tensor) -> Tensor:
        """Outputs [B, num_classes] of images [B, C, H, W]."""
        return self.model(images)


def for_channels(model: nn.Module, channels: int) -> nn.Module:
    """A network for colour images, with a new first convolution for images of this many channels."""
    if channels == 3:
        return model
    name, first = next((name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d))
    new = nn.Conv2d(
        channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        stride=first.stride,  # type: ignore[arg-type]
        padding=first.padding,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    model.set_submodule(name, new)
    return model
