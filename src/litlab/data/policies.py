"""AutoAugment, RandAugment and TrivialAugment for whole batches: each image gets its own operations and strengths.

They do what the transforms of the same name in `torchvision.transforms.v2` do, with interpolation `nearest` and black
outside of the image.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from litlab.data import operations as op
from litlab.data.learned_policies import LEARNED

OPERATIONS = (
    *("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast"),
    *("Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert"),
)
NUMBER = {name: number for number, name in enumerate(OPERATIONS)}
CHOICES = len(OPERATIONS) - 1  # all but Invert, which AutoAugment alone has
GEOMETRIC = slice(NUMBER["ShearX"], NUMBER["Rotate"] + 1)
SIGNED = slice(NUMBER["ShearX"], NUMBER["Sharpness"] + 1)  # the strength is negative as often as positive
TABLES = {
    "Brightness": op.brightened,
    "Contrast": op.contrasted,
    "Posterize": op.posterized,
    "Solarize": op.solarized,
    "AutoContrast": op.stretched,
    "Equalize": op.equalized,
    "Invert": op.inverted,
}


def apply(images: Tensor, chosen: Tensor, strength: Tensor) -> Tensor:
    """One operation on each image.

    Args:
        images: uint8 [B, C, H, W].
        chosen: numbers in `OPERATIONS`, int64 [B].
        strength: float64 [B], as torchvision's `magnitude`: degrees, pixels, or a part.
    """
    H, W = images.shape[2:]
    is_moved = (chosen >= GEOMETRIC.start) & (chosen < GEOMETRIC.stop)
    images = op.where_chosen(is_moved, images, op.moved, _matrices((H, W), chosen, strength))
    images = _by_tables(images, chosen, strength)
    images = op.where_chosen(chosen == NUMBER["Color"], images, op.saturated, 1 + strength)
    return op.where_chosen(chosen == NUMBER["Sharpness"], images, op.sharpened, 1 + strength)


def _by_tables(images: Tensor, chosen: Tensor, strength: Tensor) -> Tensor:
    """The operations that replace each value by another one. A GPU looks each pixel up once, in one table."""
    tables = op.levels(images.device).to(torch.uint8).expand(*images.shape[:2], op.LEVELS)
    for name, make in TABLES.items():
        is_this, value = chosen == NUMBER[name], 1 + strength if name in ("Brightness", "Contrast") else strength
        if images.device.type == "cpu":
            images = op.where_chosen(is_this, images, lambda x, s, make=make: op.looked_up(x, make(x, s)), value)
        else:
            tables = torch.where(is_this[:, None, None], make(images, value), tables)
    return images if images.device.type == "cpu" else op.looked_up(images, tables)


def _matrices(size: tuple[int, int], chosen: Tensor, strength: Tensor) -> Tensor:
    def only(name: str, value: Tensor) -> Tensor:
        return torch.where(chosen == NUMBER[name], value, 0.0)

    shear = torch.rad2deg(torch.atan(strength))
    return op.affine_matrices(
        size,
        angle=only("Rotate", -strength),
        shift_x=only("TranslateX", strength.trunc()),
        shift_y=only("TranslateY", strength.trunc()),
        shear_x=only("ShearX", shear),
        shear_y=only("ShearY", shear),
        at_corner=(chosen == NUMBER["ShearX"]) | (chosen == NUMBER["ShearY"]),
    )


@functools.cache
def _strengths(kind: str, bins: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """Strengths of each operation, float64 [operations, bins], on the device. `kind` is `wide` or `usual`."""
    height, width = size
    wide = kind == "wide"
    shift = (32.0, 32.0) if wide else (150 / 331 * width, 150 / 331 * height)
    part, shear, angle = (0.99, 0.99, 135.0) if wide else (0.9, 0.3, 30.0)
    rows = {
        **dict.fromkeys(("ShearX", "ShearY"), op.steps(0, shear, bins)),
        "TranslateX": op.steps(0, shift[0], bins),
        "TranslateY": op.steps(0, shift[1], bins),
        "Rotate": op.steps(0, angle, bins),
        **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), op.steps(0, part, bins)),
        "Posterize": op.bits_kept(6 if wide else 4, bins),
        "Solarize": op.steps(1, 0, bins),
    }
    nothing = torch.zeros(bins, dtype=torch.float64)
    return torch.stack([rows.get(name, nothing) for name in OPERATIONS]).to(device)


def _with_sign(chosen: Tensor, strength: Tensor) -> Tensor:
    signed = (chosen >= SIGNED.start) & (chosen < SIGNED.stop)
    negative = torch.rand(len(chosen), device=chosen.device) <= 0.5
    return torch.where(signed & negative, -strength, strength)


def _check_channels(images: Tensor) -> None:
    if images.shape[1] not in (1, 3):
        raise ValueError(f"it needs 1 or 3 channels, not {images.shape[1]}")


@dataclass(frozen=True)
class RandAugment:
    """Random operations of one strength, one after the other (Cubuk et al. 2019, https://arxiv.org/abs/1909.13719).

    Args:
        num_ops: operations on each image.
        magnitude: strength, from 0 to `num_magnitude_bins` - 1.
        num_magnitude_bins: number of strengths.

    Raises:
        ValueError: an argument has a wrong value; or, at the call, the images do not have 1 or 3 channels.
    """

    num_ops: int = 2
    magnitude: int = 9
    num_magnitude_bins: int = 31

    def __post_init__(self) -> None:
        if self.num_ops < 0:
            raise ValueError(f"num_ops must be at least 0, not {self.num_ops}")
        if not 0 <= self.magnitude < self.num_magnitude_bins:
            raise ValueError(f"magnitude must be from 0 to {self.num_magnitude_bins - 1}, not {self.magnitude}")

    def __call__(self, images: Tensor) -> Tensor:
        _check_channels(images)
        B, _, H, W = images.shape
        table = _strengths("usual", self.num_magnitude_bins, (H, W), images.device)[:, self.magnitude]
        for _ in range(self.num_ops):
            chosen = torch.randint(CHOICES, (B,), device=images.device)
            images = apply(images, chosen, _with_sign(chosen, table[chosen]))
        return images


@dataclass(frozen=True)
class TrivialAugment:
    """One random operation of random strength (Müller and Hutter 2021, https://arxiv.org/abs/2103.10158, "wide").

    Args:
        num_magnitude_bins: number of strengths.

    Raises:
        ValueError: an argument has a wrong value; or, at the call, the images do not have 1 or 3 channels.
    """

    num_magnitude_bins: int = 31

    def __post_init__(self) -> None:
        if self.num_magnitude_bins < 1:
            raise ValueError(f"num_magnitude_bins must be at least 1, not {self.num_magnitude_bins}")

    def __call__(self, images: Tensor) -> Tensor:
        _check_channels(images)
        B, _, H, W = images.shape
        table = _strengths("wide", self.num_magnitude_bins, (H, W), images.device)
        chosen = torch.randint(CHOICES, (B,), device=images.device)
        bins = torch.randint(self.num_magnitude_bins, (B,), device=images.device)
        return apply(images, chosen, _with_sign(chosen, table[chosen, bins]))


@dataclass(frozen=True)
class AutoAugment:
    """A random one of 25 learned pairs of operations (Cubuk et al. 2018, https://arxiv.org/abs/1805.09501).

    Args:
        policy: for which data it was learned: `imagenet`, `cifar10` or `svhn`.

    Raises:
        ValueError: there is no such policy; or, at the call, the images do not have 1 or 3 channels.
    """

    policy: str = "imagenet"

    def __post_init__(self) -> None:
        if self.policy not in LEARNED:
            raise ValueError(f"policy must be imagenet, cifar10 or svhn, not {self.policy!r}")

    def __call__(self, images: Tensor) -> Tensor:
        _check_channels(images)
        B, _, H, W = images.shape
        operations, probabilities, bins = _learned(self.policy, images.device)
        table = _strengths("usual", 10, (H, W), images.device)
        pair = torch.randint(len(operations), (B,), device=images.device)
        for turn in range(2):
            is_done = torch.rand(B, device=images.device) <= probabilities[pair, turn]
            chosen = torch.where(is_done, operations[pair, turn], NUMBER["Identity"])
            images = apply(images, chosen, _with_sign(chosen, table[chosen, bins[pair, turn]]))
        return images


@functools.cache
def _learned(policy: str, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs of a policy: operations, probabilities and strengths, each [25, 2]."""
    lines = [[part.split() for part in line.split("|")] for line in LEARNED[policy].strip().splitlines()]
    operations = torch.tensor([[NUMBER[name] for name, _, _ in pair] for pair in lines])
    probabilities = torch.tensor([[float(probability) for _, probability, _ in pair] for pair in lines])
    bins = torch.tensor([[int(strength) for _, _, strength in pair] for pair in lines])
    return operations.to(device), probabilities.to(device), bins.to(device)
