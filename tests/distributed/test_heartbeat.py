import json
import os
import subprocess
import sys
import threading

import pytest

from litlab.distributed import Heartbeat, heartbeat
from litlab.distributed.heartbeat import _whereabouts


def test_a_process_is_known_by_more_than_its_number():
    """Process IDs are used again: a new process must not be killed in the place of a lost one."""
    here = _whereabouts(os.getpid())
    assert here == _whereabouts(os.getpid())
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        found = _whereabouts(other.pid)
        assert found["host"] == here["host"]
        assert found["began"] != here["began"]
    finally:
        other.communicate(b"\n")
    assert _whereabouts(other.pid) == {"pid": other.pid, "began": None, "host": None}


def test_a_run_of_one_process_starts_no_thread(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    before = threading.active_count()
    with Heartbeat():
        assert threading.active_count() == before


@pytest.mark.parametrize("known", [True, False], ids=["on this host", "on another host"])
def test_a_lost_process_is_named_and_killed_if_it_is_here(known, monkeypatch):
    """The process that gives up ends itself as well, which this test takes out."""
    said, ended = [], []
    monkeypatch.setattr(heartbeat, "LAST_WORD_S", 0)
    monkeypatch.setattr(os, "_exit", ended.append)
    lost = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        last = {"count": 3, **_whereabouts(lost.pid)} | ({} if known else {"host": ["another boot", "pid:[1]"]})
        Heartbeat(said.append)._give_up("rank 1", 15, json.dumps(last).encode())
        if known:
            assert lost.wait(10) == -9
        else:
            assert lost.poll() is None
    finally:
        lost.kill()
        lost.communicate()
    assert said == ["rank 1 has not answered for 15 s: it hangs, or its host is cut off"]
    assert ended == [1]
