"""Says in one line what is wrong in a config file that cannot be read: its name, the line, and what to change."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from litlab.errors import one_line
from litlab.files import shown

MAPPING = "a config file must be a mapping of settings, such as `name: value`"
DEFAULTS = "defaults must be a list, such as `defaults: [mnist, _self_]`"


def wrong_file(error: BaseException, folders: Sequence[Path], arguments: Sequence[str]) -> str | None:
    """What is wrong in a config file, if that is why Hydra could not compose a config; None if it is not.

    Hydra names no file if there is text or a list where it needs a mapping. Then each file is looked at, first those
    that the command line names.

    Args:
        error: of Hydra, OmegaConf or YAML.
        folders: of the user's configs.
        arguments: the command line.
    """
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return _of_yaml(error)
    if not _may_be_of_a_file(error):
        return None
    named = {f"{a.lstrip('+').partition('=')[0]}/{a.partition('=')[2]}" for a in arguments}
    if found := re.search(r"[Ii]n '?([\w/.-]+)'?[:,]", str(error)):
        files = [file for folder in folders if (file := folder / f"{found[1]}.yaml").is_file()]
        return next((_of_file(file) or _with_a_list(file) for file in files), None)
    names = {file: file.relative_to(folder) for folder in folders for file in sorted(folder.rglob("*.yaml"))}
    files = sorted(names, key=lambda file: names[file].with_suffix("").as_posix() not in named)
    return next((said for file in files if (said := _of_file(file))), None)


def _may_be_of_a_file(error: BaseException) -> bool:
    """Whether Hydra raises such an error for what a file holds."""
    said = str(error)
    of_hydra = isinstance(error, ValueError) and re.search(r"\bdefaults?\b|Missing group name", said)
    return bool(
        isinstance(error, UnicodeDecodeError | yaml.YAMLError)
        or of_hydra
        or "Invalid loaded object type" in said
        or "Cannot merge DictConfig with ListConfig" in said
    )


def _of_yaml(error: yaml.MarkedYAMLError) -> str:
    """`conf/data/x.yaml, line 3: a tab; indent with spaces`."""
    mark: Any = error.problem_mark
    file, number, said = Path(mark.name), mark.line + 1, str(error.problem)
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    if "'\\t'" in said:
        said = "a tab; write spaces in its place"
    elif found := re.match(r"found duplicate key (.+)", said):
        said = f"{found[1]} is there twice; leave one of them out"
    elif "mapping values are not allowed here" in said or "could not find expected ':'" in said:
        close = [n for n in (number - 1, number) if 0 < n <= len(lines) and re.match(r"\s*\w+:[^\s/]", lines[n - 1])]
        if close:
            number, said = close[0], "write a space after the colon"
        elif "expected ':'" in said:
            said = "a name without a colon and a value; write `name: value`"
        else:
            said = "a colon too many; names of one level begin in the same column, and text with a colon needs quotes"
    elif "expected <block end>" in said:
        said = "the indent is wrong; names of one level begin in the same column"
    return f"{shown(file)}, line {number}: {said}"


def _of_file(file: Path) -> str | None:
    """What is wrong in a file, if it cannot be a config."""
    try:
        content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    except UnicodeDecodeError as error:
        return f"{shown(file)}: is not written in UTF-8 (byte {error.start + 1}); save it as UTF-8"
    except yaml.MarkedYAMLError as error:
        return _of_yaml(error)
    except OSError as error:
        return f"{shown(file)}: {MAPPING}" if "Invalid loaded object type" in str(error) else None
    except Exception as error:
        return f"{shown(file)}: {one_line(error)}"
    if isinstance(content, list):
        return f"{shown(file)}: {MAPPING}, and not a list"
    if not isinstance(content, dict):
        return None
    if not isinstance(defaults := content.get("defaults", []), list):
        return f"{shown(file)}: {DEFAULTS}"
    wrong = next((entry for entry in defaults if not _is_entry(entry)), None)
    if wrong is not None:
        return f"{shown(file)}: {wrong} is no entry of defaults; write one `- group: option`, or `- name`, in a line"
    return None


def _with_a_list(file: Path) -> str | None:
    """Which setting of a file has a list where the rest of the config has a mapping."""
    content = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    entries = content.items() if isinstance(content, dict) else ()
    lists = [str(key) for key, value in entries if isinstance(value, list)]
    return f"{shown(file)}: {' or '.join(lists)}: must be a mapping of settings, and not a list" if lists else None


def _is_entry(entry: Any) -> bool:
    """Whether Hydra takes an entry of a list of defaults."""
    if isinstance(entry, dict):
        values = [value if isinstance(value, list) else [value] for value in entry.values()]
        return len(values) == 1 and all(isinstance(it, str | None) for it in values[0])
    return isinstance(entry, str)
