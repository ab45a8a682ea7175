"""`invert=auto`: a photograph on the background that the training images have."""

import math

import torch
from torch import Tensor

# Of 256 levels of grey:
NEAR = 8  # that a border may differ from the training images' background
FAINT = 32  # of contrast that ink has at least: less is the grain of an empty sheet, and stays faint
SPECKS = 0.005  # of the pixels that may be darker, or lighter, than paper and ink: dust, or glare


def on_background(image: Tensor, background: int) -> tuple[Tensor, bool]:
    """A photo as an image of the training: the paper becomes the `background`, the ink white on dark, black on light.

    The paper is what the border is, the ink what is furthest from it, whichever is lighter. An image whose border is
    the background already stays as it is.

    Args:
        image: uint8 [C, H, W].
        background: brightness, 0 to 255.

    Returns:
        The image, uint8 [C, H, W], and whether light and dark have changed places.
    """
    paper = torch.cat((image[:, [0, -1]].flatten(), image[:, :, [0, -1]].flatten())).median().item()
    if abs(paper - background) < NEAR:
        return image, False
    away = image.flatten().float() - paper
    few = int(SPECKS * len(away))
    darkest, lightest = (away.kthvalue(k).values.item() for k in (few + 1, len(away) - few))
    ink = lightest if lightest > -darkest else darkest
    contrast = (0 if background > 127 else 255) - background
    scale = contrast / math.copysign(max(abs(ink), FAINT), ink)
    onto = (background + away * scale).round().clamp(0, 255).to(torch.uint8).view_as(image)
    return onto, ink * contrast < 0
