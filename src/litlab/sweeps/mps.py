"""NVIDIA's MPS daemon, which lets the jobs of a sweep share a GPU: started for the sweep, and quit with it.

Without it the GPU runs one process at a time, in turns. It changes no setting of the card. A second process, the
watcher, quits the daemon when the sweep has ended, however that was: it reads from a pipe whose other end the sweep
holds, and the system closes that end of a process that is killed.

    python -m litlab.sweeps.mps FOLDER                  # the watcher
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hydra.errors import HydraException

PROGRAM = "nvidia-cuda-mps-control"
PATIENCE_S = 20  # for one command
MODES = ("auto", "true", "false")


def variables(folder: Path) -> dict[str, str]:
    """The environment variables by which the daemon and the jobs find each other."""
    return {"CUDA_MPS_PIPE_DIRECTORY": str(folder / "pipe"), "CUDA_MPS_LOG_DIRECTORY": str(folder / "log")}


def wanted(mode: object, jobs_at_once: int, gpus: int) -> bool:
    """Whether a sweep starts a daemon.

    Args:
        mode: `hydra.launcher.mps`: true, false, or auto: where there is one, none is running, and jobs share a GPU.
        jobs_at_once: of the sweep.
        gpus: that the jobs use.

    Raises:
        HydraException: if the mode is another word, or is true where there is no daemon.
    """
    if str(mode).lower() not in MODES:
        raise HydraException(f"hydra.launcher.mps={mode}: must be auto, true or false")
    there = shutil.which(PROGRAM) is not None
    if str(mode).lower() == "true" and not there:
        raise HydraException(f"hydra.launcher.mps=true: there is no {PROGRAM} here")
    asked = str(mode).lower() == "true" or (str(mode).lower() == "auto" and jobs_at_once > gpus > 0)
    return asked and there and not is_running()


def is_running() -> bool:
    """Whether a daemon answers already, at the place where the environment says, or at the default one."""
    return ask("get_server_list", {}) == 0


def ask(command: str, environment: dict[str, str]) -> int:
    """Sends the daemon a command; returns the exit status of its control program."""
    try:
        done = subprocess.run(
            [PROGRAM], input=f"{command}\n", env=os.environ | environment, text=True, capture_output=True,
            timeout=PATIENCE_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return 1
    return done.returncode


@contextlib.contextmanager
def daemon() -> Iterator[bool]:
    """Starts a daemon in a folder of its own, and quits it at the end. The processes started in between use it.

    Yields:
        Whether it has started. If not, a warning says so, and the jobs share the GPU in turns.
    """
    folder = Path(tempfile.mkdtemp(prefix="litlab-mps-"))  # not below the sweep: the name of a pipe has 107 characters
    for path in variables(folder).values():
        Path(path).mkdir()
    # The watcher is there before the daemon, so that none is left if the sweep is killed in between.
    command = [sys.executable, "-m", "litlab.sweeps.mps", str(folder)]
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    before = {name: os.environ.get(name) for name in variables(folder)}
    os.environ.update(variables(folder))
    try:
        started = subprocess.run([PROGRAM, "-d"], capture_output=True, timeout=PATIENCE_S).returncode == 0
        if not started:
            print(f"warning: {PROGRAM} did not start; the jobs share the GPU in turns", file=sys.stderr)
        yield started
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        watcher.communicate()  # closes the pipe, and waits until the daemon has quit


def follow(folder: Path) -> None:
    """Waits for the end of the sweep, quits its daemon, and removes the folder."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    sys.stdin.read()
    ask("quit", variables(folder))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    follow(Path(sys.argv[1]))
