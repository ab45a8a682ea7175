"""What litlab prints, and which warnings of other libraries it hides.

Only rank 0 prints. A run also writes what it prints to `train.log`. Control codes go to a terminal only, never to a
file or a pipe.
"""

import contextlib
import io
import logging
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unicodedata import category

from rich.console import Console, RenderableType
from rich.text import Text

from litlab.errors import FULL_ERROR, ConfigError, short_traceback

OF_MLFLOW = ("mlflow.store.db.utils", "alembic")  # tell that they make the tables of a new database
# Warnings of other libraries that are harmless, and that a user can do nothing about. No other warning is hidden.
HARMLESS_WARNINGS = (
    # Data sets are in memory. There is nothing to decode, so workers would only cost time.
    r".*does not have many workers which may be a bottleneck.*",
    # litlab says itself which device is used, and a CPU is a fine choice.
    r".*GPU available but not used.*",
    # torchmetrics has already computed the values over all ranks.
    r".*It is recommended to use `self.log\(.*sync_dist=True\)`.*",
    # A short run (`data.train_limit`, `mnist_sample`) has fewer batches than one logging interval.
    r".*The number of training batches .* is smaller than the logging interval.*",
    # The data sets of points (`data=line_points`) have no validation set.
    r".*Total length of `list` across ranks is zero.*",
    # torch's own schedulers call each other with a deprecated argument.
    r".*The epoch parameter in `scheduler.step\(\)` was not necessary.*",
    # Lightning passes DDP an argument that torch has deprecated, in each process.
    r".*`broadcast_buffers` is deprecated.*",
    # cuDNN writes the strides of a dimension of size 1 otherwise than DDP. They say nothing about the order in memory.
    r"Grad strides do not match bucket view strides.*",
    # `model.freeze=backbone` keeps what it freezes in evaluation mode.
    r"Found \d+ module\(s\) in eval mode at the start of training.*",
    # A block of steps may lack a class. The value of an epoch has them all.
    r"No (positive|negative) samples in targets.*",
    # `trainer.max_steps` or `trainer.max_time` may end an epoch before its validation; litlab has checked the name.
    r".*Early stopping conditioned on metric .* which is not available.*",
    # A resumed run may be without a callback that it had, such as early stopping, because its settings now say so.
    r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint need to be provided.*",
    # Lightning calls a function that torch has deprecated.
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
)


SCRIPTS = ("train.py", "predict.py")  # in one folder, the clone


class Terminal(Console):
    """A console that goes quiet when its reader leaves, as in `python train.py | head`. The training goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        leave_standard_output()


def leave_standard_output() -> None:
    """Discards everything that this process still prints, whoever prints it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def never_fail_to_encode() -> None:
    """Prints `\\u732b` for a character that the terminal cannot show. Python would end the program at it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Writes what is still to be printed. If the reader has left, Python would complain about that when it ends."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        leave_standard_output()


def draw_into_files() -> None:
    """Makes matplotlib draw into files, here and in the processes that this one starts.

    A command that is typed in Jupyter or Colab inherits a backend of the notebook, which it may not have.
    """
    os.environ["MPLBACKEND"] = "agg"


INSTALLED = "LITLAB_COMMAND"  # set by the command `litlab`, and not by the scripts of a clone


def typed(script: str) -> str:
    """The beginning of a command to type next: `python train.py`, or `litlab train` if that is what was typed.

    Args:
        script: train or predict.
    """
    return f"litlab {script}" if INSTALLED in os.environ else f"python {script}.py"


# Text is printed as it is: [random_crop] is a list, not markup.
PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
console = Terminal(**PLAIN, soft_wrap=not os.isatty(1))
log = logging.getLogger("litlab")


def is_rank_zero() -> bool:
    """Whether this process is the one that prints and writes files."""
    return int(os.environ.get("RANK", 0)) == 0


def say(message: RenderableType, shown: RenderableType | None = None) -> None:
    """Prints text or a rich table on the terminal and writes it to the log.

    Args:
        shown: what the terminal shows instead, such as a shorter text.
    """
    if not is_rank_zero():
        return
    shown = message if shown is None else shown
    is_text = isinstance(shown, str | Text)
    console.print(shown, soft_wrap=is_text, crop=console.is_terminal)  # no line break inside a command
    if any(isinstance(handler, logging.FileHandler) for handler in logging.getLogger().handlers):
        # Without force_jupyter, a notebook would show an empty line for what is captured.
        plain = Console(**PLAIN, width=110, no_color=True, force_terminal=False, force_jupyter=False)
        with plain.capture() as captured:
            plain.print(message, crop=False)
        log.info(captured.get().rstrip())


def warn(message: str) -> None:
    """Prints a warning on stderr, and writes it to the log."""
    if is_rank_zero():
        print(f"warning: {message}", file=sys.stderr, flush=True)
        if log.hasHandlers():  # without one, Python would print it a second time
            log.warning(message)


def command(script: str, *arguments: str) -> str:
    """A command that can be pasted: quoted for a shell, with the script where the user has found the other one.

    Args:
        script: `train.py` or `predict.py`.
        arguments: unquoted.
    """
    started = Path(sys.argv[0])
    elsewhere = started.name not in SCRIPTS and not Path(script).is_file()  # python -m litlab.sweeps in a project
    if INSTALLED in os.environ or elsewhere:
        return shlex.join(["litlab", script.removesuffix(".py"), *arguments])
    here = started.parent if started.name in SCRIPTS else Path()
    here = Path() if here.absolute() == Path.cwd() else here
    return shlex.join(["python", str(here / script), *arguments])


# Characters without width that say whether the letters beside them join. Persian words and some emoji need them.
JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """`text`, with an escape code for each character that would move the cursor or cannot be encoded."""
    return "".join(
        c if c.isprintable() or c in JOINERS or category(c) == "Zs" else c.encode("unicode_escape").decode()
        for c in text
    )


def number(value: float) -> str:
    """A metric in four decimals, or in four digits if it is very small or very large."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def listed(names: Sequence[object], most: int) -> str:
    """`a, b, c and 4 more`: the first `most` names, and how many others there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def show_own_lines(error: Exception) -> None:
    """Prints an error of the user's own code without the calls of litlab and of libraries, which are in the log."""
    log.error("".join(traceback.format_exception(error)).rstrip())
    print(f"{short_traceback(error)}\n({FULL_ERROR}=1 shows all calls)", file=sys.stderr, flush=True)


def log_to(run: Path) -> None:
    """Writes the log to `train.log` in a run folder, as Hydra does where it composes the config."""
    logging.basicConfig(level=logging.INFO, handlers=[_log_file(run)])


@contextlib.contextmanager
def logged_to(run: Path) -> Iterator[None]:
    """Writes the log to `train.log` in a run folder too, in the block.

    A notebook may have handlers of its own. They get nothing of it, since the same lines are printed.

    Raises:
        ConfigError: if the file cannot be written.
    """
    try:
        handler = _log_file(run)
    except OSError as error:
        raise ConfigError(f"{run}: cannot be written to: {error.strerror}") from error
    root, level, propagate = logging.getLogger(), log.level, log.propagate
    for logger in (root, log):  # the root has the warnings of other libraries
        logger.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        for logger in (root, log):
            logger.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate
        handler.close()


def reopen_log(run: Path) -> None:
    """Lets `train.log` go on in a run folder that has been made anew. The next line opens it."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == run.resolve():
            handler.close()


def _log_file(run: Path) -> logging.FileHandler:
    handler = logging.FileHandler(run / "train.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler


def log_nowhere() -> None:
    """Keeps the log out of the terminal in a process that has no `train.log`. Python would print its warnings there."""
    logging.getLogger("litlab").addHandler(logging.NullHandler())


def one_line_warnings() -> None:
    """Prints the warnings of all libraries in one line, like litlab's own, without the line of code that warned."""

    def line(message: Warning | str, *_: Any) -> str:
        return f"warning: {' '.join(str(message).split())}\n" if is_rank_zero() else ""

    warnings.formatwarning = line  # type: ignore[assignment]


@contextlib.contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Does the same in the block only: a notebook's own warnings stay as they are."""
    before = warnings.formatwarning
    one_line_warnings()
    try:
        yield
    finally:
        warnings.formatwarning = before


def quieten() -> None:
    """Hides the warnings listed above, and what Lightning says about devices and its own products."""
    logging.raiseExceptions = False  # litlab itself says what could not be written to a full disk
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero", *OF_MLFLOW):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)  # warns of making an experiment
