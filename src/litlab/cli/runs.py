"""Makes a `Run` of a command line."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab.cli.overrides import without_config_dir
from litlab.config import Run, SweepJob, compose_again, typed_overrides
from litlab.errors import ConfigError
from litlab.project import Project, searched, searching
from litlab.runs import config_dirs, find_run, remove_absolute_paths
from litlab.sweeps import jobs_at_once, launcher_name


def as_asked(cfg: DictConfig, project: Project | None = None) -> Run:
    """The run for which Hydra has composed `cfg`, in the user's folder."""
    hydra: Any = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    job = None
    if hydra.mode == RunMode.MULTIRUN:
        job = SweepJob(
            number=hydra.job.num,
            folder=Path(hydra.runtime.cwd)
            / hydra.sweep.dir,  # absolute: a job may work in another folder (hydra.job.chdir)
            launcher=launcher_name(hydra),
            jobs_at_once=jobs_at_once(OmegaConf.select(hydra, "launcher.n_jobs")),
            cores=OmegaConf.select(hydra, "launcher.cpus_per_task"),
        )
    for recorded in (folder / ".hydra/hydra.yaml", folder.parent / "multirun.yaml"):
        remove_absolute_paths(recorded)
    overrides = typed_overrides(hydra)
    with contextlib.suppress(OmegaConfBaseException):  # one refers to no setting; the check of the config says so
        overrides = list(hydra.overrides.task)
    return Run(cfg, folder, overrides, dict(hydra.runtime.choices), job=job, project=project)


def resumes(arguments: list[str]) -> bool:
    """Whether arguments ask for an earlier run to go on. `resume=null`, its value in `conf/`, does not."""
    specs = [argument for argument in arguments if argument.startswith("resume=")]
    return bool(specs) and specs != ["resume=null"]


def as_resumed(arguments: list[str], conf: Path, config_name: str, project: Project | None = None) -> Run:
    """The run that `resume=...` asks for. It goes on in its own folder, with its own config.

    The folders of configs that `--config-dir` named are those of this command line, else those of the first one.

    Args:
        arguments: the command line, with one `resume=...` among them.
        conf: the folder of configs.
        config_name: such as `train`.
        project: the user's folder.

    Raises:
        ConfigError: if there is no such run, or the arguments do not go together.
    """
    arguments, extra = without_config_dir(arguments)
    specs = [argument.removeprefix("resume=") for argument in arguments if argument.startswith("resume=")]
    overrides = [argument for argument in arguments if not argument.startswith("resume=")]
    if any(argument.startswith("-") for argument in overrides):
        raise ConfigError(f"resume={specs[0]} goes with overrides only, not with {overrides[0]}")
    if named := next((argument for argument in overrides if argument.lstrip("+").startswith("name=")), None):
        raise ConfigError(f"{named}: a run that is resumed keeps its name; leave it out")
    if len(specs) > 1:
        raise ConfigError(f"resume={specs[0]} and resume={specs[1]}: there can be one only")
    folder, checkpoint = find_run(specs[0])
    extra = extra or [path.absolute() for path in config_dirs(folder)]
    with searching(replace(searched(), after=(*searched().after, *extra))):
        cfg, together = compose_again(folder, overrides, conf, config_name)
    return Run(cfg, folder, together, resumed=True, checkpoint=checkpoint, project=project)
