"""Systems that lack what Unix has: litlab imports there, trains, and says in one line what it does without."""

import os
import subprocess
import sys

import pytest
from scripts import QUICK, REPOSITORY

WITHOUT = """
import filelock, os, signal, sys, types
from lightning.pytorch.trainer.connectors import signal_connector
whole = types.ModuleType("signal")  # Lightning asks for the name of the system, and not for what it has
vars(whole).update(vars(signal))
signal_connector.signal = whole
for module in ("fcntl", "resource"):
    sys.modules[module] = None  # so `import` fails
for name in ("pthread_sigmask", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGHUP", "SIGQUIT"):
    delattr(signal, name)
for name in ("getpgrp", "tcgetpgrp", "sched_getaffinity"):
    delattr(os, name)
import runpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_a_system_without_locks_and_unix_signals_trains(tmp_path):
    arguments = [REPOSITORY / "train.py", *QUICK, "data.train_limit=128", "model=mlp", "test=false"]
    done = subprocess.run([sys.executable, "-c", WITHOUT, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "completed after 1 epoch" in done.stdout
    warned = [line for line in done.stderr.splitlines() if "warning" in line]
    assert warned == ["warning: this system cannot lock a folder: do not start two processes in one run folder"]


@pytest.mark.slow
def test_a_backend_of_a_notebook_that_is_not_there_does_not_matter(tmp_path):
    """`!python train.py` in Jupyter or Colab inherits MPLBACKEND."""
    environment = {**os.environ, "MPLBACKEND": "module://not_there.backend_inline"}
    command = [sys.executable, REPOSITORY / "train.py", *QUICK, "summary=true"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
