"""One process of a distributed run. It composes no config and starts no process: it does what a message says.

    python -m litlab.worker MESSAGE.json       # `litlab.distributed.launch` starts it so

A message is plain data: `{"job": "train" or "evaluate", "run": ..., "started": ...}`, with the run as `Run.to_plain`
describes it, and the script that the user has started.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from litlab import console
from litlab.config import Run
from litlab.distributed import Heartbeat, end_with, follow_rank_zero, leave, leave_last_word, note_signals, rank
from litlab.errors import FULL_ERROR, ConfigError, RunFailed, own_frames, with_type
from litlab.importing import collector_rests


def main(path: Path) -> NoReturn:
    """What a rank does that litlab has started.

    Args:
        path: the file with the message.
    """
    end_with(os.getppid())
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        # A job of Ray or submitit has blocked it, also for its ranks.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    console.one_line_warnings()
    console.never_fail_to_encode()
    message = json.loads(path.read_text())
    sys.argv = [message["started"]]  # by the user: printed commands name the script beside it
    if rank() == 0 and message["job"] == "train":
        console.log_to(Path(message["run"]["folder"]))
    else:
        console.log_nowhere()
    try:
        with Heartbeat(lambda lost: leave_last_word(path, RunFailed.__name__, lost, 1)):
            do(message)
    except (ConfigError, RunFailed) as error:
        status = getattr(error, "status", 2)
        leave_last_word(path, type(error).__name__, str(error), status)
        leave(status)
    except Exception as error:
        if not own_frames(error) or os.environ.get(FULL_ERROR) == "1":
            raise
        if leave_last_word(path, RunFailed.__name__, with_type(error), 1):
            console.show_own_lines(error)
        leave(1)
    leave(0)


def follow() -> NoReturn:
    """What a process does that torchrun or SLURM has started, if it is not rank 0."""

    def work(message: dict[str, Any]) -> None:
        with Heartbeat():
            do(message)

    note_signals()
    console.log_nowhere()
    leave(follow_rank_zero(work))


def do(message: dict[str, Any]) -> None:
    """Takes part in a job.

    Raises:
        ConfigError, RunFailed: what the job raises.
    """
    run = Run.from_plain(message["run"])
    if message["job"] == "train":
        with collector_rests():
            from litlab.training import train_in_this_process
        train_in_this_process(run)
    else:
        with collector_rests():
            from litlab.prediction import evaluate_in_this_process
        evaluate_in_this_process(run)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
