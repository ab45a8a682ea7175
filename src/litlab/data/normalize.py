"""From uint8 images to the float32 images that a network sees."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class Normalize:
    """uint8 images [B, C, H, W] to float32: (x / 255 - mean) / std, per channel.

    It costs one conversion and two passes in place.

    Args:
        mean: one value per channel, on the scale where white is 1; None means 0.
        std: one value per channel, on the same scale, above 0; None means 1.

    Raises:
        ValueError: a value of `std` is not above 0.
    """

    def __init__(self, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> None:
        self.mean = tuple(mean) if mean is not None else (0.0,)
        self.std = tuple(std) if std is not None else (1.0,)
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std must be above 0, not {list(self.std)}")
        self._constants: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"

    def __call__(self, images: Tensor) -> Tensor:
        if images.device not in self._constants:  # copying them in every step would make the GPU wait
            mean, std = (torch.tensor(values, dtype=torch.float32) for values in (self.mean, self.std))
            constants = (mean * 255).view(-1, 1, 1), (1 / (std * 255)).view(-1, 1, 1)
            self._constants[images.device] = (constants[0].to(images.device), constants[1].to(images.device))
        shift, scale = self._constants[images.device]
        return images.float().sub_(shift).mul_(scale)


def channel_statistics(
    normalize: Any, channels: int, own: tuple[Sequence[float], Sequence[float]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the standard deviation that `normalize` asks for, one value per channel.

    Args:
        normalize: True for `own`, False or None for 0 and 1, or `{mean: [...], std: [...]}`.
        channels: number of values that each must have.
        own: the mean and the standard deviation of the data set.

    Raises:
        ValueError: `normalize` is anything else, and the message begins with `normalize`; or `own` has other lengths.
    """
    if normalize is None or normalize is False:
        return (0.0,) * channels, (1.0,) * channels
    if normalize is True:
        if not all(isinstance(values, Sequence) for values in own):
            said = f"such as mean, std = ({own[0]},), ({own[1]},)"
            raise ValueError(f"mean and std must have {channels} values each, one a channel, {said}")
        if {len(own[0]), len(own[1])} != {channels}:
            raise ValueError(f"mean and std must have {channels} values each, one a channel, not {own[0]} and {own[1]}")
        return tuple(own[0]), tuple(own[1])
    if isinstance(normalize, Mapping) and set(normalize) == {"mean", "std"}:
        normalize = (normalize["mean"], normalize["std"])
    try:
        mean, std = (tuple(float(value) for value in values) for values in normalize)
    except (TypeError, ValueError):
        raise ValueError(f"normalize must be true, false or {{mean: [...], std: [...]}}, not {normalize!r}") from None
    if {len(mean), len(std)} != {channels}:
        raise ValueError(f"normalize must have {channels} mean and std, one a channel, not {normalize!r}")
    if not all(math.isfinite(value) for value in mean + std) or min(std) <= 0:
        raise ValueError(f"normalize must have finite values and std above 0, not {list(mean)} and {list(std)}")
    return mean, std
