"""The life of the MPS daemon, with a program in the place of NVIDIA's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import HydraException
from mps_stand_in import ended, folder_of

from litlab.sweeps import mps


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
def test_a_sweep_that_is_killed_leaves_no_daemon(signum, control, ctrl_c):
    code = (
        "import time; from litlab.sweeps import mps\nwith mps.daemon():\n    print('there', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "there\n"
    process.send_signal(signum)
    assert process.wait(timeout=20) != 0, "the signal has not ended it"
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
