"""A program in the place of nvidia-cuda-mps-control, and whether its daemon has ended."""

import os
import time
from pathlib import Path

import pytest

STAND_IN = """#!/bin/sh
# nvidia-cuda-mps-control: -d starts the daemon; a command on standard input fails if there is none.
if [ "$1" = -d ]; then
    (cd /; exec sleep 300) > /dev/null 2>&1 &
    echo $! > "$CUDA_MPS_PIPE_DIRECTORY/control"
    echo "start $CUDA_MPS_PIPE_DIRECTORY" >> "$STAND_IN_LOG"
    exit 0
fi
read command
pipe="${CUDA_MPS_PIPE_DIRECTORY:-/nowhere}/control"
[ -f "$pipe" ] || exit 1
if [ "$command" = quit ]; then kill "$(cat "$pipe")"; rm "$pipe"; echo quit >> "$STAND_IN_LOG"; fi
"""


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the program where it is found; returns the log of what it was asked."""
    program = tmp_path / "bin/nvidia-cuda-mps-control"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log"))
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    return tmp_path / "log"


def ended(log: Path, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if log.exists() and log.read_text().endswith("quit\n") and not folder_of(log).exists():
            return True
        time.sleep(0.05)
    return False


def folder_of(log: Path) -> Path:
    return Path(log.read_text().split()[1]).parent
