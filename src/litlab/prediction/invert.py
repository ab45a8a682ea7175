"""`invert=auto`: gives a photograph the background of the training images."""

import math

import torch
from torch import Tensor

from litlab.errors import ConfigError

# In levels of grey, 0 to 255:
NEAR = 8  # a border this close to the background of the training images needs no change
FAINT = 32  # the least contrast of ink; what has less is the grain of an empty sheet, and stays faint
SPECKS = 0.005  # this part of the pixels may be darker or lighter than paper and ink: dust, or glare


def invert_setting(value: object) -> bool | str:
    """What `invert` means: True, False or "auto". The words "true" and "false" mean what they say.

    Raises:
        ConfigError: for anything else, also for 1 and None, which would count as False.
    """
    meant = {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
    if isinstance(meant, bool) or (isinstance(meant, str) and meant == "auto"):
        return meant
    raise ConfigError(f"invert={value}: must be auto, true or false")


def on_background(image: Tensor, background: int) -> tuple[Tensor, bool]:
    """Makes the paper of a photograph the background of the training images, and its ink the other end of the scale.

    The paper is the median of the border. The ink is the brightness that differs most from the paper. An image whose
    border already has the background is returned as it is.

    Args:
        image: uint8 [C, H, W].
        background: brightness, 0 to 255.

    Returns:
        The image, uint8 [C, H, W], and whether light and dark were swapped.
    """
    paper = torch.cat((image[:, [0, -1]].flatten(), image[:, :, [0, -1]].flatten())).median().item()
    if abs(paper - background) < NEAR:
        return image, False
    difference = image.flatten().float() - paper
    specks = int(SPECKS * len(difference))
    darkest, lightest = (difference.kthvalue(k).values.item() for k in (specks + 1, len(difference) - specks))
    ink = lightest if lightest > -darkest else darkest
    contrast = (0 if background > 127 else 255) - background
    scale = contrast / math.copysign(max(abs(ink), FAINT), ink)
    changed = (background + difference * scale).round().clamp(0, 255).to(torch.uint8).view_as(image)
    swapped = ink * contrast < 0 if ink else (paper > 127) != (background > 127)  # ink is 0 in a picture of one colour
    return changed, swapped
