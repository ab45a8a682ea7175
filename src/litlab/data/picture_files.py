"""Picture files in any format that Pillow reads.

Files may come from anywhere. A file that cannot be read raises `Unreadable` with its reason, and no other error.
"""

import os
import stat
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from litlab.data import jpeg
from litlab.errors import one_line

Needed = Callable[[int, int], float]

MOST_PIXELS = 2**27  # 134 million: a file with more is probably a decompression bomb and not a photograph
TOO_MANY = f"more than {MOST_PIXELS / 1e6:.0f} million pixels; make it smaller"
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

EPS = (b"%!PS", b"\xc5\xd0\xd3\xc6")  # how such a file begins: as text, or with a preview

# Where Pillow looks for the orientation, in the `info` of a picture.
EXIF = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})


class Unreadable(Exception):
    """A file that is not a picture, or is damaged. The message is the reason, without the file's name."""


def is_of_system(name: str) -> bool:
    """Whether a folder or a file of this name is hidden, or no user's own, such as `@eaDir` and `lost+found`."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


@cache
def formats() -> tuple[str, ...]:
    """The formats that are read: all of Pillow's except EPS, a program that Pillow would let Ghostscript run.

    The frequent ones come first, because Pillow tries them in this order.
    """
    Image.init()
    return tuple(sorted(set(Image.OPEN) - {"EPS"}, key=lambda name: (name not in ("JPEG", "PNG"), name)))


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
    return as_image(read_picture(path)[0])


def as_image(picture: Image.Image | np.ndarray) -> Image.Image:
    """A picture as Pillow's image: `L` or `RGB` of uint8 [H, W, C]."""
    if isinstance(picture, Image.Image):
        return picture
    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)


def as_opened(picture: Image.Image) -> Image.Image:
    """What `open_picture` would make of a file with this picture.

    Raises:
        Unreadable: its file is damaged, which Pillow finds when it reads the pixels.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            return _upright(picture)[0]
    except Exception as error:  # a damaged file can cause almost any error in a decoder
        raise Unreadable(f"damaged: {one_line(error)}") from None


def read_picture(path: str | Path, needed: Needed | None = None) -> tuple[Image.Image | np.ndarray, tuple[int, int]]:
    """Like `open_picture`, but a JPEG comes as uint8 [H, W, C] where simplejpeg is installed.

    Returns:
        The picture, and its width and height in the file, when it is upright.

    Args:
        path: the file.
        needed: from width and height of the picture to the size that is needed, as a part of it. A JPEG may then be
            decoded at a half, a quarter or an eighth of its size, which is faster and almost the same.

    Raises:
        Unreadable: it cannot be read; the message is the reason.
    """
    with _opened(path) as file:
        if jpeg.available() and (read := _read_jpeg(file, needed)) is not None:
            return read
        with warnings.catch_warnings(action="ignore"):  # about damaged EXIF, for example, which does not matter
            return _read(file, needed)


def why_unreadable(path: str | Path) -> str | None:
    """The reason why `open_picture` would refuse a file; None if it can be read. See `look_at`."""
    try:
        look_at(path)
    except Unreadable as error:
        return str(error)
    return None


def look_at(path: str | Path) -> tuple[int, int]:
    """Reads a whole picture, and returns its width and height when it is upright, in pixels.

    Several threads may call it. It does not ignore warnings itself, because the filter belongs to the whole process.

    Raises:
        Unreadable: `open_picture` would refuse it.
    """
    with _opened(path) as file:
        return _read(file, lambda width, height: 0.0)[1]  # a JPEG is decoded at an eighth of its size, which is fast


def picture_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a readable picture when it is upright, in pixels. Only the header is read."""
    with Image.open(path, formats=formats()) as image:
        return _upright_size(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    swapped = _orientation(image) in (5, 6, 7, 8) and image.format != "TIFF"  # Pillow itself turns TIFFs
    return (image.height, image.width) if swapped else image.size


def _read_jpeg(file: BinaryIO, needed: Needed | None) -> tuple[np.ndarray, tuple[int, int]] | None:
    """See `read_picture`; None if Pillow must read the file, or say what is wrong with it."""
    try:
        if (start := file.read(2)) != jpeg.START:
            return None
        data = start + file.read()
    except OSError:
        return None
    header = jpeg.read_header(data)
    if header is None or header.width * header.height > MOST_PIXELS:
        return None
    swapped = header.orientation in (5, 6, 7, 8)
    size = (header.height, header.width) if swapped else (header.width, header.height)
    pixels = jpeg.decode(data, header, jpeg.largest_scale(needed(*size)) if needed else 1)
    return None if pixels is None else (jpeg.turned_upright(pixels, header.orientation), size)


def _read(file: BinaryIO, needed: Needed | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """See `read_picture`; by Pillow."""
    try:
        with Image.open(file, formats=formats()) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise Unreadable(f"{width:,} x {height:,}: {TOO_MANY}")
            if needed and image.format in ("JPEG", "MPO"):
                scale = jpeg.largest_scale(needed(*_upright_size(image)))
                image.draft(None, (max(1, width // scale), max(1, height // scale)))
            upright, orientation = _upright(image)
            turned = orientation in (5, 6, 7, 8) and image.format != "TIFF"  # Pillow itself turns TIFFs
            return upright, (height, width) if turned else (width, height)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        file.seek(0)
        if file.read(4) in EPS:
            raise Unreadable("an EPS file, a program that is not executed; save it as PNG") from None
        raise Unreadable("not a picture in a format that Pillow reads") from None
    except Image.DecompressionBombError:
        raise Unreadable(TOO_MANY) from None
    except MemoryError:
        raise Unreadable("needs more memory than there is") from None
    except Exception as error:  # a damaged file can cause almost any error in a decoder
        raise Unreadable(f"damaged: {one_line(error)}") from None


def _upright(image: Image.Image) -> tuple[Image.Image, Any]:
    """A picture upright, as `L` or `RGB`, and EXIF's orientation of it."""
    image.load()
    orientation = _orientation(image, loaded=True)  # before `load`, it would hide the errors of a PNG's pixels
    if (turn := UPRIGHT.get(orientation)) is not None:
        image = image.transpose(turn)
    return _to_grey_or_rgb(image), orientation


def _orientation(image: Image.Image, loaded: bool = False) -> Any:
    """EXIF's orientation of a picture, if there is one. Other tags are not read: many phones write them wrongly.

    Args:
        image: an opened file.
        loaded: whether its pixels were read. The tags of a PNG may stand behind them.
    """
    is_complete = image.format == "JPEG" or (loaded and image.format == "PNG")
    if is_complete and EXIF.isdisjoint(image.info):  # the usual case, found without `getexif`
        return None
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF can cause almost any error; the picture is then shown as it is stored
        return None


def _opened(path: str | Path) -> BinaryIO:
    """A regular file of a sane size, opened. Raises `Unreadable` for anything else."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a Path for each picture would take longer)
        if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MOST_BYTES:
            return open(path, "rb")  # noqa: PTH123
    except FileNotFoundError:
        raise Unreadable("a broken link" if Path(path).is_symlink() else "not there") from None
    except PermissionError:
        raise Unreadable("no permission to read it") from None
    except (OSError, ValueError) as error:  # such as a loop of links, or a name that is too long
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise Unreadable("a folder, not a file")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait forever
        raise Unreadable("a device or a pipe, not a file")
    if status.st_size == 0:
        raise Unreadable("empty")
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
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)  # `convert` would make a copy


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
