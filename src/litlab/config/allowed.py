"""The values that each setting may have, in words, for `--help` and the reference of all settings."""

from pathlib import Path

import yaml

from litlab.config.check import BELOW_HIGHEST, BOUNDS, FILLED_FROM_DATA, MAY_BE_AUTO, MAY_BE_NULL, TYPES, own_keys
from litlab.config.hints import describe, signature
from litlab.config.targets import find

# Settings that are compared with these words, and not with a type.
CHECKED_BY_WORD = {"on_nan": "one of stop, rewind", "objective_mode": "one of min, max or null"}


def allowed_values(file: Path | None) -> dict[str, str]:
    """What the settings may be, by their keys, such as `a number, greater than 0`.

    Args:
        file: of an option of a group, such as `conf/optimizer/adam.yaml`. The arguments of what it builds say what its
            settings may be. None: only the settings that belong to no group.
    """
    found = CHECKED_BY_WORD | {key: describe(hint) for key, hint in TYPES.items()}
    if file is not None:
        found |= {f"{file.parent.name}.{key}": words for key, words in _of_target(file).items()}
    for key, (low, high, is_open) in BOUNDS.items():
        if key in found:
            least, bound = "greater than" if is_open else "at least", "less than" if key in BELOW_HIGHEST else "at most"
            most = f", {bound} {high:g}" * (high < 2**20)
            found[key] += f", {least} {low:g}{most}"
    return found


def _of_target(file: Path) -> dict[str, str]:
    """What the arguments of the class may be that an option of a group builds."""
    target = _target(file)
    if target is None:
        return {}
    _, hints, _ = signature(find(target))
    hints |= own_keys(file.parent.name, {"_target_": target})
    hints = {key: hint for key, hint in hints.items() if key not in FILLED_FROM_DATA and key != "return"}
    or_else = dict.fromkeys(hints, "")
    for word, keys in (("auto", MAY_BE_AUTO), ("null", MAY_BE_NULL)):
        or_else |= {key: f" or {word}" for key in hints if f"{file.parent.name}.{key}" in keys}
    return {
        key: describe(hint) + or_else[key] for key, hint in hints.items() if not describe(hint).startswith("typing")
    }


def _target(file: Path) -> str | None:
    content = yaml.safe_load(file.read_text("utf-8")) or {}
    if "_target_" in content:
        return str(content["_target_"])
    parents = [entry for entry in content.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    return next((target for name in parents if (target := _target(file.with_name(f"{name}.yaml")))), None)
