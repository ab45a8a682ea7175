import os
import signal
import subprocess
import sys

import pytest

from litlab.cli.signals import end_at_next_signal, sigterm_raises
from litlab.errors import Terminated
from litlab.sweeps import STARTED_BY


@pytest.fixture(autouse=True)
def _handlers():
    """Puts the handlers back that a test may have changed."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def send(signum):
    os.kill(os.getpid(), signum)


def test_sigterm_is_an_exception_in_the_block_and_has_its_handler_after_it():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(Terminated), sigterm_raises():
        send(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_handler_that_is_there_already_stays():
    """Submitit and Ray have their own."""
    seen = []
    signal.signal(signal.SIGTERM, lambda signum, frame: seen.append(signum))
    with sigterm_raises():
        send(signal.SIGTERM)
    assert seen == [signal.SIGTERM]


def test_handlers_that_the_block_changes_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with sigterm_raises():
        end_at_next_signal()
        assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == before


JOBS = """
import os, signal, sys
from pathlib import Path
from litlab.cli.signals import signals_reach
from litlab.config import SweepJob
from litlab.errors import Terminated
from litlab.sweeps import stopped_with

folder = Path(sys.argv[1])

def job(*signums):
    try:
        with signals_reach(SweepJob(0, folder, "Joblib")):
            for signum in signums:
                os.kill(os.getpid(), signum)
            return "trained"
    except (KeyboardInterrupt, Terminated) as stopped:
        return type(stopped).__name__

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.kill(os.getpid(), signal.SIGTERM)
print("waited for the job:", job())
print("in a job:", job(signal.SIGINT), job(signal.SIGTERM), stopped_with(folder))
os.kill(os.getpid(), signal.SIGINT)
print("between two jobs:", stopped_with(folder))
"""


def test_a_signal_between_two_jobs_of_joblib_is_noted_and_raises_nothing(tmp_path):
    """In a process of its own, which has one thread, as those of joblib have when their first job begins."""
    environment = {**os.environ, STARTED_BY: str(os.getpid())}
    done = subprocess.run([sys.executable, "-c", JOBS, tmp_path], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "waited for the job: Terminated",
        "in a job: KeyboardInterrupt Terminated 0",
        "between two jobs: 130",
    ], done.stderr


WAITS = """
import os, signal
from litlab.cli import signals_wait
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with signals_wait():
        os.kill(os.getpid(), signal.SIGINT)
        print("imported")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_waits_for_the_end_of_an_import():
    """In a process of its own, which has one thread, as a script has when it begins."""
    done = subprocess.run([sys.executable, "-c", WAITS], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "imported\ninterrupted\n", "")


BLOCKED = """
import signal
from litlab.cli import signals_wait
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
with signals_wait():
    pass
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


def test_a_signal_that_was_blocked_before_stays_so():
    """A job of submitit has it blocked: it saves when its sweep leaves a mark, and a second signal would end it."""
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
