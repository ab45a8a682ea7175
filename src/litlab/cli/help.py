"""What `--help` shows: the options of each group, and each setting with its value, its words and what it may be."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import OmegaConf

from litlab.cli.keys import OF_TRAINING, Keys
from litlab.cli.other_words import instead
from litlab.cli.settings import ACROSS, Setting, described, header, settings_of
from litlab.config import allowed_values, suggest
from litlab.console import typed
from litlab.sweeps import EXTRAS

WIDEST = 110  # characters of a line


def options(folders: Sequence[Path], config_name: str) -> str:
    """Each group of a config with its options, and the first comment in the file of each option.

    Args:
        folders: of configs, in the order in which Hydra looks into them.
        config_name: such as `train`.
    """
    lines = []
    for group in groups(folders, config_name):
        lines.append(f"{group}:")
        for file in _files(folders, group):
            lines += _filled(f"  {file.stem:<20} ", described(file))
    return "\n".join(lines) + "\n"


def _files(folders: Sequence[Path], group: str) -> list[Path]:
    """The config files of a group. A file in an earlier folder takes the place of one with its name in a later one."""
    files = {file.name: file for conf in reversed(folders) for file in (conf / group).glob("*.yaml")}
    return [files[name] for name in sorted(files)]


def _main(folders: Sequence[Path], config_name: str) -> Path:
    return next(file for conf in folders if (file := conf / f"{config_name}.yaml").is_file())


def general(folders: Sequence[Path], config_name: str) -> str:
    """The settings that belong to no group, explained."""
    chosen = {group for group, option in groups(folders, config_name).items() if option != "None"}
    found = [s for s in settings_of(_main(folders, config_name)) if s.value]
    return "\n".join(_explained([s for s in found if s.key.partition(".")[0] not in chosen]))


def groups(folders: Sequence[Path], config_name: str) -> dict[str, str]:
    """The groups of a config by name, each with the option that is chosen if nobody chooses another one."""
    defaults = OmegaConf.load(_main(folders, config_name)).defaults
    chosen = {key: str(entry[key]) for entry in defaults if entry != "_self_" for key in entry}
    return dict(sorted((key, option) for key, option in chosen.items() if "hydra" not in key))


def explain(subject: str, arguments: Sequence[str], folders: Sequence[Path], config_name: str) -> str:
    """The settings of a group, or one setting, explained.

    Args:
        subject: such as `optimizer` or `optimizer.lr`.
        arguments: the command line, which may choose another option of the group.

    Raises:
        HydraException: if there is no such group or setting.
    """
    if subject.startswith("hydra"):
        return _of_hydra(subject, arguments, folders, config_name)
    known = groups(folders, config_name)
    group, _, key = subject.partition(".")
    if group not in known:
        whole = {setting.key: setting for setting in settings_of(_main(folders, config_name))}
        if subject not in whole:
            alone = [name for name in whole if name.partition(".")[0] not in known]
            if having := [group for group in known if any(file.stem == subject for file in _files(folders, group))]:
                chosen = ", or ".join(f"{group}={subject} --help {group}" for group in having)
                raise HydraException(f"--help {subject}: it is an option: write {chosen}")
            keys = Keys(_main(folders, config_name).parent, config_name, arguments)
            if written := instead(subject, None, keys):
                raise HydraException(f"--help {subject}: no such group or setting; write {written}")
            if meant := keys.meant(subject, close=False):
                return "\n".join(explain(key, arguments, folders, config_name) for key in meant)
            there = suggest(subject, [*known, *alone])
            if "did you mean" not in there and (alike := keys.meant(subject)):
                there = f"write --help {alike[0]}"
            raise HydraException(f"--help {subject}: no such group or setting; {there}")
        below = [setting for name, setting in whole.items() if name.startswith(f"{subject}.")]
        return "\n".join(_explained([whole[subject], *below]))
    option = _chosen(group, arguments, known[group])
    return _of_group(group, option, subject if key else "", folders, config_name)


def _chosen(group: str, arguments: Sequence[str], otherwise: str) -> str:
    """The option of a group that the command line chooses."""
    return next((a.partition("=")[2] for a in reversed(arguments) if a.startswith(f"{group}=")), otherwise)


def _of_group(group: str, option: str, key: str, folders: Sequence[Path], config_name: str) -> str:
    """The options of a group, and the settings of the one that is chosen; or one of its settings.

    Args:
        key: of that setting, such as `optimizer.lr`; empty for all.

    Raises:
        HydraException: if the option has no such setting.
    """
    prefix, files = group.replace("/", "."), _files(folders, group)
    file = next((file for file in files if file.stem == option), None)
    found = settings_of(file, prefix) if file else []
    found += [s for s in settings_of(_main(folders, config_name)) if s.key.startswith(f"{prefix}.")]
    found = [s for s in found if config_name == "train" or s.key not in OF_TRAINING]
    built = file if group == prefix else None  # a launcher is not imported to see what it takes
    if key:
        found = [s for s in found if s.key == key or s.key.startswith(f"{key}.")]
        if not found:
            having = [file.stem for file in files if key in _keys_of(file, prefix)]
            there = f"write {group}={having[0]} --help {key}" if having else f"--help {group} lists them"
            raise HydraException(f"--help {key}: {group}={option} has no such setting; {there}")
        return "\n".join(_explained(found, built))
    return "\n".join([*_options(group, option, folders, config_name), "", *_explained(found, built)])


def _of_hydra(subject: str, arguments: Sequence[str], folders: Sequence[Path], config_name: str) -> str:
    """The settings of a sweeper or a launcher that have a config file of litlab; others are Hydra's own."""
    key = subject.replace("/", ".")
    part, _, name = key.removeprefix("hydra.").partition(".")
    files = _files(folders, group := f"hydra/{part}")
    if not files or config_name != "train":
        raise HydraException(f"--help {subject}: it is Hydra's: {typed(config_name)} --cfg hydra shows its settings")
    option = _chosen(group, arguments, "grid" if part == "sweeper" else "")
    text = _of_group(group, option, key if name else "", folders, config_name)
    if part != "launcher" or name:
        return text
    others = ", ".join(sorted(EXTRAS.keys() - {file.stem for file in files}))
    return f"{text}\nothers: {others}; {typed(config_name)} hydra/launcher=OPTION --cfg hydra shows their settings"


def _keys_of(file: Path, group: str) -> set[str]:
    return {setting.key for setting in settings_of(file, group)}


def _options(group: str, chosen: str, folders: Sequence[Path], config_name: str) -> Iterator[str]:
    yield f"{group}=OPTION, one of:"
    files = _files(folders, group)
    for file in files:
        words = " ".join(header(file)) if group in ACROSS else described(file)
        yield from _filled(f"  {file.stem:<20} ", words)
    if any(file.stem == chosen for file in files):
        yield ""
        yield f"The settings of an option: {typed(config_name)} {group}=OPTION --help {group}"  # one line, to paste
        yield f"Those of {group}={chosen}, with their values:"


def _explained(settings: Sequence[Setting], file: Path | None = None) -> Iterator[str]:
    """A line for each setting, or more if its words are many."""
    allowed = allowed_values(file)
    names = [f"{s.key}={s.value}" if s.value else s.key for s in settings]
    wide = min(44, max(map(len, names), default=0))
    for setting, name in zip(settings, names, strict=True):
        words = "; ".join(filter(None, (allowed.get(setting.key, "") if setting.value else "", setting.words)))
        yield from _filled(f"  {name:<{wide}}  ", words)


def _filled(beginning: str, words: str) -> list[str]:
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
    if not words:
        return [beginning.rstrip()]
    indent = " " * min(len(beginning), 46)
    return textwrap.wrap(
        words, max(40, width), initial_indent=beginning, subsequent_indent=indent, break_on_hyphens=False
    )
