"""What both sweepers share: the folders of jobs, a launcher that survives a killed job, and the report at the end."""

import contextlib
import functools
import signal
import sys
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from litlab.config import check_composed, check_swept, typed_overrides
from litlab.errors import ConfigError, SweepStopped, Terminated
from litlab.project import Project
from litlab.runs import OVERRIDES
from litlab.sweeps.composing import COMPOSITION, JobNotComposed, SweepConfigLoader
from litlab.sweeps.folders import check_places, name_by_what_is_swept
from litlab.sweeps.launchers import ResilientLauncher, check_launcher, end_ray, launcher_name
from litlab.sweeps.stopping import (
    SIGNALS,
    clear_marks,
    forget_number_of_jobs,
    how_to_go_on,
    note_and_raise,
    note_interrupted,
    note_number_of_jobs,
    note_signals,
    number_of_jobs,
    pass_signals_on,
    refused,
    stopped_with,
)
from litlab.sweeps.table import TABLE, print_report

WAIT_S = 40  # beyond the grace period of a job, which may have to start or to end its processes

WRITTEN = ("multirun.yaml", TABLE, "sweep.png", "sweep.html")  # the files of a sweep


class ReportedSweeper(Sweeper):
    """A sweeper that always ends with the report of its folder. A subclass defines `run_jobs`."""

    hydra_context: HydraContext
    config: DictConfig
    launcher: ResilientLauncher
    folder: Path

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        check_launcher(config.hydra)
        Project.here().make_importable()  # what identifies a job may depend on its classes
        loader: Any = SweepConfigLoader(hydra_context.config_loader)
        hydra_context = HydraContext(config_loader=loader, callbacks=hydra_context.callbacks)
        self.hydra_context, self.config = hydra_context, config
        self.folder = Path(config.hydra.sweep.dir)
        name_by_what_is_swept(config)
        chosen = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        typed = self.parsed(typed_overrides(config.hydra))
        fixed = {override.key_or_group for override in typed if not override.is_sweep_override()}
        self.launcher = ResilientLauncher(chosen, self.folder, fixed)

    def sweep(self, arguments: list[str]) -> None:
        """Runs the jobs of a command line, and prints the report.

        Raises:
            SweepStopped: if a signal has stopped them.
            SystemExit: with status 1 if a job did not complete, with 2 if one was refused.
        """
        check_places(self.folder, files=WRITTEN)
        clear_marks(self.folder)
        launcher = launcher_name(self.config.hydra)
        if launcher == "Joblib":
            pass_signals_on(self.folder)
        elif launcher == "Basic":
            note_and_raise(self.folder)
        else:
            grace_s = OmegaConf.select(self.config, "preempt_grace_s")  # is checked later
            note_signals(self.folder, WAIT_S + (grace_s if isinstance(grace_s, int | float) else 0))
        try:
            self.run_jobs(arguments)
            if status := stopped_with(self.folder):
                raise SweepStopped(status)
        except (KeyboardInterrupt, Terminated) as stopped:
            for signum in SIGNALS:
                signal.signal(signum, signal.SIG_DFL)  # a second signal ends the report at once
            end_ray()
            self.report_stopped()
            by = signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT
            raise SweepStopped(stopped.status if isinstance(stopped, SweepStopped) else 128 + by) from None
        forget_number_of_jobs(self.folder)  # all have begun; equal trials of a study are one job
        lines = refused(self.folder)
        unfinished = print_report(self.folder, refused=lines, ended=True).unfinished if self._has_jobs() else []
        if failed := len(unfinished) or self.launcher.lost:
            print(f"failed: {failed} of the sweep's jobs did not complete", file=sys.stderr)
            sys.exit(1)
        if lines:
            sys.exit(2)

    @abstractmethod
    def run_jobs(self, arguments: list[str]) -> None:
        """Runs the jobs of a command line."""

    def parsed(self, arguments: list[str]) -> list[Override]:
        """The overrides of a command line as Hydra understands them."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        return parser.parse_overrides(arguments)

    def check_values(self, settings: Iterable[str]) -> None:
        """Refuses a value with which a job would fail, before the first job begins.

        Args:
            settings: such as `optimizer.lr=0.1`.

        Raises:
            HydraException: naming the setting.
        """
        different = dict.fromkeys(settings)
        self._check_options(different)
        times = Counter(setting.partition("=")[0] for setting in different)
        swept = {key for key, count in times.items() if count > 1}
        with _refused_before_the_first_job():
            for setting in different:
                check_swept(setting, self.config, swept)

    def _check_options(self, settings: Iterable[str]) -> None:
        """Refuses an option that its group does not have. Hydra has no words for one that is a number.

        Raises:
            MissingConfigException: as Hydra's own.
        """
        options_in = functools.cache(self.hydra_context.config_loader.get_group_options)  # cached: it reads the disk
        for setting in settings:
            group = setting.partition("=")[0].split("@")[0].lstrip("+")
            if group.startswith("~") or not (there := options_in(group)):
                continue
            value = self.parsed([setting])[0].value()
            if isinstance(value, list | dict) or "${" in str(value):
                continue
            option = "null" if value is None else value.text if isinstance(value, QuotedString) else str(value)
            folder, _, name = f"{group}/{option}".rpartition("/")  # an option may be in a folder below the group
            if name.removesuffix(".yaml") not in options_in(folder):
                raise MissingConfigException(f"{setting}: no such option", f"{group}/{option}", there)

    def composed(self, overrides: Sequence[str]) -> DictConfig:
        """The config of a job.

        Raises:
            HydraException: if it cannot be composed, or a setting lacks another one beside it.
        """
        try:
            cfg = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        except COMPOSITION as error:
            raise JobNotComposed(error, overrides, self._own_options(overrides)) from error
        with _refused_before_the_first_job():
            check_composed(cfg)
        return cfg

    def _own_options(self, overrides: Sequence[str]) -> list[str]:
        """The overrides of a job that choose an option which other jobs have not."""
        is_group = self.hydra_context.config_loader.get_group_options
        keys = {override: override.partition("=")[0] for override in overrides}
        own = [override for override, key in keys.items() if key not in self.launcher.fixed]
        return [override for override in own if is_group(keys[override].split("@")[0].lstrip("+~"))]

    def save_config(self, jobs: int) -> None:
        """Writes `multirun.yaml`. A folder with this file is a sweep.

        Args:
            jobs: the number of all jobs, with those of earlier starts.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, self.folder / "multirun.yaml")
        note_number_of_jobs(self.folder, jobs)

    def _has_jobs(self) -> bool:
        return any(self.folder.glob(f"*/{OVERRIDES}"))

    def report_stopped(self) -> None:
        """Prints the report of a sweep that a signal has stopped, and how to go on."""
        if not self._has_jobs():
            clear_marks(self.folder)  # which nobody else would remove
            print("interrupted: no job has begun", file=sys.stderr)
            return
        note_interrupted(self.folder)
        print_report(self.folder, number_of_jobs(self.folder), refused(self.folder), ended=True)
        print(how_to_go_on(self.folder), file=sys.stderr)


@contextlib.contextmanager
def _refused_before_the_first_job() -> Iterator[None]:
    """Hydra prints its own exceptions in one line."""
    try:
        yield
    except ConfigError as error:
        raise HydraException(str(error)) from error
