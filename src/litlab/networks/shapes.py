"""Checks the shape of the images that a network is built for."""

from collections.abc import Sequence


def check_image_shape(input_shape: Sequence[int]) -> None:
    """Raises ValueError if `input_shape` is not (C, H, W)."""
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (C, H, W) of images, not {list(input_shape)}")


def count_patches(input_shape: Sequence[int], patch: int) -> int:
    """How many patches of `patch` x `patch` pixels an image (C, H, W) has.

    Raises:
        ValueError: the image is no image, or patches do not divide it.
    """
    check_image_shape(input_shape)
    _, height, width = input_shape
    if patch < 1 or height % patch or width % patch:
        raise ValueError(f"patch must divide the sides of the images, {height} x {width}, not be {patch}")
    return (height // patch) * (width // patch)
