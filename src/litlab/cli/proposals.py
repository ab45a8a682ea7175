"""What to write in place of a name that litlab does not have. A setting is proposed with a value that it takes."""

import re
from collections.abc import Sequence
from pathlib import Path

import hydra.errors
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab.cli.keys import Keys
from litlab.cli.other_words import instead
from litlab.cli.settings import assignment, settings_of
from litlab.config import allowed_values, check_one, suggest
from litlab.errors import ConfigError

REFUSED = (hydra.errors.HydraException, OmegaConfBaseException, ConfigError)
LABELS = (".csv", ".tsv")  # how the name of a file with labels ends


def proposal(name: str, value: str | None, keys: Keys, *, close: bool = True) -> str | None:
    """What to write in place of `name=value`, such as `write optimizer.lr=0.1`.

    Args:
        value: None if the user has typed the name alone.
        close: whether a setting that is only spelled alike counts too.
    """
    if known := instead(name, value, keys):
        return f"write {known}"
    meant = [key for found in keys.meant(name, close=close)[:3] if (key := _with_a_value(found, value, keys))]
    if not meant:
        return None
    if value is None:
        return "write " + " or ".join(assignment(key, None) for key in meant)
    taken = [setting for key in meant if (setting := _taken(key, value, keys))]
    return "write " + " or ".join(taken) if taken else _explained(meant[0], value, keys)


def _with_a_value(key: str, value: str | None, keys: Keys) -> str | None:
    """`callbacks.progress.enabled` for `callbacks.progress`. A mapping is no setting that has a value."""
    if key in keys.groups or keys.cfg is None or not OmegaConf.is_dict(OmegaConf.select(keys.cfg, key)):
        return key
    is_switch = f"{key}.enabled" in keys.all and str(value).lower() in ("true", "false")
    return f"{key}.enabled" if is_switch else None


def of_path(group: str, path: str) -> str | None:
    """`data=image_folder data.data_dir=pics` for `data=pics`: what to write for a path in place of a data set."""
    if group != "data":
        return None
    if path.lower().endswith(LABELS):
        return f"for a file of labels write data=csv {assignment('data.file', path)}"
    if "/" in path or path.startswith((".", "~")) or Path(path).is_dir():
        return f"for a folder of pictures write data=image_folder {assignment('data.data_dir', path)}"
    return None


def no_such_option(group: str, option: str, there: Sequence[str]) -> str:
    """What there is in place of an option, such as `did you mean adam? there is: adam, sgd`."""
    return of_path(group, option) or suggest(option, there)


def of_option(option: str, key: str, value: str | None, keys: Keys) -> str:
    """A setting that is there with another option of its group, such as `model.pretrained=true`."""
    return (None if value is None else _taken(key, value, keys, [option])) or assignment(key, None)


def _taken(key: str, value: str, keys: Keys, beside: Sequence[str] = ()) -> str | None:
    """The setting as litlab takes it: with the value, or with a list of it.

    Args:
        beside: more overrides.
    """
    if options := keys.options(key):
        return assignment(key, value) if {*value.split(",")} <= {*options} else None
    return next((assignment(key, v) for v in (value, f"[{value}]") if _is_taken(key, v, keys, beside)), None)


def _is_taken(key: str, value: str, keys: Keys, beside: Sequence[str]) -> bool:
    try:
        parsed = OverridesParser.create().parse_override(f"{key}={value}")
    except hydra.errors.HydraException:  # the name of a file, which Hydra does not read
        return True
    if parsed.is_sweep_override() and not parsed.is_discrete_sweep():
        return True
    values = parsed.sweep_string_iterator() if parsed.is_sweep_override() else [value]
    try:
        for one in values:
            check_one(keys.compose([*beside, f"{key}={one}"]), key)
    except REFUSED:
        return False
    return True


def _explained(key: str, value: str, keys: Keys) -> str:
    """What a setting may be that does not take the value."""
    if options := keys.options(key):
        return of_path(key, value) or f"write {key}=OPTION; {suggest(value, options)}"
    file = keys.chosen(key.partition(".")[0])
    usual = OmegaConf.select(keys.cfg, key) if keys.cfg is not None else None
    if isinstance(usual, bool):
        shown: str | None = "true"  # who names a switch wants it
    else:
        shown = str(usual) if isinstance(usual, int | float | str) else None
    allowed = "true or false" if isinstance(usual, bool) else allowed_values(file).get(key, "")
    known = settings_of(file, file.parent.name) if file else []
    known += settings_of(keys.conf / f"{keys.config_name}.yaml")
    words = next((setting.words for setting in known if setting.key == key), "")
    words = re.sub(r"^(true|false|null): ", "", words)
    return f"write {assignment(key, shown)}" + ": " * bool(allowed or words) + "; ".join(filter(None, (allowed, words)))
