"""Checks of single arguments. The message of each error begins with the argument's name."""

import os
from pathlib import Path
from typing import Any

from litlab.files import not_a_file


def whole_number(name: str, value: Any, least: int) -> int:
    """`value`, if it is a whole number of at least `least`.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def split_size(name: str, value: Any) -> float:
    """`value`, if it is the size of a split: a number of images, or a part of them.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or (value > 1 and value % 1):
        raise ValueError(f"{name} must be a number of images, or a fraction below 1, not {value!r}")
    return value


def images_in(split_size: float, size: int) -> int:
    """Number of images in a split: `split_size` itself, or that part of `size` if it is below 1."""
    return int(split_size) if split_size >= 1 or not split_size else max(1, round(split_size * size))


def boolean(name: str, value: Any) -> bool:
    """`value`, if it is true or false.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return value


def folder_path(name: str, value: Any) -> Path:
    """The path of the folder `value`, with `~` replaced by the home folder. The folder need not exist.

    Raises:
        ValueError: it is not a path.
    """
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f"{name} must be the path of a folder, not {value!r}")
    return Path(value).expanduser()


def file_path(name: str, value: Any) -> Path:
    """The path of the file `value`, with `~` replaced by the home folder.

    Raises:
        ValueError: it is not a path.
        FileNotFoundError: there is no such file.
    """
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f"{name} must be the path of a file, not {value!r}")
    path = Path(value).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{name} {path}: {not_a_file(path)}")
    return path


def check_listed_once(name: str, line: int, where: str, seen: dict[str, int]) -> None:
    """Refuses a picture that an earlier line of a list has named.

    Args:
        where: the beginning of the message.
        seen: the line of each picture before this one; this one is added.

    Raises:
        ValueError: naming the earlier line.
    """
    before = seen.setdefault(os.path.normpath(name), line)
    if before != line:
        raise ValueError(f"{where}: {name} is in line {before} already")


def text_of(name: str, path: Path) -> str:
    """The text of a file, with its ends of lines as they are. A byte order mark is left out.

    Raises:
        ValueError: it is not UTF-8, or cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name} {path}: must be text in UTF-8") from None
    except OSError as error:
        raise ValueError(f"{name} {path}: cannot be read: {error.strerror}") from None
