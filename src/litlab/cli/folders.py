"""The folder of a new run or sweep: its name, and the refusal of a folder that holds a run already."""

import errno
import os
import re
import shlex
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from litlab.config import typed_overrides
from litlab.errors import ConfigError
from litlab.files import shown
from litlab.runs import holds_run, make_new


class Refused(BaseException):
    """A folder that is refused. A BaseException, because Hydra turns an Exception of a callback into a warning."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class NewFolders:
    """The resolver `new_folder` of the config. Hydra calls it several times in one call of a script."""

    def __init__(self) -> None:
        self.made: dict[str, Path] = {}  # by the path that the config asks for; also what `UnusedFolder` has made

    def __call__(self, path: str, name: Any = None) -> str:
        """The folder of a new run.

        Args:
            path: of a folder that is made now, with a number behind it if it exists.
            name: the setting `name`. The folder beside `path` with this name is then taken, and made by `UnusedFolder`.
        """
        if name is not None:
            return str(Path(path).parent / str(name))
        if path not in self.made:
            try:
                self.made[path] = make_new(path)
            except OSError as error:  # of which Hydra would make a warning, and another error
                raise Refused(_file_in_the_way(Path(path)) or _elsewhere(error, Path(path))) from error
        return str(self.made[path])


SEVERAL = {"data": "datasets", "model": "models"}


def place_of_sweep(data: str, model: str, *, _root_: DictConfig) -> str:
    """`mnist_mlp`, the folder in which a sweep has its own; `mnist_models` if it sweeps over networks.

    Args:
        data, model: the options that were chosen, or are so by default.
        _root_: the whole config, with the command line.
    """
    parsed = OverridesParser.create().parse_overrides(typed_overrides(_root_.hydra))
    swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
    chosen = {"data": data, "model": model}
    return "_".join(SEVERAL[group] if group in swept else option for group, option in chosen.items())


def register(folders: NewFolders) -> None:
    """Lets the config name the folders of runs and sweeps."""
    UnusedFolder.folders = folders
    OmegaConf.register_new_resolver("new_folder", folders, replace=True)
    OmegaConf.register_new_resolver("place_of_sweep", place_of_sweep, replace=True)


class UnusedFolder(Callback):
    """Hydra calls this when it has composed the config, and before it writes into the folder of a run or a sweep."""

    folders: ClassVar[NewFolders | None] = None  # of the script; Hydra itself makes the callback

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Refuses the folder of a run if it cannot be a new one, and settings that Hydra would only use in a sweep."""
        try:
            _refuse_settings_of_sweeps(config)
            folder, given = str(config.hydra.run.dir), _is_given(config, "hydra.run.dir")
            if given:
                _check_given(folder, config.get("name"), Path(config.hydra.runtime.cwd), _conf(config))
            else:
                self._make_named(config.get("name"), Path(folder), "resume={}")
        except (ConfigError, OSError) as error:
            raise Refused(error) from error

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuses the name of a sweep if there is a folder of that name, and the folder of a single run.

        With `hydra.sweep.dir` a sweep goes on. Its command may then still have its name.
        """
        try:
            _refuse_folder_of_a_run(config)
            folder, name = Path(str(config.hydra.sweep.dir)), config.get("name")
            if not _is_given(config, "hydra.sweep.dir"):
                self._make_named(name, folder, "hydra.sweep.dir={}")
            elif name is not None and folder.name != str(name):
                raise ConfigError(f"name={name} and hydra.sweep.dir={folder}: leave one of them out")
            elif file := _file_in_the_way(folder / "any"):
                raise file
        except (ConfigError, OSError) as error:
            raise Refused(error) from error

    def _make_named(self, name: Any, folder: Path, go_on: str) -> None:
        """Makes the folder that `name` asks for, if any. The script removes it again if nothing begins in it."""
        if name is not None:
            _make_named(name, folder, go_on)
            if self.folders:
                self.folders.made[str(folder)] = folder


OF_SWEEPS = re.compile(r"[+]{0,2}hydra[/.](launcher|sweeper|sweep)[=.]")


def _refuse_settings_of_sweeps(config: DictConfig) -> None:
    """Refuses a launcher or a sweeper on the command line of a single run."""
    for override in typed_overrides(config.hydra, "hydra"):
        if OF_SWEEPS.match(override):
            instead = "add -m" if config.hydra.job.config_name == "train" else "leave it out"
            raise ConfigError(f"{override}: it is for a sweep; {instead}")


def _refuse_folder_of_a_run(config: DictConfig) -> None:
    """Refuses `hydra.run.dir` on the command line of a sweep, and several names: it is one folder."""
    for override in typed_overrides(config.hydra, "hydra"):
        key, _, folder = override.lstrip("+").partition("=")
        if key == "hydra.run.dir":
            raise ConfigError(f"{override}: it is for a single run; write {shlex.quote(f'hydra.sweep.dir={folder}')}")
    for parsed in OverridesParser.create().parse_overrides(typed_overrides(config.hydra)):
        if parsed.key_or_group == "name" and parsed.is_sweep_override():
            raise ConfigError(f"{parsed.input_line}: a sweep is one folder, and has one name")


def _check_given(folder: str, name: Any, here: Path, conf: Path | None) -> None:
    """Refuses `hydra.run.dir` if it names no folder, the folder of litlab's code, or that of another run."""
    if not folder:
        raise ConfigError("hydra.run.dir= is empty: name a folder, or leave it out")
    if name is not None:
        raise ConfigError(f"name={name} and hydra.run.dir={folder}: leave one of them out")
    if conf is not None and conf.parent == (here / folder).resolve():
        raise ConfigError(f"hydra.run.dir={folder} is the folder of litlab itself: name another")
    if file := _file_in_the_way(Path(folder) / "any"):
        raise file
    if holds_run(Path(folder)):
        go_on = shlex.quote(f"resume={folder}")
        raise ConfigError(f"hydra.run.dir={folder}: there is a run in it; go on with {go_on}, or name another folder")


def _make_named(name: Any, folder: Path, go_on: str) -> None:
    """Makes the folder that `name` asks for, or refuses it. Only one of two processes can make it."""
    text = str(name)
    if not text.strip() or "/" in text or text in (".", ".."):
        raise ConfigError(f"name={name}: must be the name of a folder, without /")
    if file := _file_in_the_way(folder.parent / "any"):
        raise file
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        said = f"name={name}: {shown(folder)} is there already; choose another name"
        going_on = f", or go on with {shlex.quote(go_on.format(folder))}" if holds_run(folder) else ""
        raise ConfigError(f"{said}{going_on}") from None
    except OSError as error:
        raise _elsewhere(error, folder) from error


def _file_in_the_way(folder: Path) -> ConfigError | None:
    """The error that a folder above this one is a file, such as `runs`; None if there is none."""
    # os.path, because Path.exists raises an error below a folder that may not be entered.
    above = (path for path in folder.parents if os.path.exists(path) and not os.path.isdir(path))  # noqa: PTH110, PTH112
    file = next(above, None)
    return ConfigError(f"{shown(file)} is a file, and litlab needs a folder of this name: rename it") if file else None


def _elsewhere(error: OSError, folder: Path) -> Exception:
    """The error that no folder can be made where litlab has its runs, with what to write."""
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return error
    key = "hydra.sweep.dir" if folder.name.startswith("sweep_") else "hydra.run.dir"
    said = f"{error.filename}: cannot be made: {error.strerror}"
    return ConfigError(f"{said}; start litlab in a folder of your own, or name one with {key}=FOLDER")


def _is_given(config: DictConfig, key: str) -> bool:
    """Whether the command line, or a config file of the user's own, names a folder."""
    group, _, name = key.rpartition(".")
    written: Any = OmegaConf.to_container(OmegaConf.select(config, group), resolve=False)
    return "${new_folder:" not in str(written[name])


def _conf(config: DictConfig) -> Path | None:
    """The folder of litlab's configs."""
    paths = [source.path for source in config.hydra.runtime.config_sources if source.provider == "main"]
    return Path(paths[0]).resolve() if paths and Path(paths[0]).is_dir() else None
