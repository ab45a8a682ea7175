"""The run folder: the names of its files, its result and its lock. Needs no torch."""

from litlab.runs.folders import (
    SWEEP,
    find_run,
    holds_run,
    make_new,
    newest_checkpoint,
    remove_if_unused,
    status_without_result,
)
from litlab.runs.layout import (
    BEST,
    CONFIG,
    FOLDER,
    HYDRA,
    LAST,
    LATEST,
    LOG,
    METRICS,
    OVERRIDES,
    PREVIOUS,
    RESULT,
    SPLITS,
    best_or_last,
)
from litlab.runs.lock import give_back, hold, is_running
from litlab.runs.portable import config_dirs, remove_absolute_paths
from litlab.runs.result import finite, objective_value, read_result, write_failed, write_result

__all__ = [
    "BEST",
    "CONFIG",
    "FOLDER",
    "HYDRA",
    "LAST",
    "LATEST",
    "LOG",
    "METRICS",
    "OVERRIDES",
    "PREVIOUS",
    "RESULT",
    "SPLITS",
    "SWEEP",
    "best_or_last",
    "config_dirs",
    "find_run",
    "finite",
    "give_back",
    "hold",
    "holds_run",
    "is_running",
    "make_new",
    "newest_checkpoint",
    "objective_value",
    "read_result",
    "remove_absolute_paths",
    "remove_if_unused",
    "status_without_result",
    "write_failed",
    "write_result",
]
