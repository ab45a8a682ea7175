"""Says which line to write in place of a wrong one in the list of defaults of a user's config file."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from litlab.cli.keys import Keys
from litlab.cli.settings import ACROSS
from litlab.files import shown

FIRST_LINE = "# @package _global_"
# What Hydra says if an option cannot be chosen in the way that a file asks for. The second names the file.
REFUSED = (r"Multiple values for \S+\. To override", r"^In '([\w./-]+)': Could not (?:find|load|override) ")


def wrong_defaults(text: str, keys: Keys, folders: Sequence[Path]) -> str | None:
    """What to write in a file that chooses options in a way that Hydra does not take; None if there is no such file.

    Args:
        text: what Hydra says.
        keys: of the script, with the command line.
        folders: of the user's configs.
    """
    if not any(re.search(pattern, text) for pattern in REFUSED):
        return None
    names = [found[1]] if (found := re.search(REFUSED[1], text)) else []
    typed = [argument.lstrip("+").partition("=") for argument in keys.arguments]
    names += [f"{group}/{option}" for group, _, option in typed if group in keys.groups]
    files = [file for name in names for folder in folders if (file := folder / f"{name}.yaml").is_file()]
    return next(
        (f"{shown(file)}: {said}" for file in files if (said := "; ".join(_mistakes(file, keys, folders)))), None
    )


def _mistakes(file: Path, keys: Keys, folders: Sequence[Path]) -> Iterator[str]:
    """What is wrong in a file, each with the line to write."""
    group = file.parent.name
    if group in ACROSS and not re.search(r"^#\s*@package\s+_global_", file.read_text("utf-8"), re.MULTILINE):
        yield f"its first line must be `{FIRST_LINE}`"
    content: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    for entry in content.get("defaults", []) if isinstance(content, dict) else []:
        written, right = _line(entry), _right(entry, group, keys, folders)
        if right and right != written:
            yield f"in place of `{written}` write `{right}`"


def _line(entry: Any) -> str:
    """An entry as a line of the file."""
    return f"- {entry}" if isinstance(entry, str) else "- " + ", ".join(f"{key}: {it}" for key, it in entry.items())


def _right(entry: Any, group: str, keys: Keys, folders: Sequence[Path]) -> str | None:
    """The line that chooses what an entry means; None if that is not known."""
    if isinstance(entry, str):
        words = entry.removeprefix("override ").strip().lstrip("/").replace(":", " ").replace("/", " ").split()
        if len(words) == 1 and not _is_option(group, words[0], keys, folders):
            words = [next((name for name in keys.groups if _is_option(name, words[0], keys, folders)), ""), words[0]]
        name, option = words if len(words) == 2 else ("", "")
    else:
        key, option = next(iter(entry.items()))
        name = str(key).split()[-1].lstrip("/")
    if name not in keys.groups or not isinstance(option, str):
        return None
    if group in ACROSS:
        return f"- override /{name}: {option}"
    return f"- {option}" if name == group else None


def _is_option(group: str, option: str, keys: Keys, folders: Sequence[Path]) -> bool:
    return any((folder / group / f"{option}.yaml").is_file() for folder in (*folders, keys.conf))
