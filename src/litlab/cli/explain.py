"""Puts an error of Hydra into one line that names the key and the valid choices."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from litlab.cli.config_files import wrong_file
from litlab.cli.defaults import wrong_defaults
from litlab.cli.keys import OTHER_WORDS, Keys
from litlab.cli.other_words import instead
from litlab.cli.proposals import no_such_option, of_option, proposal
from litlab.cli.settings import assignment, settings_of
from litlab.cli.unreadable import explain_unreadable
from litlab.config import BOUNDS, suggest
from litlab.console import listed, typed
from litlab.errors import one_line
from litlab.project import searched
from litlab.sweeps import COMPOSITION, EXTRAS, JobNotComposed, needs_extra

# Launchers of Hydra's plugins that litlab neither documents nor tests. `ray_aws` rents machines.
NOT_PROPOSED = ("ray_aws",)
COUNTS = ("_limit", "batch_size", "epochs", "steps")  # how the names of other settings end that are whole numbers
# What a user does not set, because the data say it.
OF_DATA = {
    "num_classes": "the data set has its own number of classes",
    "input_shape": "the data set has its own shape of images",
}


def explain_any(error: Exception, arguments: Sequence[str], conf: Path, config_name: str) -> str | None:
    """The same of an error of any kind: of composing, of reading a config file, or of a folder; None for others."""
    first: BaseException | None = error
    while first and not isinstance(first, OSError):
        first = first.__cause__ or first.__context__
    if first and "raised while resolving interpolation" in str(error):  # as when the help reads a file
        return one_line(first)
    if isinstance(error, COMPOSITION):
        return explain(error, arguments, conf, config_name)
    mistake = wrong_file(error, _own_folders(conf), arguments)
    return mistake or (one_line(error) if isinstance(error, OSError) else None)


def explain(error: Exception, arguments: Sequence[str], conf: Path, config_name: str) -> str:
    """An error of composing a config, in one line that names the key and the valid choices.

    Args:
        error: of Hydra or OmegaConf.
        arguments: the command line.
        conf: the folder of configs.
        config_name: such as `train`.
    """
    if isinstance(error, JobNotComposed) and isinstance(error.__cause__, Exception):
        # The line that was typed has all values of a setting. The options are those of the job that failed.
        typed_settings = {setting.partition("=")[0]: setting for setting in arguments}
        overrides = [
            o if (conf / (key := o.partition("=")[0])).is_dir() else typed_settings.get(key, o) for o in error.overrides
        ]
        said = explain(error.__cause__, ["-m", *overrides], conf, config_name)
        options = [option for option in error.options if not said.startswith(option)]
        return f"with {' '.join(options)}: {said}" if options else said
    if mistake := wrong_file(error, _own_folders(conf), arguments):
        return mistake
    if mistake := wrong_defaults(str(error), Keys(conf, config_name, arguments), _own_folders(conf)):
        return mistake
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, option = _group_and_option(str(error.missing_cfg_file))
        if group == "hydra/launcher" and option in EXTRAS:
            return needs_extra(option)
        there = error.options
        if there is None:  # Hydra does not say it of a list such as metrics=[f1,typo]
            there = Keys(conf, config_name).options(group)
        there = [name for name in there if name not in NOT_PROPOSED]
        if group and there:
            return f"{group}={option}: no such option; {no_such_option(group, option, there)}"
    if isinstance(error, OverrideParseException):
        return explain_unreadable(error, Keys(conf, config_name))
    text = str(error)
    if match := re.search(r"Ambiguous value for argument '(.+)'\n", text):
        keys = Keys(conf, config_name, arguments, key := match[1].partition("=")[0])
        unknown = keys.cfg is not None and key not in keys.all and not match[1].startswith("+")
        return _explain_unknown_key(key, keys) if unknown else _explain_several_values(match[1], conf)
    if match := re.search(r"Sweep parameters '(.+)' requires --multirun", text):  # range(1,3)
        return f"{match[1]}: several values are a sweep: add -m"
    if added := _added_option(text, arguments):
        return f"{added}: write {added.lstrip('+')}, without +"
    if match := re.search(r"Could not append to config. An item is already at '([^']+)'", text):
        setting = assignment(match[1], _value(match[1], arguments))
        return f"{match[1]} is a setting already: write {setting}, without +"
    if match := re.search(r"Could not override '([^']+)'", text):
        key = match[1]
        keys = Keys(conf, config_name, arguments, key)
        group = key.partition(".")[0]
        if group in _swept_groups(arguments) and keys.options(group) and keys.options_with(key):
            # Hydra first composes the config of the sweep, with the usual option, and only then those of the jobs.
            value = f"choice({_value(key, arguments)})"
            return f"{key}: in a sweep over {group}, write {assignment(key, value)}"
        if options := keys.options(key):
            return f"{key}=OPTION takes one of {', '.join(options)}; its settings are written {key}.SETTING=VALUE"
        if error.__cause__ is not None and "could not be converted" in str(error.__cause__):
            return f"{key}: {one_line(error.__cause__)}"
        return _explain_unknown_key(key, keys)
    if match := re.search(r"Could not (?:find|delete from config\.) '([^']+)'", text):
        keys = Keys(conf, config_name, arguments, match[1])
        if keys.cfg is not None and is_null(keys.cfg, match[1]):  # Hydra calls that unknown
            return f"~{match[1]}: it is null already; leave this out"
        return _explain_unknown_key(match[1], keys)
    if (match := re.match(r"Interpolation key '(.+)' not found", text)) and (
        found := next((it for it in arguments if f"${{{match[1]}}}" in it), None)
    ):
        return f"{found}: there is no setting {match[1]}"
    if text.startswith("Error in call to target") and isinstance(error.__cause__, HydraException):
        return one_line(error.__cause__)  # of litlab's own sweepers and launchers
    said = re.sub(r"(?<!\.)\.$", "", one_line(error))
    cause = one_line(error.__cause__) if error.__cause__ else ""
    return said if cause.rstrip(".") in said else f"{said} ({cause})"


def _own_folders(conf: Path) -> list[Path]:
    """The folders with a user's own configs."""
    return [folder for folder in searched().folders if folder != conf]


def _group_and_option(missing: str) -> tuple[str, str]:
    """`data` and `/tmp/pics` for the missing `data//tmp/pics`. An option may be typed as a path."""
    match = re.fullmatch(r"((?:hydra/)?\w+)/(.+)", missing)
    return (match[1], match[2]) if match else ("", missing)


def _added_option(text: str, arguments: Sequence[str]) -> str | None:
    """`+data=mnist` of the command line, if it is what Hydra means by an error."""
    said = (
        r"Multiple values for (\S+?)\. ",
        r"(\S+) appears more than once in the final defaults list",
        r"force-add of config groups is not supported: '\+\+([^=]+)=",
    )
    group = next((match[1] for pattern in said if (match := re.search(pattern, text))), None)
    return next((a for a in arguments if a.startswith("+") and a.lstrip("+").partition("=")[0] == group), None)


def _swept_groups(arguments: Sequence[str]) -> list[str]:
    """`model` for `model=mlp,vit`: the groups and settings of which the command line has several values."""
    return [argument.partition("=")[0] for argument in arguments if re.match(r"[\w/@]+=[^\[{(]*,", argument)]


def is_null(cfg: DictConfig, key: str) -> bool:
    """Whether there is a setting of this name, without a value."""
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return isinstance(node, DictConfig) and name in node and node[name] is None


def _explain_unknown_key(key: str, keys: Keys) -> str:
    """Says which setting is meant by `key`, or which there are in its place."""
    if key.startswith("hydra."):
        return f"{key} is unknown{_instead_of_hydras(key, keys)}"
    known: Any = keys.cfg
    if known is None:
        return f"{key} is unknown"
    path = ""
    for part in key.replace("/", ".").split("."):
        if not isinstance(known, DictConfig):
            return f"{path} has no keys of its own: {key} is unknown"
        if part not in known:
            here = [str(k) for k in known if not str(k).startswith("_")]
            said = _instead(key, path, part, here, keys)
            return f"{key if said.startswith(':') else f'{path}.{part}'.lstrip('.')} is unknown{said}"
        path, known = f"{path}.{part}".lstrip("."), OmegaConf.select(known, part)
    return f"{key} is unknown"


def _instead_of_hydras(key: str, keys: Keys) -> str:
    """What to write in place of a key such as `hydra.sweeper.prun`."""
    _, group, *rest = key.split(".")
    files = {file.stem: file for file in (keys.conf / "hydra" / group).glob("*.yaml")}
    if not files or len(rest) != 1:
        return f"; {typed(keys.config_name)} --cfg hydra lists Hydra's own settings"
    settings = {option: {setting.key for setting in settings_of(file)} for option, file in files.items()}
    chosen = next((a.partition("=")[2] for a in keys.arguments if a.startswith(f"hydra/{group}=")), "grid")
    if having := [f"hydra/{group}={option}" for option, known in settings.items() if rest[0] in known]:
        return f" here; it is a setting of {listed(having, 4)}"
    if group == "launcher":
        return " to the launcher that is chosen; hydra/launcher=joblib runs hydra.launcher.n_jobs jobs at once"
    return f"; {suggest(rest[0], settings.get(chosen) or sorted(set().union(*settings.values())))}"


def _instead(key: str, path: str, part: str, here: Sequence[str], keys: Keys) -> str:
    """What to write in place of a key.

    Args:
        path: the part of the key that there is, such as `optimizer`.
        part: the next part of it, which there is not.
        here: the keys that there are in place of `part`.
    """
    if part in OF_DATA and path in ("", "data"):
        return f": {OF_DATA[part]}; leave it out"
    there, place = suggest(part, here), f"; {path}: " if path else "; "
    script = keys.other_script(key)
    value = _value(key, keys.arguments)
    if path in keys.groups and not instead(key, value, keys) and (options := keys.options_with(key)):
        chosen = f": write {path}={value}" if value in keys.options(path) else f"{place}{there}" if here else ""
        return f" here; it is a setting of {listed(options, most=4)}{chosen}"
    if script or "did you mean" not in there or part in OTHER_WORDS or instead(key, value, keys):
        if proposed := proposal(key, value, keys, close=not script):
            return f": {proposed}"
        if options := keys.options_with(key):
            others = f"{place}{there}" if here else ""
            if not path and len(groups := {option.partition("=")[0] for option in options}) == 1:
                others = f": choose one, and write {of_option(options[0], f'{groups.pop()}.{part}', value, keys)}"
            return f" here; it is a setting of {listed(options, most=4)}{others}"
        if script:
            return f" here; it is for {typed(script)}{place}{there}"
    if not here and (options := keys.options(path)):  # scheduler=none has no settings
        return f"; {path}=OPTION has settings: {listed([f'{path}={o}' for o in options if o != 'none'], most=4)}"
    return f"{place}{there}"


def _value(key: str, arguments: Sequence[str]) -> str | None:
    """The value that the command line gives to a key."""
    return next((arg.partition("=")[2] for arg in arguments if arg.partition("=")[0].lstrip("+~") == key), None)


def _explain_several_values(override: str, conf: Path) -> str:
    """Says what to write for `optimizer.lr=0.1,0.2` without `-m`."""
    key, _, value = override.partition("=")
    if (conf / key).is_dir():
        return f"{override}: several options are a sweep: add -m"
    if re.fullmatch(r"-?0,\d+", value):
        return f"{override}: a decimal number has a point: write {key}={value.replace(',', '.')}"
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", value) and (key in BOUNDS or key.endswith(COUNTS)):
        return f"{override}: a number has no comma: write {key}={value.replace(',', '')}; several values need -m"
    listed = "" if key in BOUNDS else f"; one value that is a list is written {key}=[{value}]"  # those are numbers
    return f"{override}: several values are a sweep: add -m{listed}"
