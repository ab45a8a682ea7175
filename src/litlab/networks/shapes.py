"""Checks the shape of the images that a network is built for."""

from collections.abc import Sequence


def check_image_shape(input_shape: Sequence[int]) -> None:
    """Raises ValueError if `input_shape` is not (C, H, W)."""
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (C, H, W) of images, not {list(input_shape)}")
