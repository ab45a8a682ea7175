"""Errors that end a run or a script, each with one line for the user."""

import signal


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
    """The first line of an error's message, or the name of its type. Beside a bare name or path its type is said."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, LookupError | OSError) and " " not in line and line != type(error).__name__:
        return f"{type(error).__name__}: {line}"  # KeyError: 'x', FileNotFoundError: x.npy
    return line
