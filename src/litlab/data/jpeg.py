"""JPEG files, decoded by simplejpeg where it is installed (`pip install 'litlab[jpeg]'`).

It gives the pixels that Pillow gives, bit for bit, because both use libjpeg-turbo. It takes two thirds of the time, and
a fifth for small files. Whatever is unusual about a file is left to Pillow: CMYK, 12 bits, damage, orientation in XMP.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

START = b"\xff\xd8"  # the first bytes of each JPEG
PLAIN_FRAMES = (0xC0, 0xC1, 0xC2)  # markers of baseline, extended and progressive frames
NO_LENGTH = (0x01, *range(0xD0, 0xD9))  # markers without a segment
OTHER_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
SCAN, END, APP1 = 0xDA, 0xD9, 0xE1
SCALES = (8, 4, 2)  # of libjpeg: a half, a quarter or an eighth of the size costs less than the whole


@dataclass(frozen=True)
class Header:
    """What the header of a JPEG says: pixels as stored, the number of channels, and EXIF's orientation."""

    width: int
    height: int
    channels: int
    orientation: Any


def available() -> bool:
    """Whether JPEGs are decoded here, and not by Pillow."""
    return simplejpeg is not None


def version() -> str | None:
    """The version of simplejpeg; None if Pillow decodes JPEGs here."""
    return None if simplejpeg is None else str(getattr(simplejpeg, "__version__", "unknown"))


def read_header(data: bytes) -> Header | None:
    """The header of a JPEG file; None if Pillow must read it."""
    if data[:2] != START:
        return None
    place, exif = 2, b""
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        length = int.from_bytes(data[place + 2 : place + 4])
        if marker in NO_LENGTH or marker in (SCAN, END, *OTHER_FRAMES) or length < 2:
            return None
        if marker == APP1:
            segment = data[place + 4 : place + 2 + length]
            if not segment.startswith(b"Exif\0\0"):
                if b"Orientation" in segment:
                    return None
            elif exif:  # in several parts
                return None
            else:
                exif = segment
        if marker in PLAIN_FRAMES:
            bits, height, width, channels = data[place + 4], data[place + 5 : place + 7], data[place + 7 : place + 9], 0
            channels = data[place + 9] if place + 9 < len(data) else 0
            if bits != 8 or channels not in (1, 3):
                return None
            return Header(int.from_bytes(width), int.from_bytes(height), channels, orientation_in(exif))
        place += 2 + length
    return None


def orientation_in(exif: bytes) -> Any:
    """EXIF's orientation in the segment of a JPEG; None if there is none, or it is damaged."""
    if not exif:
        return None
    try:
        tags = Image.Exif()
        tags.load(exif)
        return tags.get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF can cause almost any error; the picture is then shown as it is stored
        return None


def decode(data: bytes, header: Header, scale: int = 1) -> np.ndarray | None:
    """The pixels as stored, uint8 [H, W, C]; None if Pillow must read them.

    Args:
        data: the whole file.
        header: what `read_header` has found.
        scale: 1, or one of `SCALES`: both sides are divided by it.
    """
    size = {"min_height": -(-header.height // scale), "min_width": -(-header.width // scale)} if scale > 1 else {}
    try:
        return simplejpeg.decode_jpeg(data, "GRAY" if header.channels == 1 else "RGB", **size)
    except (ValueError, RuntimeError):  # damaged, or of a rare kind: Pillow says what it is
        return None


def turned_upright(pixels: np.ndarray, orientation: Any) -> np.ndarray:
    """Pixels [H, W, C] turned upright, as EXIF's orientation says."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def largest_scale(part: float) -> int:
    """The largest scale at which a picture is still large enough.

    Args:
        part: the size that is needed, as a part of the size in the file.
    """
    return next((scale for scale in SCALES if part <= 1 / scale), 1)
