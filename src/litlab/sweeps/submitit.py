"""Jobs that submitit starts: a line that says where they are, and no empty folder that it leaves behind."""

import contextlib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from litlab.console import say


@contextlib.contextmanager
def submitted(params: dict[str, Any] | None, jobs: int) -> Iterator[None]:
    """Says how many jobs are submitted, to what, and where their output is.

    submitit 1.5 makes a folder for the id of a job, such as `.submitit/5753`. On this machine it also makes one for the
    id before that is known, `.submitit/%j`, and leaves it empty. It is removed at the end.

    Args:
        params: of a launcher of submitit; None for another launcher, about which nothing is said.
        jobs: how many.
    """
    if params is None:
        yield
        return
    folder = Path(params["submitit_folder"])
    output = Path(*takewhile(lambda part: "%" not in part, folder.parts))
    queue = f"SLURM, partition {params['partition']}" if params.get("partition") else "SLURM"
    to = queue if "partition" in params else "this machine"
    say(f"{jobs} {'job' if jobs == 1 else 'jobs'} submitted to {to}; what they print is in {output}")
    try:
        yield
    finally:
        if "%" in folder.name:
            with contextlib.suppress(OSError):  # there is none, or it is not empty
                folder.rmdir()
