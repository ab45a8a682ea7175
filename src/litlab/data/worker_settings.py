"""The settings of the processes that load batches."""

import os
from typing import Any

from litlab.data.arguments import whole_number
from litlab.machine import cores

MOST_WORKERS = 8  # of one process, with num_workers=auto


def number_of_workers(value: Any) -> int:
    """The setting `num_workers` as a number. `auto` is one worker for each CPU core that this process has for itself.

    Raises:
        ValueError: if it is neither `auto` nor a number from 0.
    """
    if value == "auto":
        return min(MOST_WORKERS, max(1, cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    return whole_number("num_workers", value, 0)


def check_worker_settings(num_workers: int, persistent_workers: Any, prefetch_factor: Any) -> None:
    """Raises ValueError if settings need workers where there are none."""
    if num_workers == 0 and persistent_workers:
        raise ValueError("persistent_workers must be false or null without workers: num_workers is 0")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError("prefetch_factor must be null without workers: num_workers is 0")
