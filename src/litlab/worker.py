"""One process of a distributed run. It composes no config and starts nothing: it does what it is told.

    python -m litlab.worker MESSAGE.json       # started by `litlab.distributed.launch`

A message is plain data: `{"job": "train" or "evaluate", "run": ...}`, see `message` and `Run.to_plain`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from litlab import console
from litlab.config import Run
from litlab.distributed import Heartbeat, end_with, follow_rank_zero, leave, leave_last_word, rank
from litlab.errors import ConfigError, RunFailed


def main(path: Path) -> NoReturn:
    """The life of a rank that litlab has started."""
    end_with(os.getppid())
    console.one_line_warnings()
    told = json.loads(path.read_text())
    if rank() == 0 and told["job"] == "train":
        console.log_to(Path(told["run"]["folder"]))
    try:
        with Heartbeat(lambda message: leave_last_word(path, RunFailed.__name__, message, 1)):
            do(told)
    except (ConfigError, RunFailed) as error:
        status = getattr(error, "status", 2)
        leave_last_word(path, type(error).__name__, str(error), status)
        leave(status)
    leave(0)


def follow() -> NoReturn:
    """The life of a process other than rank 0 that torchrun or SLURM has started."""

    def work(told: dict[str, Any]) -> None:
        with Heartbeat():
            do(told)

    leave(follow_rank_zero(work))


def do(told: dict[str, Any]) -> None:
    """Takes part in a job.

    Raises:
        ConfigError, RunFailed: as the job does.
    """
    run = Run.from_plain(told["run"])
    if told["job"] == "train":
        from litlab.training import train

        train(run)
    else:
        from litlab.prediction import evaluate_as_rank

        evaluate_as_rank(run)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
