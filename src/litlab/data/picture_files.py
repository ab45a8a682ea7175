"""Picture files in any format that Pillow reads.

Files may come from anywhere. A file that cannot be read raises `Unreadable` with its reason, and no other error.
"""

import os
import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from litlab.errors import one_line

MOST_PIXELS = 2**27  # 134 million: a file with more is probably a decompression bomb and not a photograph
MOST_BYTES = 2**30

# Folders that operating systems, archives and network storage make among a user's own.
SYSTEM_FOLDERS = frozenset(
    {
        *("__macosx", "@eadir", "#recycle", "@recycle", "@recently-snapshot", "#snapshot", "@tmp"),
        *("$recycle.bin", "recycler", "system volume information", "found.000", "lost+found"),
    }
)

UPRIGHT = {  # EXIF's orientation, and the operation that turns such a picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(Exception):
    """A file that is not a picture, or is damaged. The message is the reason, without the file's name."""


def is_of_system(name: str) -> bool:
    """Whether a folder or a file of this name is hidden, or no user's own, such as `@eaDir` and `lost+found`."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def formats() -> list[str]:
    """The formats that are read: all of Pillow's except EPS, a program that Pillow would let Ghostscript run."""
    Image.init()
    return sorted(set(Image.OPEN) - {"EPS"})


def suffixes() -> set[str]:
    """The endings of the names of picture files, such as `.png`."""
    readable = set(formats())
    return {suffix for suffix, name in Image.registered_extensions().items() if name in readable}


def open_picture(path: str | Path) -> Image.Image:
    """The first frame of a file, upright, with 8 bits per channel.

    The mode is `L` if the picture is grey, else `RGB`. Transparent parts become white.

    Raises:
        Unreadable: it cannot be read; the message is the reason.
    """
    with warnings.catch_warnings(action="ignore"):  # about damaged EXIF, for example, which does not matter
        return _read(path)


def why_unreadable(path: str | Path) -> str | None:
    """The reason why `open_picture` would refuse a file; None if it can be read.

    Several threads may call it. It does not ignore warnings itself, because the filter belongs to the whole process.
    """
    try:
        _read(path, small=True)
    except Unreadable as error:
        return str(error)
    return None


def picture_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a readable picture when it is upright, in pixels. Only the header is read."""
    with Image.open(path, formats=formats()) as image:
        swapped = _orientation(image) in (5, 6, 7, 8) and image.format != "TIFF"  # Pillow itself turns TIFFs
        return (image.height, image.width) if swapped else image.size


def _read(path: str | Path, small: bool = False) -> Image.Image:
    """See `open_picture`. With `small`, a JPEG is decoded at an eighth of its size, which is fast."""
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
            return _to_grey_or_rgb(image.transpose(turn) if turn is not None else image)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("not a picture in a format that Pillow reads") from None
    except Image.DecompressionBombError:
        raise Unreadable("too many pixels: a decompression bomb?") from None
    except MemoryError:
        raise Unreadable("needs more memory than there is") from None
    except Exception as error:  # a damaged file can cause almost any error in a decoder
        raise Unreadable(f"damaged: {one_line(error)}") from None


def _orientation(image: Image.Image) -> Any:
    """EXIF's orientation of a picture, if there is one. Other tags are not read: many phones write them wrongly."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF can cause almost any error; the picture is then shown as it is stored
        return None


def _check_file(path: Path) -> None:
    """Raises `Unreadable` for anything that is not a regular file of a sane size."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise Unreadable("a broken link" if path.is_symlink() else "not there") from None
    except PermissionError:
        raise Unreadable("no permission to read it") from None
    except OSError as error:  # such as a loop of links, or a name that is too long
        raise Unreadable(error.strerror or str(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise Unreadable("a folder, not a file")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait forever
        raise Unreadable("a device or a pipe, not a file")
    if not os.access(path, os.R_OK):
        raise Unreadable("no permission to read it")
    if status.st_size == 0:
        raise Unreadable("empty")
    if status.st_size > MOST_BYTES:
        raise Unreadable(f"{status.st_size / 2**30:,.1f} GiB are too many for a picture")


def _to_grey_or_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode as `L` or `RGB`."""
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
    """A grey picture of 16 bits or of floats as `L`. Floats are from 0 to 1, or to 255 if a value is above 1."""
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
