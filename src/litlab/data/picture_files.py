"""Any picture file as the uint8 tensor that a network was trained on.

Files come from anywhere: what cannot be read is an `Unreadable` with a reason in one line, never anything else.
"""

import os
import stat
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError
from torch import Tensor

from litlab.errors import one_line

MOST_PIXELS = 2**27  # 134 million: above it a small file is more likely a decompression bomb than a photograph
MOST_BYTES = 2**30

UPRIGHT = {  # what turns a picture so, by how EXIF says that it is stored
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(Exception):
    """A file that is not a picture, or a damaged one. The message is the reason, without the file's name."""


def formats() -> list[str]:
    """The formats that are read: all of Pillow's, but for EPS, which it hands to Ghostscript to execute."""
    Image.init()
    return sorted(set(Image.OPEN) - {"EPS"})


def suffixes() -> set[str]:
    """The endings of file names that say picture, such as `.png`."""
    readable = set(formats())
    return {suffix for suffix, name in Image.registered_extensions().items() if name in readable}


def open_picture(path: str | Path) -> Image.Image:
    """The first frame of a file, upright, in 8 bits: mode `L` if it is grey, else `RGB`; transparency over white.

    Raises:
        Unreadable: for whatever reason it cannot be read.
    """
    with warnings.catch_warnings(action="ignore"):  # of damaged EXIF, say: the picture itself is what counts
        return _read(path)


def why_unreadable(path: str | Path) -> str | None:
    """What `open_picture` would raise of this file; None if it can be read.

    It can be called by several threads, and leaves it to them to ignore warnings: the filter is of the whole process.
    """
    try:
        _read(path, small=True)
    except Unreadable as error:
        return str(error)
    return None


def picture_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a readable picture that stands upright, from its header."""
    with Image.open(path, formats=formats()) as image:
        swapped = _orientation(image) in (5, 6, 7, 8) and image.format != "TIFF"  # which Pillow turns by itself
        return (image.height, image.width) if swapped else image.size


def fit(
    image: Image.Image,
    shape: tuple[int, int, int],
    preprocess: Mapping[str, Any] | None = None,
    random_crop: bool = False,
) -> Tensor:
    """A picture as uint8 [C, H, W] of `shape`: what evaluation and prediction, and training by default, see of it.

    Its shorter side is resized to fit and the rest cropped in the centre. Only what is kept is ever resized, so that a
    picture one pixel wide does not become a huge one.

    Args:
        image: `L` or `RGB`.
        shape: (C, H, W); one channel is grey.
        preprocess: `resize`, to how many pixels the shorter side is resized, if not to fit; `center_crop=False`
            squeezes the picture instead, and cuts nothing off.
        random_crop: cut as much anywhere, on whole pixels of the result; from a squeezed picture, `resize` pixels on
            its shorter side.

    Raises:
        ValueError: if C is neither 1 nor 3.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels; the network was trained on {channels}")
    image = image.convert("L" if channels == 1 else "RGB")
    policy = {"resize": 0, "center_crop": True} | dict(preprocess or {})
    kept: tuple[float, float] = image.size
    if policy["center_crop"]:
        scale = min(image.width / width, image.height / height)  # pixels of the picture in one of the result
        if policy["resize"]:
            scale = min(scale, min(image.size) / policy["resize"])
        kept = scale * width, scale * height
    elif random_crop and policy["resize"]:
        part = min(height, width) / policy["resize"]
        kept = part * image.width, part * image.height
    left, top = (
        _start(whole, length, count, random_crop)
        for whole, length, count in zip(image.size, kept, (width, height), strict=True)
    )
    # Not left + kept: as far from that side, to the last bit, as a centred part is from the other.
    right, bottom = image.width - (image.width - kept[0] - left), image.height - (image.height - kept[1] - top)
    box = max(0.0, left), max(0.0, top), min(image.width, right), min(image.height, bottom)
    if image.size != (width, height) or box != (0, 0, width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    values = np.array(image, dtype=np.uint8).reshape(height, width, channels)
    return torch.from_numpy(values).permute(2, 0, 1).contiguous()


def _start(whole: int, kept: float, count: int, random: bool) -> float:
    """Where the kept part of a side, which becomes `count` pixels, begins: in its middle or after some such pixels."""
    free = whole - kept
    if not random:
        return free / 2
    pixel = kept / count
    return pixel * int(torch.randint(int(free / pixel + 1e-6) + 1, ()))


def _read(path: str | Path, small: bool = False) -> Image.Image:
    """See `open_picture`; a JPEG that may be `small` is decoded at an eighth of its size, which is fast."""
    try:
        _check_file(Path(path))
        with Image.open(path, formats=formats()) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise Unreadable(f"{width:,} x {height:,} pixels are too many: a decompression bomb?")
            if small:
                image.draft("L", (1, 1))
            image.load()
            turn = UPRIGHT.get(_orientation(image))
            return _flat(image.transpose(turn) if turn is not None else image)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("not a picture in a format that Pillow reads") from None
    except Image.DecompressionBombError:
        raise Unreadable("too many pixels: a decompression bomb?") from None
    except MemoryError:
        raise Unreadable("needs more memory than there is") from None
    except Exception as error:  # a decoder meets a damaged file with almost any error
        raise Unreadable(f"damaged: {one_line(error)}") from None


def _orientation(image: Image.Image) -> Any:
    """How a picture is stored, by its EXIF, of which nothing else is looked at: phones write many a tag wrongly."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # of almost any kind: without readable EXIF, a picture is shown as it is stored
        return None


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise Unreadable("a broken link" if path.is_symlink() else "not there") from None
    except PermissionError:
        raise Unreadable("no permission to read it") from None
    except OSError as error:  # a loop of links, a name that is too long
        raise Unreadable(error.strerror or str(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise Unreadable("a folder, not a file")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
        raise Unreadable("a device or a pipe, not a file")
    if not os.access(path, os.R_OK):
        raise Unreadable("no permission to read it")
    if status.st_size == 0:
        raise Unreadable("empty")
    if status.st_size > MOST_BYTES:
        raise Unreadable(f"{status.st_size / 2**30:,.1f} GiB are too many for a picture")


def _flat(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image)
    if image.mode == "LAB":
        image = _from_lab(image)
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, colours).convert("L" if image.mode in ("LA", "La") else "RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, or of floating point from 0 to 1 (or to 255, if some value is above 1)."""
    values: np.ndarray = np.asarray(image).astype(np.float32)
    if image.mode == "F":
        values = np.nan_to_num(values)
        scaled = values * 255 if values.max() <= 1 else values
    else:
        scaled = values / 257
    return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))


def _from_lab(image: Image.Image) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None
    return converted
