"""Refuses an experiment whose settings stand in the wrong column. YAML takes it, and means something else."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import HydraException

from litlab.cli.defaults import FIRST_LINE
from litlab.cli.keys import Keys
from litlab.cli.settings import ACROSS
from litlab.files import shown


def refuse_recipes(arguments: Sequence[str], keys: Keys, folders: Sequence[Path]) -> None:
    """Refuses experiments (and options of `debug`) that are empty, or have settings without their group.

    Args:
        arguments: the command line.
        keys: of the script.
        folders: of configs, in the order in which Hydra looks into them.

    Raises:
        HydraException: naming the file, the line, and what to write.
    """
    for group, _, options in (argument.lstrip("+").partition("=") for argument in arguments):
        for option in re.findall(r"[\w./-]+", options) if group in ACROSS else ():
            file = next((file for conf in folders if (file := conf / group / f"{option}.yaml").is_file()), None)
            if file and (said := next(_mistakes(file, keys), None)):
                raise HydraException(f"{shown(file)}{said}")


def _mistakes(file: Path, keys: Keys) -> Iterator[str]:
    try:
        text = file.read_text("utf-8")
        content: Any = yaml.safe_load(text)
    except (UnicodeDecodeError, yaml.YAMLError):  # Hydra's error, which says more, is explained when it comes
        return
    if content is None:
        yield f" is empty: begin it with `{FIRST_LINE}`, and write settings below, such as `trainer: {{max_epochs: 3}}`"
    lines = text.splitlines()
    for key, value in content.items() if isinstance(content, dict) else ():
        place = next((n for n, line in enumerate(lines) if re.match(rf"{re.escape(str(key))}\s*:", line)), None)
        if place is None:
            continue
        group, _, rest = str(key).partition(".")
        known = group in (*keys.groups, "checkpoint")
        if rest and known:
            yield f", line {place + 1}: write `{group}:`, and in the next line, after two spaces, `{rest}: {value}`"
        if value is None and known and re.match(r"[\w.]+\s*:\s*(#.*)?$", lines[place]):
            yield f", line {place + 1}: {key} has no settings: the lines that belong to it begin with two spaces"
        below = lines[place + 1].strip() if place + 1 < len(lines) else ""
        if known and isinstance(value, str) and value.startswith(below) and re.match(r"\w+\s+\S", below):
            name, told = below.split(None, 1)
            yield f", line {place + 2}: write a colon after the name: `{name}: {told}`"
