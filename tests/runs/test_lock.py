import subprocess
import sys
import threading
import time

import pytest

from litlab import runs
from litlab.errors import ConfigError

HELD_ELSEWHERE = "import sys, time; from pathlib import Path; from litlab import runs; runs.hold(Path(sys.argv[1]))"


@pytest.fixture
def held(tmp_path):
    """A folder in which another process trains."""
    code = f"{HELD_ELSEWHERE}; print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield tmp_path
    process.kill()
    process.communicate()


def test_a_folder_in_which_another_process_trains_is_refused(held):
    assert runs.is_running(held)
    with pytest.raises(ConfigError, match=f"^{held}: another process is training in it$"):
        runs.hold(held)
    assert runs.is_running(held), "asking has not taken the lock"


def test_a_folder_is_free_when_the_lock_is_given_back(tmp_path):
    assert not runs.is_running(tmp_path)
    lock = runs.hold(tmp_path)
    assert runs.is_running(tmp_path)
    runs.give_back(lock)
    assert not runs.is_running(tmp_path)


def test_the_lock_is_given_back_for_processes_that_were_forked_meanwhile(tmp_path):
    lock = runs.hold(tmp_path)
    with subprocess.Popen(["sleep", "60"], pass_fds=[lock]) as worker:
        runs.give_back(lock)
        assert not runs.is_running(tmp_path)
        runs.give_back(runs.hold(tmp_path))
        assert worker.poll() is None
        worker.kill()


def test_asking_whether_a_run_goes_on_does_not_make_a_starting_run_refuse(tmp_path):
    """A sweep's report asks all the time, and the run starts in the middle of it."""
    done, asked = threading.Event(), []

    def ask():
        while not done.is_set():
            asked.append(runs.is_running(tmp_path))

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        held = 0
        while held < 20 or len(asked) <= 20:
            runs.give_back(runs.hold(tmp_path))
            held += 1
    finally:
        done.set()
        for asker in askers:
            asker.join()


def test_several_processes_can_ask_at_once(tmp_path):
    """A shared lock is no training: who asks while another process asks is told the truth."""
    code = (
        "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_SH);"
        "print('asks', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "asks\n"
        assert not runs.is_running(tmp_path)
        began = time.monotonic()
        threading.Timer(0.3, process.kill).start()
        runs.give_back(runs.hold(tmp_path))
        assert time.monotonic() - began < 1, "`hold` waits for who only asks"
    finally:
        process.kill()
        process.communicate()
