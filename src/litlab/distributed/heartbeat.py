"""Notices when another process of the same run has died with its host, or hangs."""

import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from litlab.distributed.ranks import is_rank, rank, world_size
from litlab.distributed.store import LAST_WORD_S, connect

JOIN_S = 300  # that a process may take to begin
SILENT_S = 15  # a process that has not moved for so long, or whose host cannot be reached, is given up


class Heartbeat:
    """Ends this process when another of its run has died with its host, or hangs; within a `with` block.

    Each process counts up in the store once a second, from a thread of its own, so that a long step, a slow
    validation or a download is no silence; a process that is stopped, or a host that is cut off, is. One that hangs
    on this host is killed: it would not hear a SIGTERM.

    Seconds are counted in looks, not by the clock: a run that was stopped as a whole (Ctrl-Z, a laptop that
    sleeps) goes on.

    Args:
        say: called with the one line that says which process was lost, before this one is ended.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self._say = say or _print_once
        self._done = threading.Event()
        self._rounds = 0  # that the store has answered
        self._seen: dict[int, bytes] = {}

    def __enter__(self) -> "Heartbeat":
        if is_rank() and world_size() > 1:
            for target in (self._beat, self._watch):
                threading.Thread(target=target, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def _beat(self) -> None:
        own, others = rank(), [number for number in range(world_size()) if number != rank()]
        try:
            store = connect()
            for count in itertools.count():
                finished = self._done.is_set()
                store.set(f"pulse/{own}", json.dumps({"count": -1 if finished else count, **_whereabouts()}))
                if finished:
                    return
                for other in others:
                    if store.check([f"pulse/{other}"]):
                        self._seen[other] = store.get(f"pulse/{other}")
                self._rounds += 1
                self._done.wait(1)
        except RuntimeError:  # the store has gone: `_watch` will notice
            return

    def _watch(self) -> None:
        silent, rounds = dict.fromkeys(range(world_size()), 0), 0  # looks without a sign of life
        before: dict[int, bytes] = {}
        store_silent = 0
        while not self._done.wait(1):
            store_silent, rounds = (store_silent + 1 if rounds == self._rounds else 0), self._rounds
            if store_silent >= SILENT_S:  # while it is away, nobody can be heard
                self._give_up("the host of rank 0", SILENT_S, None)
            now = dict(self._seen)
            for other in silent:
                ended = other in now and json.loads(now[other])["count"] == -1
                silent[other] = 0 if ended or now.get(other) != before.get(other) else silent[other] + 1
                limit = SILENT_S if other in now else JOIN_S
                if other != rank() and silent[other] >= limit and not store_silent:
                    self._give_up(f"rank {other}", limit, now.get(other))
            before = now

    def _give_up(self, who: str, seconds: int, last: bytes | None) -> None:
        self._say(f"{who} has not answered for {seconds} s: it hangs, or its host is cut off")
        if last and (left := json.loads(last)) and {**left, "count": 0} == {"count": 0, **_whereabouts(left["pid"])}:
            os.kill(left["pid"], signal.SIGKILL)
            time.sleep(LAST_WORD_S)  # its connections are closed now, which ends the wait of the training itself
        os._exit(1)


def _print_once(message: str) -> None:
    """Says it on the terminal, unless another process of this run has."""
    try:
        first = connect(timedelta(seconds=2)).add("lost", 1) == 1
    except RuntimeError:
        first = True
    if first:
        print(f"failed: {message}", file=sys.stderr, flush=True)


def _whereabouts(pid: int | None = None) -> dict[str, Any]:
    """A process and its host, so that no other is taken for it; without the first, this one."""
    pid = pid or os.getpid()
    try:
        began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return {"pid": pid, "began": began, "host": [boot, str(Path("/proc/self/ns/pid").readlink())]}
    except OSError:  # no Linux, or gone
        return {"pid": pid, "began": None, "host": None}
