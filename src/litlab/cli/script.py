"""Makes a function of a `Run` a script: Hydra composes, litlab works, and a mistake is one line and exit status 2."""

import contextlib
import functools
import inspect
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab import console
from litlab.cli.explain import explain
from litlab.cli.help import options
from litlab.cli.overrides import is_multirun, literal, refuse_null
from litlab.cli.runs import NewFolders, as_asked, as_resumed
from litlab.cli.signals import end_at_next_signal, sigterm_raises
from litlab.config import Run
from litlab.distributed.ranks import is_rank, rank
from litlab.distributed.slurm import adopt_slurm
from litlab.distributed.store import leading
from litlab.errors import ConfigError, RunFailed, SweepStopped, Terminated, one_line
from litlab.runs import remove_if_unused
from litlab.sweeps import stop, stopped_with

FULL_ERROR = "HYDRA_FULL_ERROR"
OF_HYDRA = (HydraException, OmegaConfBaseException)

Main = Callable[[Run], Any]


def script(config_name: str, paths: Sequence[str] = ()) -> Callable[[Main], Callable[[], None]]:
    """Makes `main(run)` a script that composes `conf/<config_name>.yaml`, which is beside the script.

    Exit status: 0 if all went well, 1 if a run failed, 2 for a wrong setting, 128 + the signal if interrupted.

    Args:
        config_name: of the config.
        paths: settings that hold the name of a file, which is taken as it was typed, with all its commas and brackets.
            In a sweep a comma separates values.
    """

    def decorate(main: Main) -> Callable[[], None]:
        conf = Path(inspect.getfile(main)).resolve().parent / "conf"
        OmegaConf.register_new_resolver("options", lambda: options(conf, config_name), replace=True)  # for --help

        @functools.wraps(main)
        def call() -> None:
            adopt_slurm()
            if rank() > 0:  # under torchrun or SLURM: rank 0 reads the command line
                from litlab.worker import follow

                follow()
            with leading() if is_rank() else contextlib.nullcontext():
                Script(main, conf, config_name, paths)()

        return call

    return decorate


class Script:
    """One call of a script."""

    def __init__(self, main: Main, conf: Path, config_name: str, paths: Sequence[str]) -> None:
        self.main, self.conf, self.config_name, self.paths = main, conf, config_name, paths
        self.full_error = os.environ.get(FULL_ERROR)  # "1": the user wants to see tracebacks
        self.failures: list[Exception] = []  # that were said already
        self.unexpected: list[Exception] = []  # whose traceback is shown
        self.folders = NewFolders()

    def __call__(self) -> None:
        """Reads the command line, works, and exits with the status that it came to."""
        OmegaConf.register_new_resolver("new_folder", self.folders, replace=True)
        if not self.wants_traceback:
            console.one_line_warnings()
        if not is_multirun(sys.argv):
            sys.argv[1:] = [literal(argument, self.paths) for argument in sys.argv[1:]]
        with sigterm_raises():
            try:
                with hydra_raises():
                    refuse_null(sys.argv[1:], self.conf)
                    self.compose_and_work()
            except BrokenPipeError:  # python train.py --help | head
                console.leave_standard_output()
            except (*OF_HYDRA, OSError) as error:  # OSError: a folder that cannot be written to
                if self.wants_traceback or error in self.unexpected:
                    raise
                said = explain(error, self.conf, self.config_name) if isinstance(error, OF_HYDRA) else one_line(error)
                print(f"error: {said}", file=sys.stderr)
                self.remove_unused()
                sys.exit(2)
            except (KeyboardInterrupt, Terminated) as stopped:
                end_at_next_signal()
                if not isinstance(stopped, SweepStopped):  # which has reported
                    print("interrupted", file=sys.stderr)
                self.remove_unused()
                sys.exit(status_of(stopped))
            finally:
                console.flush()  # also when Hydra exits by itself, as after --help
        if self.failures:
            sys.exit(getattr(self.failures[0], "status", 2))

    @property
    def wants_traceback(self) -> bool:
        return self.full_error == "1"

    def compose_and_work(self) -> None:
        """Has Hydra compose the config, or composes that of the run that `resume=` names, and works."""
        if not any(argument.startswith("resume=") for argument in sys.argv[1:]):
            # litlab's options take the place of a plugin's of the same name, which validate them.
            warnings.filterwarnings("ignore", message=r"\n.* is validated against ConfigStore schema")
            job = functools.update_wrapper(lambda cfg: self.work_as_asked(cfg), self.main)
            hydra.main(version_base="1.3", config_path="conf", config_name=self.config_name)(job)()
            return
        try:
            run = as_resumed(sys.argv[1:], self.conf, self.config_name)
        except ConfigError as error:
            self.say(error)
        else:
            self.work(run)

    def work_as_asked(self, cfg: DictConfig) -> Any:
        """The job of a config that Hydra has composed; one of several in a sweep."""
        run = as_asked(cfg)
        if run.job and stopped_with(run.job.folder):
            remove_if_unused(run.folder)
            return None
        try:
            return self.work(run)
        except (KeyboardInterrupt, Terminated):
            remove_if_unused(run.folder)
            raise

    def work(self, run: Run) -> Any:
        """Calls `main`. An error is said here: Hydra would print it too, and would end a sweep."""
        queue_again = signal.getsignal(signal.SIGUSR2)  # submitit's, in a job that it has started
        try:
            with errors_as_the_user_wants(self.full_error):  # for the processes that the job starts
                return self.main(run)
        except Exception as error:
            expected = isinstance(error, ConfigError | RunFailed)
            if self.wants_traceback or not (expected or run.job):
                self.unexpected.append(error)
                raise
            if not expected:
                traceback.print_exc()
            self.say(error)
            status = getattr(error, "status", 0)
            if status == 128 + signal.SIGUSR2 and callable(queue_again):
                _queue(queue_again)
            elif run.job and status > 128:
                stop(run.job, status)
            return None

    def say(self, error: Exception) -> None:
        """Prints the one line of an error, which then decides the exit status."""
        self.failures.append(error)
        kind = "error"
        if isinstance(error, RunFailed):
            kind = "failed" if error.status < 128 else "interrupted"
        print(f"{kind}: {error}", file=sys.stderr)

    def remove_unused(self) -> None:
        """Removes the folders that were made for a run that never began."""
        for folder in self.folders.made.values():
            remove_if_unused(folder)


def status_of(stopped: BaseException) -> int:
    """The exit status after a signal."""
    if isinstance(stopped, SweepStopped):
        return stopped.status
    return 128 + (signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def errors_as_the_user_wants(value: str | None) -> Iterator[None]:
    """Sets HYDRA_FULL_ERROR in the block; None: unset."""
    before = os.environ.pop(FULL_ERROR, None)
    if value is not None:
        os.environ[FULL_ERROR] = value
    try:
        yield
    finally:
        os.environ.pop(FULL_ERROR, None)
        if before is not None:
            os.environ[FULL_ERROR] = before


def hydra_raises() -> contextlib.AbstractContextManager[None]:
    """Makes Hydra raise what it would otherwise print over several lines, exiting with status 1."""
    return errors_as_the_user_wants("1")


def _queue(again: Callable[[int, Any], Any]) -> None:
    """Has submitit queue this job again, and ends this process; returns if it was queued often enough."""
    try:
        again(signal.SIGUSR2, None)
    except Exception as error:
        print(f"failed: {one_line(error)}", file=sys.stderr)
