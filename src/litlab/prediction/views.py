"""`tta=`: a network sees several views of each image, and its outputs are averaged (test-time augmentation)."""

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.v2.functional import five_crop, resize

from litlab.checkpoint import Trained
from litlab.config import Run
from litlab.errors import ConfigError

CROPPED = 7 / 8  # the sides of the crops of `five_crop`, as a part of those of the image


def flip(images: Tensor) -> list[Tensor]:
    """The images and their mirror images, float32 [B, C, H, W] each."""
    return [images, images.flip(3)]


def flip_shift(images: Tensor) -> list[Tensor]:
    """Views of Jordan (2024, arXiv:2404.00498): as they are, twice, and moved by a pixel; mirrored."""
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    moved = [padded[:, :, :-2, :-2], padded[:, :, 2:, 2:]]
    return [view for seen in (images, images, *moved) for view in flip(seen)]


def five_crops(images: Tensor) -> list[Tensor]:
    """The four corners and the centre, as large as the images were."""
    sides = list(images.shape[2:])
    crops = five_crop(images, [max(1, round(CROPPED * side)) for side in sides])
    return [resize(crop, sides, antialias=True) for crop in crops]


VIEWS: dict[str, Callable[[Tensor], list[Tensor]]] = {"flip": flip, "flip_shift": flip_shift, "five_crop": five_crops}


class Views(nn.Module):
    """A network that returns the mean of its logits over several views of each image.

    Args:
        network: from images [B, C, H, W] to logits [B, num_classes].
        views: from images to several views of them, each of the same shape.
    """

    def __init__(self, network: nn.Module, views: Callable[[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.network, self.views = network, views

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes] of images float32 [B, C, H, W]."""
        return torch.stack([self.network(view).float() for view in self.views(images)]).mean(0)


def with_views(trained: Trained, run: Run) -> Trained:
    """The same network, which sees the views that `tta` asks for.

    Raises:
        ConfigError: if there are no such views, or they do not suit what is asked for.
    """
    name = str(run.get("tta") or "none").lower()
    if name == "none":
        return trained
    if name not in VIEWS:
        raise ConfigError(f"tta={name}: must be none, {', '.join(VIEWS)}")
    if run.get("export.format"):
        raise ConfigError(f"tta={name}: for input, evaluate and demo, not for export")
    if trained.task == "Regression":
        raise ConfigError(f"tta={name}: only for classes; the views would move the outputs of a regression")
    return dataclasses.replace(trained, network=Views(trained.network, VIEWS[name]).eval())
