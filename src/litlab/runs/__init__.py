"""The run folder: where its files are, its result, its lock. Needs no torch."""

from litlab.runs.folders import find_run, forget_where, make_new, newest_checkpoint, remove_if_unused
from litlab.runs.layout import (
    BEST,
    CONFIG,
    FOLDER,
    LAST,
    LATEST,
    LOG,
    METRICS,
    OVERRIDES,
    PREVIOUS,
    RESULT,
    best_or_last,
)
from litlab.runs.lock import hold, is_running
from litlab.runs.result import finite, objective_value, read_result, write_failed, write_result

__all__ = [
    "BEST",
    "CONFIG",
    "FOLDER",
    "LAST",
    "LATEST",
    "LOG",
    "METRICS",
    "OVERRIDES",
    "PREVIOUS",
    "RESULT",
    "best_or_last",
    "find_run",
    "finite",
    "forget_where",
    "hold",
    "is_running",
    "make_new",
    "newest_checkpoint",
    "objective_value",
    "read_result",
    "remove_if_unused",
    "write_failed",
    "write_result",
]
