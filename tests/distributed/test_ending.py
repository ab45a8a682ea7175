import signal
import subprocess
import sys

import pytest

from litlab.callbacks import StopOnSignal
from litlab.distributed import note_signals

LEAVES = """
import atexit, sys
import torch
from litlab.distributed import leave
atexit.register(lambda: print("said at the end"))
try:
    print("said before")
    leave(int(sys.argv[1]))
finally:
    print("never said")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("status", "out"), [(0, "said before\nsaid at the end\n"), (3, "said before\n")])
def test_a_process_leaves_at_once_and_cleans_up_after_a_success(status, out):
    done = subprocess.run([sys.executable, "-c", LEAVES, str(status)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (status, out, "")


def test_a_process_ends_with_its_parent():
    """The parent starts a process that would sleep for a minute, and ends."""
    child = (
        "import os, time; from litlab.distributed import end_with; end_with(os.getppid()); print('up', flush=True); "
    )
    parent = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "{child}time.sleep(60)"], stdout=subprocess.PIPE)
child.stdout.readline()
"""
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    # The pipes are those of the child too: `run` returns when it has gone.


def test_a_process_that_follows_notes_a_signal_until_its_training_can_end():
    """Rank 0 has had it too, and ends all of them."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        note_signals()
        signal.raise_signal(signal.SIGINT)  # while it imports
        assert signal.getsignal(signal.SIGTERM).signum == signal.SIGINT
        with StopOnSignal(None) as stop:
            assert stop.received == signal.SIGINT
        stop.done()
        with StopOnSignal(None) as stop:
            signal.raise_signal(signal.SIGTERM)  # while it waits for rank 0
            assert stop.received == signal.SIGTERM
        stop.done()
        assert signal.getsignal(signal.SIGINT).take() == 0
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
