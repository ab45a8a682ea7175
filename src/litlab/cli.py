"""What the two scripts share: Hydra composes, litlab works, and a mistake is one line and exit status 2."""

import contextlib
import functools
import inspect
import itertools
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from litlab import console, ranks, resume, sweeps
from litlab.config import ConfigError, in_sweep, suggest
from litlab.console import one_line
from litlab.resume import Resumed
from litlab.runs import remove_if_unused
from litlab.sweeps import SweepStopped

FULL_ERROR = "HYDRA_FULL_ERROR"


MADE: list[Path] = []  # the folders that `new_folder` has made


@functools.cache  # Hydra asks several times in one process
def new_folder(path: str) -> str:
    """Makes a folder that no other process has: `path`, or `path_2` and so on if that exists already."""
    for number in itertools.count(1):
        folder = Path(path if number == 1 else f"{path}_{number}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            MADE.append(folder)
            return str(folder)
    raise AssertionError


OmegaConf.register_new_resolver("new_folder", new_folder, replace=True)


class RunFailed(Exception):
    """A run that began and could not be finished. The message is one line; `status` is the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class Diverged(RunFailed):
    """The loss became NaN, and the run may go back (`on_nan=rewind`)."""


class Terminated(BaseException):
    """SIGTERM, where nobody else acts upon it: while libraries are imported, or data prepared."""


def terminate(signum: int, frame: FrameType | None) -> None:
    raise Terminated


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """In here Ctrl-C and SIGTERM wait for the end: while numpy or torch are imported, what they raise can get lost."""
    signals = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def script(config_name: str, paths: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Callable[[], None]]:
    """Makes `main(cfg)` a script that composes `conf/<config_name>.yaml`, or `main(cfg, resumed)` at `resume=...`.

    `paths` are settings that hold a file's name, which is taken as it was typed, with all its commas and brackets; but
    in a sweep a comma separates values.

    Exit status: 0 if all went well, 1 if a run failed, 2 for a wrong setting, 128 + the signal if interrupted.
    """

    def decorate(main: Callable[..., Any]) -> Callable[[], None]:
        wants_traceback = os.environ.get(FULL_ERROR)
        failures: list[Exception] = []
        unforeseen: list[Exception] = []  # of which the traceback is shown

        def job(cfg: DictConfig, *resumed: Resumed) -> Any:
            _restore_full_error(wants_traceback)  # for the processes that the job starts
            queue_again = signal.getsignal(signal.SIGUSR2)  # submitit's, in a job that it has started
            if in_sweep() and sweeps.is_stopped():
                remove_if_unused(Path(HydraConfig.get().runtime.output_dir))
                return None
            try:
                return main(cfg, *resumed)
            except Exception as error:
                expected = isinstance(error, ConfigError | RunFailed)
                if wants_traceback == "1" or not (expected or in_sweep()):
                    unforeseen.append(error)
                    raise
                if not expected:
                    traceback.print_exc()
                failures.append(error)  # not through Hydra, which would print it too, and end a sweep
                print(_line(error), file=sys.stderr)
                if isinstance(error, RunFailed) and error.status == 128 + signal.SIGUSR2 and callable(queue_again):
                    _queue(queue_again)
                elif in_sweep() and isinstance(error, RunFailed) and error.status > 128:
                    sweeps.stop(error.status)
                return None
            except (KeyboardInterrupt, Terminated):
                if not resumed:
                    remove_if_unused(Path(HydraConfig.get().runtime.output_dir))
                raise
            finally:
                os.environ[FULL_ERROR] = "1"

        functools.update_wrapper(job, main)
        conf = Path(inspect.getfile(main)).resolve().parent / "conf"
        OmegaConf.register_new_resolver("options", lambda: options(conf, config_name), replace=True)  # for --help

        def compose_and_run() -> None:
            if any(argument.startswith("resume=") for argument in sys.argv[1:]):
                try:
                    cfg, resumed = resume.from_command_line(sys.argv[1:], conf, config_name)
                except ConfigError as error:
                    failures.append(error)
                    print(_line(error), file=sys.stderr)
                else:
                    job(cfg, resumed)
            else:
                # litlab's options take the place of a plugin's of the same name, which validate them.
                warnings.filterwarnings("ignore", message=r"\n.* is validated against ConfigStore schema")
                hydra.main(version_base="1.3", config_path="conf", config_name=config_name)(job)()

        @functools.wraps(main)
        def run() -> None:
            ranks.adopt_slurm()
            if ranks.rank() > 0:  # under torchrun or SLURM
                from litlab import launch

                launch.follow()
            with ranks.leading():
                lead()

        def lead() -> None:
            # With this set Hydra raises what it would otherwise print over several lines, exiting with status 1.
            os.environ[FULL_ERROR] = "1"
            sweeps.ReportSweep.folder = None  # of an earlier call in this process
            handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
            if handlers[signal.SIGTERM] == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, terminate)
            if wants_traceback != "1":
                console.one_line_warnings()
            if not {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(sys.argv):
                sys.argv[1:] = [literal(argument, paths) for argument in sys.argv[1:]]
            try:
                refuse_null(sys.argv[1:], conf)
                compose_and_run()
            except BrokenPipeError:  # python train.py --help | head
                console.leave_standard_output()
            except (HydraException, OmegaConfBaseException, OSError) as error:  # a folder that cannot be written to
                if wants_traceback == "1" or error in unforeseen:
                    raise
                of_hydra = isinstance(error, HydraException | OmegaConfBaseException)
                said = explain(error, conf, config_name) if of_hydra else one_line(error)
                print(f"error: {said}", file=sys.stderr)
                for folder in MADE:
                    remove_if_unused(folder)
                sys.exit(2)
            except (KeyboardInterrupt, Terminated) as stopped:
                for signum in handlers:
                    signal.signal(signum, signal.SIG_DFL)  # a second time ends it at once
                if not sweeps.report_stopped():
                    print("interrupted", file=sys.stderr)
                for folder in MADE:
                    remove_if_unused(folder)
                signum = signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT
                sys.exit(stopped.status if isinstance(stopped, SweepStopped) else 128 + signum)
            finally:
                for signum, handler in handlers.items():
                    signal.signal(signum, handler)
                _restore_full_error(wants_traceback)
                console.flush()  # also when Hydra exits by itself, as after --help
            if failures:
                sys.exit(failures[0].status if isinstance(failures[0], RunFailed) else 2)

        return run

    return decorate


def options(conf: Path, config_name: str) -> str:
    """Each group of a config with its options and what each is: the first comment of its file."""
    lines = []
    defaults = OmegaConf.load(conf / f"{config_name}.yaml").defaults
    chosen = [key for entry in defaults if entry != "_self_" for key in entry]
    for group in sorted(key for key in chosen if "hydra" not in key):
        lines.append(f"{group}:")
        lines += [f"  {file.stem:<20} {described(file)}" for file in sorted((conf / group).glob("*.yaml"))]
    return "\n".join(lines) + "\n"


def described(file: Path) -> str:
    """What a config file says of itself, in its first comment that is not an instruction to Hydra."""
    comments = (line[1:].strip() for line in file.read_text().splitlines() if line.startswith("#"))
    return next((comment for comment in comments if not comment.startswith("@")), "")


def literal(argument: str, paths: Sequence[str]) -> str:
    """`input=photo (1).png` with its value quoted for Hydra, unless it is quoted or a list already."""
    key, _, value = argument.partition("=")
    written_for_hydra = value in ("", "null") or re.fullmatch(r"\[.*\]|'.*'|\".*\"", value)
    if key not in paths or (written_for_hydra and not (value and Path(value).exists())):
        return argument
    value = value.replace("${", "\\${")  # no interpolation either
    quoted = re.sub(r"(\\*)(')", r"\1\1\\\2", value)
    ending = len(quoted) - len(quoted.rstrip("\\"))
    return f"{key}='{quoted}{quoted[len(quoted) - ending :]}'"


def refuse_null(arguments: Sequence[str], conf: Path) -> None:
    """Refuses `GROUP=null`, of which Hydra says neither what it is nor what there is.

    Raises:
        HydraException: naming the options.
    """
    for argument in arguments:
        group, _, option = argument.partition("=")
        if option == "null" and (known := [file.stem for file in (conf / group).glob("*.yaml")]):
            raise HydraException(f"{argument}: no such option; {suggest(option, known)}")


def _queue(again: Callable[[int, Any], Any]) -> None:
    """Has submitit queue this job again, and ends this process; returns if it was queued often enough."""
    try:
        again(signal.SIGUSR2, None)
    except Exception as error:
        print(f"failed: {one_line(error)}", file=sys.stderr)


def _line(error: Exception) -> str:
    if not isinstance(error, RunFailed):
        return f"error: {error}"
    return f"{'failed' if error.status < 128 else 'interrupted'}: {error}"


def _restore_full_error(value: str | None) -> None:
    os.environ.pop(FULL_ERROR, None)
    if value is not None:
        os.environ[FULL_ERROR] = value


def explain(error: Exception, conf: Path, config_name: str) -> str:
    """An error of composition in one line that names the key and the valid choices."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        if group == "hydra/launcher" and option in sweeps.EXTRAS:
            return sweeps.needs_extra(option)
        if group:
            return f"{group}={option}: no such option; {suggest(option, error.options)}"
    if isinstance(error, OverrideParseException):
        return f"{error.override}: {one_line(error)}"
    text = str(error)
    if match := re.search(r"Could not override '([^']+)'", text):
        key = match[1]
        if error.__cause__ is not None and "could not be converted" in str(error.__cause__):
            return f"{key}: {one_line(error.__cause__)}"
        return _explain_unknown_key(key, conf, config_name)
    if match := re.search(r"Could not find '([^']+)'", text):
        return _explain_unknown_key(match[1], conf, config_name)
    return one_line(error).rstrip(".") + (f" ({one_line(error.__cause__)})" if error.__cause__ else "")


def _explain_unknown_key(key: str, conf: Path, config_name: str) -> str:
    """Names what could have been meant by `key`, from the config as it is without the bad override."""
    from hydra.core.global_hydra import GlobalHydra

    overrides = [arg for arg in sys.argv[1:] if re.match(r"[\w@/.]+=", arg) and arg.split("=")[0] != key]
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(conf), version_base="1.3"):
            cfg = hydra.compose(config_name, [o for o in overrides if not o.startswith("hydra")])
    except Exception:  # a second mistake beside this one: its own turn comes
        return f"{key} is unknown"
    path, known = "", cfg
    for part in key.replace("/", ".").split("."):
        if not isinstance(known, DictConfig):
            return f"{path} has no keys of its own: {key} is unknown"
        if part not in known:
            close = suggest(part, [str(k) for k in known])
            return f"{key} is unknown; {path or 'the config'}: {close}"
        path, known = f"{path}.{part}".lstrip("."), OmegaConf.select(known, part)
    return f"{key} is unknown"
