"""The pictures that a user gives to a network in a notebook."""

import reprlib
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np
from PIL import Image

from litlab.errors import ConfigError

ONE = (str, PathLike, Image.Image, np.ndarray)
TAKEN = (
    "give a path, a picture of Pillow, an array uint8 [H, W] or [H, W, C], a list of these, or a tensor uint8 "
    "[B, C, H, W]"
)


def pictures_of(inputs: Any) -> list[str | Image.Image]:
    """The paths and the pictures in one input, or in a list of them.

    Raises:
        ConfigError: for anything else.
    """
    is_list = isinstance(inputs, Iterable) and not isinstance(inputs, Mapping | bytes | bytearray)
    if not isinstance(inputs, ONE) and not is_list:
        raise ConfigError(f"{_described(inputs)} is no picture: {TAKEN}")
    return [_picture(one) for one in ([inputs] if isinstance(inputs, ONE) else inputs)]


def _picture(one: Any) -> str | Image.Image:
    if isinstance(one, Image.Image):
        return one
    if isinstance(one, np.ndarray) and one.dtype == np.uint8 and one.size:
        pixels = one[:, :, 0] if one.ndim == 3 and one.shape[2] == 1 else one
        if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (2, 3, 4)):  # 2: grey with transparency
            return Image.fromarray(np.ascontiguousarray(pixels))
    if not isinstance(one, str | PathLike) or isinstance(path := fspath(one), bytes):
        raise ConfigError(f"{_described(one)} is no picture: {TAKEN}")
    if not path.strip():
        raise ConfigError("the path of the picture is empty")
    return path


def _described(value: Any) -> str:
    """`an array float32 [28, 28]`: a value in a few words."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"{'an array' if isinstance(value, np.ndarray) else 'a tensor'} {dtype} {list(value.shape)}"
    return reprlib.repr(value)
