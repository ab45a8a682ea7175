"""What the processes of one run tell each other beside the training: what there is to do, that they live, how it ended.

They meet in the key-value store of torch.distributed at MASTER_ADDR:MASTER_PORT, whoever started them: litlab itself
(`litlab.launch`), torchrun, or SLURM's srun. Under the last two rank 0 alone reads the command line, composes the
config and makes the run folder; the others are told what to do, and leave nothing on their hosts.
"""

import atexit
import contextlib
import functools
import itertools
import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

JOIN_S = 300  # that a process may take to begin
SILENT_S = 15  # a process that has not moved for so long, or whose host cannot be reached, is given up
LAST_WORD_S = 5  # that a process which failed leaves rank 0 to say why, before it says so itself


def adopt_slurm() -> None:
    """Gives a task of `srun` the variables that torchrun would give it; elsewhere does nothing."""
    os.environ.pop("SLURM_NTASKS", None)  # by which Lightning knows SLURM, and then wants other things of a script
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
    if "RANK" in os.environ or tasks < 2:
        return
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    per_node = re.fullmatch(r"(\d+)(\(x\d+\))?", os.environ["SLURM_STEP_TASKS_PER_NODE"])
    if per_node is None:
        print("error: SLURM: all nodes must have the same number of tasks: --ntasks-per-node", file=sys.stderr)
        sys.exit(2)
    nodes = os.environ["SLURM_STEP_NODELIST"]
    os.environ |= {
        "RANK": os.environ["SLURM_PROCID"],
        "WORLD_SIZE": str(tasks),
        "LOCAL_RANK": os.environ["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": per_node[1],
        "GROUP_RANK": os.environ["SLURM_NODEID"],
        "MASTER_ADDR": os.environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes),
    }
    os.environ["MASTER_PORT"] = str(SLURMEnvironment().main_port)


def is_rank() -> bool:
    """Whether a launcher has started this process as one of several (or as the only one, but in its manner)."""
    return "RANK" in os.environ


def rank() -> int:
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def local_size() -> int:
    """How many of the processes are on this host."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))


def tell(job: str, **what: Any) -> None:
    """Rank 0 tells the others what it is about to do, in plain data; they do the same. Alone, does nothing."""
    if is_rank() and world_size() > 1:
        store = _store()
        store.set(f"job/{store.add('jobs', 1) - 1}", json.dumps({"job": job, **what}))


def end(status: int) -> None:
    """Rank 0 tells the others that it has nothing more to do, and the exit status of all."""
    with contextlib.suppress(RuntimeError):  # the store's host has gone, and the others will see that themselves
        tell("end", status=status)
        if is_rank() and world_size() > 1:  # with this process the store may go, before they have heard it
            deadline = time.monotonic() + LAST_WORD_S
            while _store().add("heard", 0) < world_size() - 1 and time.monotonic() < deadline:
                time.sleep(0.05)


def follow(work: Callable[[dict[str, Any]], None]) -> int:
    """The life of a process other than rank 0, under torchrun or SLURM: does what rank 0 tells; returns the status.

    What goes wrong everywhere is said by rank 0 alone. What goes wrong only here is said here.
    """
    failure: Exception | None = None
    for number in itertools.count():
        message = _receive(f"job/{number}", LAST_WORD_S if failure else None)
        if message is None or (failure and message["job"] == "end" and not message["status"]):
            print(f"failed: rank {rank()}: {failure or 'rank 0 has gone'}", file=sys.stderr, flush=True)
            return 1
        if message["job"] == "end":
            with contextlib.suppress(RuntimeError):
                _store().add("heard", 1)
            return int(message["status"])
        try:
            work(message)
        except Exception as error:
            failure = error
        else:
            failure = None
    raise AssertionError


@contextlib.contextmanager
def leading() -> Iterator[None]:
    """Rank 0 reads the command line in here, and tells the others how it ended. Without a launcher does nothing."""
    if not is_rank():
        yield
        return
    status = 1
    try:
        yield
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
    end(status)
    leave(status)


def leave(status: int) -> NoReturn:
    """Ends this process, without the interpreter's own shutdown.

    After a failure the others' collectives could hang in it. After a success it could abort: of a group that something
    still holds, as a device mesh does, gloo's threads run on, and Python ends a thread that comes for the interpreter
    at that time in the middle of what it does ("terminate called without an active exception").
    """
    if not status:
        import torch

        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        atexit._run_exitfuncs()  # as multiprocessing does before it leaves its children in the same way
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Pulse:
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

    def __enter__(self) -> "Pulse":
        if is_rank() and world_size() > 1:
            for target in (self._beat, self._watch):
                threading.Thread(target=target, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def _beat(self) -> None:
        own, others = rank(), [number for number in range(world_size()) if number != rank()]
        try:
            store = _connect()
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
        first = _connect(timedelta(seconds=2)).add("lost", 1) == 1
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


def _receive(key: str, seconds: float | None) -> dict[str, Any] | None:
    """What rank 0 has put there; None if it has not within that time, or the store has gone."""
    deadline = time.monotonic() + (seconds if seconds is not None else float("inf"))
    try:
        store = _store()
        while not store.check([key]):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        message: dict[str, Any] = json.loads(store.get(key))
        return message
    except RuntimeError:
        return None


@functools.cache
def _store() -> Any:
    return _connect()


def _connect(timeout: timedelta = timedelta(seconds=300)) -> Any:
    """The store of this run; where no agent of torchrun's has one already, rank 0 has it, and torch shares it."""
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://", timeout=timeout))
    return PrefixStore(f"litlab/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
