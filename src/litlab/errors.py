"""Errors that end a run or a script, each with one line for the user."""

import functools
import re
import signal
import sysconfig
import traceback
from pathlib import Path

from litlab.files import shown

FULL_ERROR = "HYDRA_FULL_ERROR"  # the variable that a user sets to 1 to see tracebacks
LITLAB = Path(__file__).parent
STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]
LIBRARIES = {"site-packages", "dist-packages"}  # the folders that installed libraries are in


class ConfigError(ValueError):
    """A wrong setting. The message is one line: it names the key and says what to change."""


class RunFailed(Exception):
    """A run that began and could not be finished. The message is one line; `status` is the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class Diverged(RunFailed):
    """The loss became NaN, and the run may go back to a checkpoint (`on_nan=rewind`)."""


class Interrupted(BaseException):
    """A signal has stopped the run, after the run has saved its checkpoint.

    A BaseException, so that `except Exception` in a file reader cannot swallow it.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class Terminated(BaseException):
    """SIGTERM came before the training had begun: during imports, or while data was prepared."""


class SweepStopped(KeyboardInterrupt):
    """A signal has stopped a sweep; `status` is the exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def one_line(error: BaseException) -> str:
    """The first line of an error's message, or the name of its type.

    Beside a bare name or path its type is said. A first line that only announces the second is joined with it. All
    lines are joined if the user's own code has written them. If it has raised the error, its place there comes at the
    end, unless it refuses a value on purpose.
    """
    lines = (str(error).strip() or type(error).__name__).splitlines()
    if isinstance(error, SyntaxError) and error.filename:  # Python's own text has no folder
        return f"{error.msg} ({shown(Path(error.filename))}, line {error.lineno})"
    lines = lines[-1:] if _of_worker(error) else lines
    own = own_frames(error)
    if own and _is_raise(own[-1]):
        lines = [" ".join(line.strip() for line in lines if line.strip())]
    line = " ".join(lines[:2]) if lines[0].rstrip().endswith(":") else lines[0]
    line = re.sub(r"^\[Errno \d+\] ", "", line)  # Permission denied: 'runs'
    if isinstance(error, LookupError | OSError) and " " not in line and line != type(error).__name__:
        line = f"{type(error).__name__}: {line}"  # KeyError: 'x', FileNotFoundError: x.npy
    line = re.sub(r"torch\.Size\((\[.*?\])\)", r"\1", line)  # a shape, without the name of its type
    return line if own and _refuses_a_value(error, own[-1]) else line + place_of(error)


def place_of(error: BaseException) -> str:
    """` (mylab/networks.py, line 18)`: where the user's own code has raised an error; empty if it has not."""
    own = own_frames(error)
    return f" ({shown(Path(own[-1].filename))}, line {own[-1].lineno})" if own else ""


def with_type(error: BaseException) -> str:
    """`AttributeError: 'Tiny' object has no attribute 'layr' (mylab/networks.py, line 18)`: an unexpected error."""
    line, name = one_line(error), type(error).__name__
    return line if line.startswith(name) else f"{name}: {line}"


def described(value: object) -> str:
    """What a user's own code has returned, for a message: `uint8 [2, 3, 32, 32]`, or the name of its type."""
    if value is None:
        return "None: is a return missing?"
    if isinstance(value, type):
        return f"the class {value.__name__}: are its () missing?"
    dtype = str(getattr(value, "dtype", ""))
    if dtype.startswith("torch."):  # that of an array is written `uint8` as well, and an array is no tensor
        return f"{dtype.removeprefix('torch.')} {list(getattr(value, 'shape', ()))}"
    return type(value).__name__


def name_of(function: object) -> str:
    """The name of a function, or of the class of a callable, for a message. Of a partial, that of its function."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The calls within the user's own code that led to an error, the innermost last.

    Empty if litlab has raised it, or a library that litlab has called.
    """
    calls = [*traceback.extract_tb(error.__traceback__), *_of_worker(error)]
    frames = [frame for frame in calls if _is_of_litlab(frame) or not _is_of_a_library(frame)]
    if not frames or _is_of_litlab(frames[-1]):
        return []
    return [frame for frame in frames if not _is_of_litlab(frame)]


def short_traceback(error: BaseException) -> str:
    """An error as Python prints it, with the calls within the user's own code alone."""
    lines = traceback.format_list(own_frames(error))
    said = str(error).splitlines()[-1:] if _of_worker(error) else traceback.format_exception_only(error)
    return "".join([*lines, *said]).rstrip()


def _of_worker(error: BaseException) -> list[traceback.FrameSummary]:
    """The calls in a worker of a DataLoader, which torch puts into the message of its error; empty for other errors."""
    first, _, rest = str(error).partition("\n")
    if not (first.startswith("Caught ") and rest.startswith("Original Traceback")):
        return []
    calls = re.findall(r'^  File "(.+)", line (\d+), in (.+)$', rest, re.MULTILINE)
    return [traceback.FrameSummary(file, int(line), name) for file, line, name in calls]


def _refuses_a_value(error: BaseException, frame: traceback.FrameSummary) -> bool:
    """Whether the user's own code has raised a ValueError with a message of its own, as litlab's own parts do."""
    return isinstance(error, ValueError) and _is_raise(frame)


def _is_raise(frame: traceback.FrameSummary) -> bool:
    """Whether the error begins in this line, and was not raised by something that the line calls."""
    return (frame.line or "").startswith("raise ")


def _is_of_litlab(frame: traceback.FrameSummary) -> bool:
    return Path(frame.filename).is_relative_to(LITLAB)


def _is_of_a_library(frame: traceback.FrameSummary) -> bool:
    """Whether a call is of Python or of an installed library, which litlab may be, too."""
    file = frame.filename
    return file.startswith(("<", STANDARD_LIBRARY)) or not LIBRARIES.isdisjoint(Path(file).parts)
