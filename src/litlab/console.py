"""What litlab prints, and which warnings of other libraries it hides.

Only rank 0 prints. In a run, what it prints is also written to `train.log`. Control codes go to a terminal only,
never to a file or a pipe.
"""

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any
from unicodedata import category

from rich.console import Console, RenderableType
from rich.text import Text

# Remarks of third parties that are known, harmless and not for the user to act on. Nothing else is filtered.
HARMLESS_WARNINGS = (
    # Data sets live in memory: with no decoding to do, workers only add overhead.
    r".*does not have many workers which may be a bottleneck.*",
    # litlab says itself which device is used, and a CPU is a fine choice.
    r".*GPU available but not used.*",
    # Values given to `self.log` are computed by torchmetrics over all ranks already.
    r".*It is recommended to use `self.log\(.*sync_dist=True\)`.*",
    # A short run (`data.train_limit`, `mnist_sample`) has fewer batches than one logging interval.
    r".*The number of training batches .* is smaller than the logging interval.*",
    # A few points to fit a curve through have no validation set.
    r".*Total length of `list` across ranks is zero.*",
    # torch's own schedulers call each other with a deprecated argument.
    r".*The epoch parameter in `scheduler.step\(\)` was not necessary.*",
    # Lightning's use of an API that torch has deprecated since.
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",
)


class Terminal(Console):
    """A console whose reader may leave (`python train.py | head`): that ends neither a training nor in a traceback."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        leave_standard_output()


def leave_standard_output() -> None:
    """Sends what is still to be printed, by anybody, to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def flush() -> None:
    """Writes what is still to be printed; Python itself, at its end, would complain of a reader that has left."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        leave_standard_output()


# What is printed is the user's: [random_crop] is a list, no markup.
PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
console = Terminal(**PLAIN, soft_wrap=not os.isatty(1))
log = logging.getLogger("litlab")


def is_rank_zero() -> bool:
    """Whether this process is the one that speaks and writes."""
    return int(os.environ.get("RANK", 0)) == 0


def say(message: RenderableType) -> None:
    """Prints text or a rich table on the terminal and writes it to the log."""
    if not is_rank_zero():
        return
    console.print(message, soft_wrap=isinstance(message, str | Text))  # a command must not be broken
    if any(isinstance(handler, logging.FileHandler) for handler in logging.getLogger().handlers):
        plain = Console(**PLAIN, width=110, no_color=True, force_terminal=False)
        with plain.capture() as captured:
            plain.print(message)
        log.info(captured.get().rstrip())


def warn(message: str) -> None:
    """Prints a line that a user must see on stderr, and writes it to the log."""
    if is_rank_zero():
        print(f"warning: {message}", file=sys.stderr, flush=True)
        log.warning(message)


JOINERS = "\u200c\u200d"  # of zero width: they say whether the letters beside them join, in Persian and in emoji


def printable(text: str) -> str:
    """`text` with every character escaped that would move a cursor or cannot be encoded."""
    return "".join(
        c if c.isprintable() or c in JOINERS or category(c) == "Zs" else c.encode("unicode_escape").decode()
        for c in text
    )


def number(value: float) -> str:
    """A metric: four decimals, or four digits where those would say nothing or too much."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def log_to(run: Path) -> None:
    """Writes the log to `train.log` in a run folder, as Hydra does in a process in which it has composed the config."""
    handler = logging.FileHandler(run / "train.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def one_line_warnings() -> None:
    """Makes a warning of any library one line, like litlab's own, without the code that it came from."""

    def line(message: Warning | str, *_: Any) -> str:
        return f"warning: {' '.join(str(message).split())}\n" if is_rank_zero() else ""

    warnings.formatwarning = line  # type: ignore[assignment]


def quieten() -> None:
    """Leaves out the remarks listed above, and Lightning's notes on devices and its own products."""
    logging.raiseExceptions = False  # a log on a full disk: litlab says itself what could not be written
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
