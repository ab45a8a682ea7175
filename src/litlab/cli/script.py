"""Makes a function of a `Run` a script: Hydra composes the config, and a mistake is one line and exit status 2."""

import contextlib
import functools
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

import litlab
from litlab import console
from litlab.cli import full_error
from litlab.cli.explain import explain_any
from litlab.cli.folders import NewFolders, Refused, register
from litlab.cli.help import explain as explain_settings
from litlab.cli.help import general, options
from litlab.cli.keys import Keys, is_multirun
from litlab.cli.overrides import (
    check_options,
    check_words_of_options,
    help_asked,
    letters_of_all_languages,
    literal,
    of_every_model,
    options_first,
    refuse_mistakes,
    without_config_dir,
)
from litlab.cli.runs import as_asked, as_resumed, resumes
from litlab.cli.signals import end_at_next_signal, signals_reach, sigterm_raises
from litlab.config import Run
from litlab.distributed.ranks import is_rank, rank
from litlab.distributed.slurm import adopt_slurm
from litlab.distributed.store import leading
from litlab.errors import ConfigError, RunFailed, SweepStopped, Terminated, one_line, own_frames, with_type
from litlab.openmp import choose_waiting
from litlab.project import CONF, Project, Searched, searching
from litlab.runs import remove_if_unused
from litlab.sweeps import stop, stopped_with

Main = Callable[[Run], Any]


def script(config_name: str, own_first: bool = True) -> Callable[[Main], Callable[[], None]]:
    """Makes `main(run)` a script that composes `conf/<config_name>.yaml`. The current folder's configs extend litlab's.

    Exit status: 0 if all went well, 1 if a run failed, 2 for a wrong setting, 128 + the signal if interrupted.

    Args:
        config_name: of the config.
        own_first: configs of the current folder may also take the place of litlab's.
    """

    def decorate(main: Main) -> Callable[[], None]:

        @functools.wraps(main)
        def call() -> None:
            console.draw_into_files()
            adopt_slurm()
            if rank() > 0:  # under torchrun or SLURM, where rank 0 reads the command line
                from litlab.worker import follow

                follow()
            with leading() if is_rank() else contextlib.nullcontext():
                Script(main, config_name, own_first)()

        return call

    return decorate


class Script:
    """One call of a script.

    Args:
        main: what the script does with a run.
        config_name: of the config.
        own_first: configs of the current folder may take the place of litlab's.
    """

    def __init__(self, main: Main, config_name: str, own_first: bool) -> None:
        self.main, self.config_name = main, config_name
        self.project = Project.here()
        self.searched = Searched.of(self.project, own_first)
        self.full_error = full_error.wanted()
        self.failures: list[Exception] = []  # errors that have been printed
        self.unexpected: list[Exception] = []  # errors to be shown with their traceback
        self.folders = NewFolders()
        self.typed: dict[str, str] = {}  # arguments as Hydra gets them, and as they were typed
        self.waiting: str | None = None  # how CPU threads wait, for the log

    def __call__(self) -> None:
        """Reads the command line, does the work, and exits with the right status."""
        register(self.folders)
        for name, shown in (("options", options), ("general", general)):  # for --help
            OmegaConf.register_new_resolver(
                name, partial(shown, self.folders_of_configs, self.config_name), replace=True
            )
        OmegaConf.register_new_resolver("typed", console.typed, replace=True)
        console.never_fail_to_encode()
        self.waiting = choose_waiting()
        if not self.wants_traceback:
            console.one_line_warnings()
        with sigterm_raises(), searching(self.searched):
            try:
                with full_error.hydra_raises():
                    self.read_command_line()
                    self.compose_and_work()
            except BrokenPipeError:  # python train.py --help | head
                console.leave_standard_output()
            except Refused as refused:
                self.end_with_mistake(one_line(refused.error))
            except Exception as error:
                if self.wants_traceback or error in self.unexpected or not (said := self.explained(error)):
                    raise
                self.end_with_mistake(said)
            except (KeyboardInterrupt, Terminated) as stopped:
                self.end_interrupted(stopped)
            finally:
                console.flush()  # here, since Hydra may exit by itself, as after --help
        if self.failures:
            sys.exit(getattr(self.failures[0], "status", 2))

    @property
    def folders_of_configs(self) -> list[Path]:
        """In the order in which Hydra looks into them."""
        return [*self.searched.folders, *without_config_dir(sys.argv[1:])[1]]

    @property
    def wants_traceback(self) -> bool:
        return self.full_error == "1"

    def read_command_line(self) -> None:
        """Checks what Hydra would explain badly, and quotes the names of files."""
        arguments = sys.argv[1:]
        if "--version" in arguments:  # litlab's, and not Hydra's
            print(f"litlab {litlab.__version__}")
            sys.exit()
        keys = Keys(CONF, self.config_name, arguments)
        check_options(arguments, keys)
        check_words_of_options(arguments)
        if subjects := help_asked(arguments):
            found = [explain_settings(it, arguments, self.folders_of_configs, self.config_name) for it in subjects]
            print("\n".join(found))
            sys.exit()
        if self.config_name == "predict" and is_multirun(arguments):
            raise HydraException(f"-m: {console.typed('predict')} does one thing at a time; sweeps are for training")
        if self.config_name == "predict" and (folders := [a for a in arguments if a.startswith("hydra.run.dir=")]):
            raise HydraException(f"{folders[0]}: is for training; write output={folders[0].partition('=')[2]}")
        refuse_mistakes(arguments, keys, self.searched.folders)
        sys.argv[1:] = typed = options_first(arguments)
        if not is_multirun(arguments):
            sys.argv[1:] = [literal(argument, self.config_name) for argument in sys.argv[1:]]
        sys.argv[1:] = [letters_of_all_languages(argument) for argument in sys.argv[1:]]
        self.typed = dict(zip(sys.argv[1:], typed, strict=True))
        if self.config_name == "train":
            sys.argv[1:] = [of_every_model(argument) for argument in sys.argv[1:]]

    def compose_and_work(self) -> None:
        """Composes the config, or takes that of the run that `resume=` names, and does the work."""
        if self.config_name != "train" or not resumes(sys.argv[1:]):
            # Some files of conf/ have the name of a plugin's own config, and take its place. Hydra warns about that.
            warnings.filterwarnings("ignore", message=r"\n.* is validated against ConfigStore schema")
            job = functools.update_wrapper(lambda cfg: self.work_as_asked(cfg), self.main)
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=self.config_name)(job)()
            return
        try:
            run = as_resumed(sys.argv[1:], CONF, self.config_name, self.project)
        except ConfigError as error:
            self.say(error)
        else:
            self.work(run)

    def work_as_asked(self, cfg: DictConfig) -> Any:
        """Works with a config that Hydra has composed. In a sweep Hydra calls this for each job."""
        run = as_asked(cfg, self.project)
        if run.job and stopped_with(run.job.folder):
            remove_if_unused(run.folder)
            return None
        try:
            with signals_reach(run.job):
                done = self.work(run)
        except (KeyboardInterrupt, Terminated) as stopped:
            remove_if_unused(run.folder)
            if run.job is None or run.job.launcher != "Joblib":
                raise
            stop(run.job, _status_of(stopped))  # joblib would kill the other jobs before they have saved
            return None
        if run.job and stopped_with(run.job.folder):
            remove_if_unused(run.folder)  # it was told to stop before it trained
        return done

    def work(self, run: Run) -> Any:
        """Calls `main`, and prints its error: Hydra would print it again, and would end a sweep."""
        if self.waiting:
            console.log.info(self.waiting)
        usr2 = getattr(signal, "SIGUSR2", None)  # None on Windows
        queue_again = signal.getsignal(usr2) if usr2 else None  # in a job that submitit has started
        try:
            with full_error.full_error(self.full_error):  # as the user wants it in the processes that the job starts
                return self.main(run)
        except Exception as error:
            expected = isinstance(error, ConfigError | RunFailed)
            own = not expected and bool(own_frames(error))
            if self.wants_traceback or not (expected or own or run.job):
                self.unexpected.append(error)
                raise
            if own:
                console.show_own_lines(error)
                error = RunFailed(with_type(error))
            elif not expected:
                traceback.print_exc()
            self.say(error)
            status = getattr(error, "status", 0)
            if usr2 and status == 128 + usr2 and callable(queue_again):
                _queue(queue_again)
            elif run.job and status > 128:
                stop(run.job, status)
            return None

    def say(self, error: Exception) -> None:
        """Prints an error in one line. The first one decides the exit status."""
        self.failures.append(error)
        kind = "error"
        if isinstance(error, RunFailed):
            kind = "failed" if error.status < 128 else "interrupted"
        print(f"{kind}: {error}", file=sys.stderr)

    def explained(self, error: Exception) -> str | None:
        """A mistake in the command line or in a config file in one line; None for an error of another kind."""
        arguments, extra = without_config_dir(sys.argv[1:])
        with searching(replace(self.searched, after=(*self.searched.after, *extra))):
            said = explain_any(error, arguments, CONF, self.config_name)
        if said is not None:
            for argument, typed in self.typed.items():
                said = said.replace(argument, typed)
        return said

    def end_with_mistake(self, said: str) -> NoReturn:
        """Prints a mistake in one line, and exits."""
        print(f"error: {said}", file=sys.stderr)
        self.remove_unused()
        sys.exit(2)

    def end_interrupted(self, stopped: BaseException) -> NoReturn:
        """Exits after a signal."""
        end_at_next_signal()
        if not isinstance(stopped, SweepStopped):  # a sweep has printed its report
            print("interrupted", file=sys.stderr)
        self.remove_unused()
        sys.exit(_status_of(stopped))

    def remove_unused(self) -> None:
        """Removes the folders that were made for a run that never began."""
        for folder in self.folders.made.values():
            remove_if_unused(folder)


def _status_of(stopped: BaseException) -> int:
    """The exit status after a signal."""
    if isinstance(stopped, SweepStopped):
        return stopped.status
    return 128 + (signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT)


def _queue(again: Callable[[int, Any], Any]) -> None:
    """Lets submitit queue this job again, which ends this process. It returns if the job was queued often enough.

    Args:
        again: submitit's handler of SIGUSR2.
    """
    try:
        again(signal.SIGUSR2, None)
    except Exception as error:
        print(f"failed: {one_line(error)}", file=sys.stderr)
