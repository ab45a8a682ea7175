"""Notices when another process of the same run hangs, or has died with its host."""

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

JOIN_S = 300  # seconds that a process may take to begin
SILENT_S = 15  # seconds without a sign of life after which a process, or its host, is taken for lost


class Heartbeat:
    """Ends this process when another process of its run hangs, or has died with its host. For a `with` block.

    Each process counts up in the store once a second. A thread of its own does this, so a long step, a slow validation
    or a download is not taken for silence. A process that is stopped, or on a host that is cut off, does not count up.
    If the silent process is on this host, it is killed, since it would not react to SIGTERM.

    Silence is measured in looks, one a second, and not by the clock. So a run goes on after it was stopped as a whole,
    by Ctrl-Z or because the laptop slept.

    Args:
        say: called with one line that names the lost process, before this process ends.
    """

    def __init__(self, say: Callable[[str], object] | None = None) -> None:
        self._say = say or _print_once
        self._done = threading.Event()
        self._rounds = 0  # how often the store has answered
        self._seen: dict[int, bytes] = {}  # the last sign of life of each other rank

    def __enter__(self) -> "Heartbeat":
        if is_rank() and world_size() > 1:
            for target in (self._beat, self._watch):
                threading.Thread(target=target, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def _beat(self) -> None:
        """Counts up in the store, and reads the counts of the others. A process that has finished counts -1."""
        own, others = rank(), [number for number in range(world_size()) if number != rank()]
        try:
            store = connect()
            for count in itertools.count():
                finished = self._done.is_set()
                store.set(f"pulse/{own}", json.dumps({"count": -1 if finished else count, **_whereabouts(os.getpid())}))
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
        """Looks once a second which processes have not counted up."""
        silent, rounds = dict.fromkeys(range(world_size()), 0), 0  # looks without a sign of life
        before: dict[int, bytes] = {}
        store_silent = 0
        while not self._done.wait(1):
            store_silent, rounds = (store_silent + 1 if rounds == self._rounds else 0), self._rounds
            if store_silent >= SILENT_S:
                self._give_up("the host of rank 0", SILENT_S, None)
            now = dict(self._seen)
            for other in silent:
                ended = other in now and json.loads(now[other])["count"] == -1
                silent[other] = 0 if ended or now.get(other) != before.get(other) else silent[other] + 1
                limit = SILENT_S if other in now else JOIN_S
                if other != rank() and silent[other] >= limit and not store_silent:  # without the store all are silent
                    self._give_up(f"rank {other}", limit, now.get(other))
            before = now

    def _give_up(self, who: str, seconds: int, last: bytes | None) -> None:
        """Ends this process, and the lost one if it is on this host.

        Args:
            who: the lost process, in words.
            seconds: how long it has not answered.
            last: its last sign of life.
        """
        self._say(f"{who} has not answered for {seconds} s: it hangs, or its host is cut off")
        lost = json.loads(last) if last else None
        if lost and all(lost[key] == value for key, value in _whereabouts(lost["pid"]).items()):
            os.kill(lost["pid"], signal.SIGKILL)
            time.sleep(LAST_WORD_S)  # its connections are closed now, and so the training itself ends its wait
        os._exit(1)


def _print_once(message: str) -> None:
    """Prints an error, unless another process of this run has printed it."""
    try:
        first = connect(timedelta(seconds=2)).add("lost", 1) == 1
    except RuntimeError:
        first = True
    if first:
        print(f"failed: {message}", file=sys.stderr, flush=True)


def _whereabouts(pid: int) -> dict[str, Any]:
    """A process and its host. No other process is the same in all three, although process IDs are used again."""
    try:
        began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return {"pid": pid, "began": began, "host": [boot, str(Path("/proc/self/ns/pid").readlink())]}
    except OSError:  # not Linux, or the process has gone
        return {"pid": pid, "began": None, "host": None}
