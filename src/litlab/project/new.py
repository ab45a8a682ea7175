"""`litlab new mylab`: a small project that runs at once."""

import keyword
import re
import shutil
import sys
import tempfile
import unicodedata
from importlib.util import find_spec
from pathlib import Path

from litlab.errors import ConfigError

TEMPLATE, SUFFIX, NAME = Path(__file__).parent / "template", ".template", "mylab"


def make_project(folder: Path) -> list[Path]:
    """Writes the files of a new project. Its package has the name of the folder.

    Args:
        folder: must not exist, or be empty.

    Returns:
        The files, relative to the folder.

    Raises:
        ConfigError: if the name cannot be that of a package, or the files cannot be written. Nothing is left then.
    """
    _check_name(folder.absolute().name)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder}: is there already; give a new folder, or an empty one")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new_") as scratch:
            whole = Path(scratch) / folder.name
            written = _write(whole, folder.absolute().name)
            whole.rename(folder)  # at once: never half of a project
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from error
    return written


def _is_package_name(name: str) -> bool:
    return name.isidentifier() and name.isascii() and not keyword.iskeyword(name)


def _check_name(name: str) -> None:
    if not _is_package_name(name):
        english = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()  # ü becomes u
        possible = re.sub(r"\W", "_", english)
        possible = possible if _is_package_name(possible) else f"my_{possible}"
        why = "write the letters a to z, digits and _ only"
        if keyword.iskeyword(name):
            why = "it is a word of Python; take another"
        elif name[0].isdecimal():
            why = "it must begin with a letter"
        raise ConfigError(f"{name}: cannot be the name of a Python package: {why}, such as {possible}")
    if name in sys.stdlib_module_names or name in ("conf", "tests", "runs", "data") or find_spec(name):
        raise ConfigError(f"{name}: there is a package or a folder of that name already; choose another name")


def _write(folder: Path, name: str) -> list[Path]:
    written = []
    for source in sorted(path for path in TEMPLATE.rglob(f"*{SUFFIX}") if path.is_file()):
        relative = Path(str(source.relative_to(TEMPLATE)).removesuffix(SUFFIX).replace(NAME, name))
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text(encoding="utf-8").replace(NAME, name), encoding="utf-8")
        shutil.copymode(source, target)
        written.append(relative)
    return written
