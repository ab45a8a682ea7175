"""The command line, before Hydra reads it."""

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import HydraException

from litlab.config import suggest


def literal(argument: str, paths: Sequence[str]) -> str:
    """`input=photo (1).png` with its value quoted for Hydra, unless it is quoted or a list already."""
    key, _, value = argument.partition("=")
    written_for_hydra = value in ("", "null") or re.fullmatch(r"\[.*\]|'.*'|\".*\"", value)
    if key not in paths or (written_for_hydra and not (value and Path(value).exists())):
        return argument
    value = value.replace("${", "\\${")  # no interpolation either
    quoted = re.sub(r"(\\*)(')", r"\1\1\\\2", value)
    ending = len(quoted) - len(quoted.rstrip("\\"))
    return f"{key}='{quoted}{quoted[len(quoted) - ending :]}'"


def is_multirun(arguments: Sequence[str]) -> bool:
    return not {"-m", "--multirun", "hydra.mode=MULTIRUN"}.isdisjoint(arguments)


def refuse_null(arguments: Sequence[str], conf: Path) -> None:
    """Refuses `GROUP=null`, of which Hydra says neither what it is nor what there is.

    Raises:
        HydraException: naming the options.
    """
    for argument in arguments:
        group, _, option = argument.partition("=")
        if option == "null" and (known := [file.stem for file in (conf / group).glob("*.yaml")]):
            raise HydraException(f"{argument}: no such option; {suggest(option, known)}")
