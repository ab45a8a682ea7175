"""The run that overrides ask for, as on the command line of `litlab train`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import hydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab.cli.explain import explain
from litlab.cli.folders import NewFolders, register
from litlab.cli.runs import as_resumed, resumes
from litlab.config import Run
from litlab.errors import ConfigError
from litlab.project import CONF, Project, Searched, searching
from litlab.runs import CONFIG, OVERRIDES, holds_run


def run_of(overrides: list[str]) -> Run:
    """A new run in a folder of its own, or the earlier one that `resume=...` names.

    Raises:
        ConfigError: for a mistake in the overrides.
    """
    register(NewFolders())
    project = Project.here()
    with searching(Searched.of(project, own_first=True)), _explained(overrides):
        return as_resumed(overrides, CONF, "train", project) if resumes(overrides) else _new(overrides, project)


def _new(overrides: list[str], project: Project | None) -> Run:
    """A new run, whose folder has what Hydra writes into it on the command line."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        whole = hydra.compose("train", overrides, return_hydra_config=True)
    folder = Path(whole.hydra.run.dir)
    cfg = OmegaConf.masked_copy(whole, [str(key) for key in whole if key != "hydra"])
    chosen = {str(group): str(option) for group, option in whole.hydra.runtime.choices.items()}
    if holds_run(folder):
        raise ConfigError(f"{folder}: there is a run in it already; choose another folder or name")
    (folder / CONFIG).parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(cfg, folder / CONFIG)
    OmegaConf.save(OmegaConf.create(overrides), folder / OVERRIDES)
    return Run(cfg, folder, overrides, chosen, project=project)


@contextlib.contextmanager
def _explained(overrides: list[str]) -> Iterator[None]:
    """Turns an error of Hydra in the block into one line."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, overrides, CONF, "train")) from error
