"""Refuses images of which the patches of a network leave out a part."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial

from torch import Tensor, nn

USUAL_STRIDE = 4  # pixels, at most, of a convolution that makes no patches: it leaves out three pixels at most


class CutImages(ValueError):
    """The patches of a network leave out a part of the images."""


@contextlib.contextmanager
def refusing_cut_images(network: nn.Module, input_shape: Sequence[int]) -> Iterator[None]:
    """Makes a network raise `CutImages` in the block where it sees images and its patches leave out a part of them.

    timm's networks with patches drop the rows and columns that fill no whole patch, and learn all the same.

    Args:
        network: from images [B, C, H, W].
        input_shape: (C, H, W).
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and max(layer.stride) > USUAL_STRIDE]
    hooks = [layer.register_forward_pre_hook(partial(_check, tuple(input_shape))) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _check(input_shape: tuple[int, ...], layer: nn.Conv2d, inputs: tuple[Tensor, ...]) -> None:
    """Raises `CutImages` if a layer sees the images as they are, and leaves out a part of them."""
    if tuple(inputs[0].shape[1:]) != input_shape or isinstance(layer.padding, str):
        return
    seen = []
    for side, patch, step, padding in zip(input_shape[1:], layer.kernel_size, layer.stride, layer.padding, strict=True):
        if side + 2 * padding < patch:  # the layer itself refuses that
            return
        seen.append(side - max(0, (side + 2 * padding - patch) % step - padding))
    if tuple(seen) == input_shape[1:]:
        return
    sides = zip(input_shape[1:], seen, layer.stride, strict=True)
    larger = [side if side == part else part + step for side, part, step in sides]
    raise CutImages(
        f"its patches of {_by(layer.kernel_size)} pixels would see {_by(seen)} of them; it takes {_by(larger)}: "
        f"write {_setting(larger)} or {_setting(seen)}"
    )


def _by(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides))


def _setting(sides: Sequence[int]) -> str:
    """`data.image_size=32`, with both sides for images that are not square."""
    same = len(set(sides)) == 1
    return f"data.image_size={sides[0]}" if same else f"'data.image_size=[{','.join(map(str, sides))}]'"
