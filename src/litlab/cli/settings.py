"""The settings of a config file, each with its value and the words beside it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

LINE = re.compile(r"(?P<indent> *)(?P<key>[\w/]+):(?: (?P<value>[^#].*?))?(?: +# (?P<words>.*))?\s*$")
OWN = ("defaults", "hydra")  # keys of a file that are no settings of litlab
ACROSS = ("experiment", "debug")  # groups whose files change the settings of other groups


@dataclass(frozen=True)
class Setting:
    """A setting, or a mapping of settings.

    Args:
        key: with its group, such as `optimizer.lr`.
        value: as YAML; empty for a mapping.
        words: what the config file says beside it.
    """

    key: str
    value: str
    words: str


def assignment(key: str, value: str | None) -> str:
    """`key=value` as a shell takes it; `key=...` if the value is not known."""
    return f"{key}=..." if value is None else shlex.quote(f"{key}={value}")


def settings_of(file: Path, group: str = "") -> list[Setting]:
    """The settings of a config file, after those that it inherits from others of its group.

    Args:
        group: stands before each key; none for a file of whole settings, such as `train.yaml`.
    """
    found: dict[str, Setting] = {}
    for parent in _parents(file):
        found |= {setting.key: setting for setting in settings_of(parent, group)}
    for setting in _lines(file, group):
        words = setting.words or (found[setting.key].words if setting.key in found else "")
        found[setting.key] = replace(setting, words=words)
    return list(found.values())


def own_settings(file: Path, group: str) -> list[Setting]:
    """The settings that a config file itself has."""
    return list(_lines(file, group))


def parents(file: Path) -> list[str]:
    """The options of the same group from which a config file inherits."""
    return [parent.stem for parent in _parents(file)]


def described(file: Path) -> str:
    """The first comment of a config file that is not for Hydra (`# @package _global_`)."""
    return next(iter(header(file)), "")


def header(file: Path) -> list[str]:
    """The comments at the beginning of a config file, without those for Hydra."""
    found = []
    for line in file.read_text("utf-8", errors="replace").splitlines():  # an error is said where the file is used
        if not line.startswith("#"):
            break
        found += [] if line[1:].strip().startswith("@") else [line[1:].strip()]
    return found


def _parents(file: Path) -> list[Path]:
    defaults = (yaml.safe_load(file.read_text("utf-8")) or {}).get("defaults", [])
    names = [entry for entry in defaults if isinstance(entry, str) and entry != "_self_"]
    return [file.with_name(f"{name}.yaml") for name in names]


def _lines(file: Path, group: str) -> Iterator[Setting]:
    """The settings that stand in a file, in order."""
    content = yaml.safe_load(file.read_text("utf-8")) or {}
    path: list[str] = []
    above = ""  # the words of the line before
    for line in file.read_text("utf-8").splitlines():
        if not (match := LINE.match(line)):
            continue
        path = [*path[: len(match["indent"]) // 2], match["key"]]
        if path[0] in OWN or path[-1].startswith("_"):
            continue
        value = _value(content, path)
        words = match["words"] or (above if path[-1] == "enabled" else "")  # those of the part that it switches
        above = match["words"] or ""
        yield Setting(".".join([group, *path] if group else path), value, words)


def _value(content: Any, path: list[str]) -> str:
    """A value as one would type it; empty for a mapping with settings of its own."""
    for part in path:
        content = content[part]
    if isinstance(content, dict) and content:
        return ""
    return yaml.safe_dump(content, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
