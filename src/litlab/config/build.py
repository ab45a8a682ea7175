"""Builds the object that a group of the config describes. If that fails, the error names the key."""

import re
from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from litlab.config.check import MAY_BE_EMPTY, MAY_BE_NULL, own_keys
from litlab.config.groups import GROUPS
from litlab.config.targets import find, why_not_imported
from litlab.errors import ConfigError, one_line

NEEDS = r"missing \d+ required positional argument"  # what Python says of a call without them
Chosen = Mapping[str, str]  # the option of each group, such as {"data": "mnist"}; only messages show it


def build(cfg: Mapping[str, Any], group: str, chosen: Chosen | None = None, **arguments: Any) -> Any:
    """Instantiates the `_target_` of one group; None if it has none.

    Args:
        cfg: a config, or plain data.
        group: such as `data`.
        chosen: the option of each group, for messages.
        arguments: more arguments of the constructor, beside the group's settings.

    Raises:
        ConfigError: if the constructor refuses the values.
    """
    node: Any = cfg.get(group) or {}  # a recorded config may be older than a group
    node = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else dict(node)
    if "_target_" not in node:  # scheduler=none, where an experiment still has settings for a schedule
        if group in GROUPS and group not in MAY_BE_EMPTY:
            raise ConfigError(f"{option(group, chosen)}: has no _target_, the class or the function that makes it")
        return None
    own = own_keys(group, node)
    node = {key: value for key, value in node.items() if key not in own}
    # Arguments for which null means: as if they were not given.
    node = {key: value for key, value in node.items() if value is not None or f"{group}.{key}" not in MAY_BE_NULL}
    if group == "scheduler":
        node = {"_partial_": True} | node  # it is made later, of the optimizer
        if isinstance(parts := node.get("schedulers"), list):  # of torch's SequentialLR and ChainedScheduler
            node["schedulers"] = [{"_partial_": True} | part if isinstance(part, dict) else part for part in parts]
    try:
        return _made(node, arguments)
    except Exception as error:
        if group == "optimizer" and "_partial_" not in node and re.search(NEEDS, str(error)):
            said = "write _partial_: true beside its _target_, because it is made later, of the weights"
            raise ConfigError(f"{option(group, chosen)}: {said}") from error
        cause = error.__cause__ if isinstance(error, InstantiationException) else None
        if cause and (entry := _entry(str(error), str(cause), cfg[group])):
            raise ConfigError(f"{group}.{entry}: {one_line(cause)}{_as_function(entry, str(cause))}") from error
        raise blame(cfg, group, cause or error, chosen) from error


def _made(node: dict[str, Any], arguments: dict[str, Any]) -> Any:
    """The object that a node describes. The constructor gets the arguments as they are.

    Hydra would first copy them into a config, which takes half of the time that it needs for a Trainer.
    """
    if not arguments or node.get("_partial_") or "_partial_" in arguments:
        return instantiate(node, _convert_="all", **arguments)
    return instantiate({**node, "_partial_": True}, _convert_="all")(**arguments)


def _entry(said: str, cause: str, settings: Mapping[str, Any]) -> str | None:
    """`augment: mylab.Blur`: the setting and the class of an object in a list that cannot be made; None for others.

    Args:
        said: Hydra's message.
        cause: the message of the class.
        settings: of the group.
    """
    found = re.search(r"^Error in call to target '([\w.]+)':.*^full_key: (\w+?)\.?\d+$", said, re.DOTALL | re.MULTILINE)
    if not found or found[2] not in settings or cause.startswith("Error loading"):
        return None
    return f"{found[2]}: {found[1]}"


def _as_function(entry: str, cause: str) -> str:
    """What to write for a function that was called too early; empty for a class."""
    target = entry.partition(": ")[2]
    called = f"{target.rpartition('.')[2]}() missing" in cause
    return f"; beside _target_: {target} write _partial_: true" if called else ""


def build_entries(entries: Mapping[str, Mapping[str, Any]], group: str) -> dict[str, Any]:
    """Instantiates all entries of a group such as `callbacks`, by name.

    Hydra takes half the time for all at once. If that fails, each is built alone, to find the one that is at fault.

    Raises:
        ConfigError: if a constructor refuses its values.
    """
    described = {name: dict(entry) for name, entry in entries.items() if "_target_" in entry}
    try:
        return dict(instantiate(described, _convert_="all"))
    except Exception:
        return {name: build({f"{group}.{name}": entry}, f"{group}.{name}") for name, entry in described.items()}


def blame(cfg: Mapping[str, Any], group: str, error: BaseException, chosen: Chosen | None = None) -> ConfigError:
    """An error that a constructor or a method of `group` has raised, with the name of the config key."""
    said = one_line(error)
    if found := re.match(r"Error loading '([\w.]+)'", said):  # an entry of a list, such as data.augment
        said = f"{found[1]} cannot be imported: {why_not_imported(found[1], error)}"
    if key := next((key for key in cfg[group] if f"`{key}=" in said), None):  # as Lightning writes it
        return ConfigError(f"{group}.{key}={cfg[group][key]}: {said}")
    message = with_group(said, group, cfg[group])
    if said.split("=")[0].split(" ")[0] in cfg[group] and not message.startswith(f"{group}."):
        message = f"{group}.{message}"
    if message.startswith(f"{group}."):
        return ConfigError(message)
    return ConfigError(f"{option(group, chosen)}: {message}")


def with_group(message: str, group: str, settings: Mapping[str, Any]) -> str:
    """`data.fold=0: write data.folds=5` for `fold=0: write folds=5`, as a user types the settings of a group."""
    names = "|".join(re.escape(str(key)) for key in settings)
    return re.sub(rf"(?<![\w./-])(?=(?:{names})=\S)", f"{group}.", message) if names else message


def option(group: str, chosen: Chosen | None) -> str:
    """`data=mnist`, or `data` if it is not known which option was chosen."""
    return f"{group}={chosen[group]}" if chosen and group in chosen else group


def class_of(cfg: Mapping[str, Any], group: str) -> Any:
    """The class, or the function, that a group names in `_target_`. It is not called."""
    return find(str(cfg[group]["_target_"]))
