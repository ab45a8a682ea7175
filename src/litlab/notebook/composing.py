"""The run that overrides ask for, as on the command line of `litlab train`."""

import contextlib
import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import OmegaConf

from litlab.cli.explain import explain_any
from litlab.cli.folders import NewFolders, Refused, UnusedFolder, register
from litlab.cli.keys import Keys, is_multirun
from litlab.cli.overrides import check_options, letters_of_all_languages, literal, of_every_model, refuse_mistakes
from litlab.cli.runs import as_resumed, resumes
from litlab.config import Run
from litlab.errors import ConfigError, one_line
from litlab.project import CONF, Project, Searched, searched, searching
from litlab.runs import CONFIG, HYDRA, OVERRIDES, remove_absolute_paths

SWEEP = "on the command line: litlab train -m ..."
# What the command line says of several values. Python starts no sweep, so there is no -m to add.
OF_SWEEPS = {
    "add -m for a sweep": f"a sweep starts {SWEEP}",
    "several values need -m": f"several values are a sweep, which starts {SWEEP}",
    "add -m": f"start it {SWEEP}",
}


def run_of(experiment: str | None, overrides: Sequence[str]) -> Run:
    """A new run in a folder of its own, or the earlier one that `resume=...` names.

    Raises:
        ConfigError: for a mistake in the overrides.
    """
    given = _as_given(experiment, overrides)
    register(NewFolders())
    project = Project.here()
    with searching(Searched.of(project, own_first=True)), _explained(given):
        _check(given)
        given = [of_every_model(letters_of_all_languages(literal(override, "train"))) for override in given]
        return as_resumed(given, CONF, "train", project) if resumes(given) else _new(given, project)


def _as_given(experiment: Any, overrides: Any) -> list[str]:
    """All overrides as a list, with that of the experiment. Refuses what is no list of texts."""
    if experiment is not None and not isinstance(experiment, str):
        raise ConfigError(f'experiment={reprlib.repr(experiment)}: must be the name of a recipe, such as "mnist_cnn"')
    if isinstance(overrides, str):
        raise ConfigError(f"overrides is a list of settings: write overrides=[{overrides!r}]")
    if not isinstance(overrides, Sequence) or not all(isinstance(override, str) for override in overrides):
        said = f"overrides={reprlib.repr(overrides)}"
        raise ConfigError(f'{said}: must be a list of texts, such as ["trainer.max_epochs=1"]')
    return [*([f"experiment={experiment}"] if experiment is not None else []), *overrides]


def _check(overrides: list[str]) -> None:
    """Refuses what Hydra would explain badly, as on the command line, and the options of the command line.

    Raises:
        HydraException: saying what to write.
    """
    keys = Keys(CONF, "train", overrides)
    check_options(overrides, keys)
    for option in overrides:
        if is_multirun([option]):
            raise HydraException(f"{option}: a sweep starts {SWEEP}")
        if option.startswith("-"):
            raise HydraException(f"{option}: options are for the command line: litlab train {option}")
    refuse_mistakes(overrides, keys, searched().folders)


def _new(overrides: list[str], project: Project | None) -> Run:
    """A new run, whose folder has what Hydra writes into it on the command line."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        whole = hydra.compose("train", overrides, return_hydra_config=True)
    UnusedFolder().on_run_start(whole)
    folder = Path(whole.hydra.run.dir)
    cfg = OmegaConf.masked_copy(whole, [str(key) for key in whole if key != "hydra"])
    chosen = {str(group): str(option) for group, option in whole.hydra.runtime.choices.items()}
    (folder / CONFIG).parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(cfg, folder / CONFIG)
    OmegaConf.save(OmegaConf.create(overrides), folder / OVERRIDES)
    OmegaConf.save(OmegaConf.masked_copy(whole, "hydra"), folder / HYDRA)  # has the options that were chosen
    remove_absolute_paths(folder / HYDRA)
    return Run(cfg, folder, overrides, chosen, project=project)


@contextlib.contextmanager
def _explained(overrides: list[str]) -> Iterator[None]:
    """Turns what the command line says in one line into such an error: of Hydra, of a config file, of a folder."""
    try:
        yield
    except ConfigError:
        raise
    except Refused as refused:
        raise ConfigError(_here(one_line(refused.error))) from refused
    except Exception as error:
        said = explain_any(error, overrides, CONF, "train")
        if said is None:
            raise
        raise ConfigError(_here(said)) from error


def _here(said: str) -> str:
    """What the command line says, in words that fit Python."""
    for there, here in OF_SWEEPS.items():
        said = said.replace(there, here)
    return said
