"""The life of the MPS daemon, with a program in the place of NVIDIA's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra.errors import HydraException

from litlab.sweeps import mps

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


@pytest.fixture
def control(tmp_path, monkeypatch):
    """The log of a stand-in for nvidia-cuda-mps-control."""
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


def test_the_daemon_lives_as_long_as_its_block(control):
    with mps.daemon() as started:
        assert started
        assert folder_of(control) == Path(os.environ["CUDA_MPS_PIPE_DIRECTORY"]).parent
        assert mps.is_running()
        assert not mps.wanted("auto", 8, 1), "there is one already"
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert ended(control, 0.1)


def test_an_error_quits_it_too(control):
    with pytest.raises(KeyboardInterrupt), mps.daemon():
        raise KeyboardInterrupt
    assert ended(control, 0.1)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_killed_leaves_no_daemon(signum, control):
    code = (
        "import time; from litlab.sweeps import mps\nwith mps.daemon():\n    print('there', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "there\n"
    process.send_signal(signum)
    process.wait()
    process.stdout.close()
    assert ended(control)


def test_a_daemon_that_does_not_start_is_a_warning(control, capfd):
    (control.parent / "bin/nvidia-cuda-mps-control").write_text("#!/bin/sh\nexit 1\n")
    with mps.daemon() as started:
        assert not started
    assert "did not start" in capfd.readouterr().err


def test_it_is_started_where_jobs_share_a_gpu(control):
    assert [mps.wanted(*asked) for asked in (("auto", 8, 1), (True, 1, 1))] == [True, True]
    assert [mps.wanted(*asked) for asked in (("auto", 1, 1), ("auto", 8, 0), (False, 8, 1))] == [False] * 3
    with pytest.raises(HydraException, match=r"^hydra.launcher.mps=maybe: must be auto, true or false$"):
        mps.wanted("maybe", 8, 1)


def test_without_nvidias_program_there_is_none(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert not mps.wanted("auto", 8, 1)
    with pytest.raises(HydraException, match="there is no nvidia-cuda-mps-control here"):
        mps.wanted("true", 8, 1)
